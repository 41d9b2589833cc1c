import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { type ConfigKey, configKeys, mergeConfigs, parseConfigText, parseSetting } from '../config/parse.js';
import { configSchemas, type UserConfig } from '../config/schema.js';
import { InputError } from '../errors.js';

/**
 * Gives a command `--config`, `--set` and one option per configuration key of the named sections or keys:
 * `training.learning_rate` becomes `--learning-rate`, `objective.kind` becomes `--objective`.
 */
export function addConfigOptions(command: Command, wanted: readonly string[]): void {
  command
    .option('--config <file>', 'YAML or JSON file of configuration keys')
    .option('--set <key=value>', `a key by its full name, of ${wanted.join(', ')} (repeatable)`, append);
  for (const { option } of optionsOf(wanted)) command.addOption(option);
}

/** The keys that say how a file is read, by their full names. */
export const readingKeys = (): string[] =>
  Object.keys(configSchemas().reading.shape).map((name) => `data.${name}`);

/** The keys of a probe that is made once, on one split of all labels, and has no chance in it. */
export const probeKeys = (): string[] =>
  [...configKeys().values()]
    .filter(
      ({ section, name }) =>
        section === 'probe' && !['kind', 'splits', 'seeds', 'shots', 'domain', 'features'].includes(name),
    )
    .map(({ key }) => key);

/**
 * The command's configuration: the file, then `--set`, then options; what is said later wins. A file may serve several
 * commands; `--set` with a key that this one does not read throws InputError.
 */
export async function readConfigOptions(command: Command, wanted: readonly string[]): Promise<UserConfig> {
  const values: Record<string, unknown> = command.opts();
  const layers: UserConfig[] = [];
  if (typeof values.config === 'string') layers.push(await readConfigFile(values.config));
  for (const setting of Array.isArray(values.set) ? values.set : []) {
    const [key, text] = splitSetting(setting);
    layers.push(parseSetting(key, text, `--set ${key}`));
    if (!isWanted(key, wanted))
      throw new InputError(
        `--set ${key}: not a key that ${command.name()} reads; it reads ${wanted.join(', ')}`,
      );
  }
  const options: UserConfig[] = [];
  for (const { key, option } of optionsOf(wanted)) {
    const value = values[option.attributeName()];
    if (value !== undefined) options.push(parseSetting(key.key, String(value), option.long ?? key.key));
  }
  // Options are one layer, so that --steps and --epochs together are refused.
  return mergeConfigs(...layers, mergeOptions(options));
}

function mergeOptions(options: readonly UserConfig[]): UserConfig {
  const seen = new Set(options.flatMap((option) => Object.values(option).flatMap(Object.keys)));
  if (seen.has('steps') && seen.has('epochs'))
    throw new InputError('--steps and --epochs exclude each other; keep one');
  return mergeConfigs(...options);
}

function splitSetting(setting: string): [string, string] {
  const equals = setting.indexOf('=');
  if (equals < 1)
    throw new InputError(`--set ${setting}: expected key=value, for example --set training.steps=100`);
  return [setting.slice(0, equals), setting.slice(equals + 1)];
}

function append(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** Whether a key such as `training.steps`, or its section, is among the wanted. */
function isWanted(key: string, wanted: readonly string[]): boolean {
  return wanted.includes(key) || wanted.includes(key.split('.')[0]);
}

function optionsOf(wanted: readonly string[]): { key: ConfigKey; option: Option }[] {
  return [...configKeys().values()]
    .filter(({ key }) => key !== 'data.path' && isWanted(key, wanted))
    .flatMap((key) => flagsOf(key).map((option) => ({ key, option })));
}

function flagsOf({ section, name, type, items, choices, description, example }: ConfigKey): Option[] {
  const flag = name === 'kind' ? section : name.replaceAll('_', '-');
  const heading = `${section[0].toUpperCase()}${section.slice(1)}:`;
  const option = (flags: string, text: string) => new Option(flags, text).helpGroup(heading);
  if (type === 'boolean') return [option(`--${flag}`, description), option(`--no-${flag}`, 'the opposite')];
  const value = choices.length > 0 ? choices.join(', ') : `e.g. ${String(example)}`;
  const told = `${description} (${value})`;
  // Given again, a list goes on.
  if (type === 'array') return [option(`--${flag} <${lists[items ?? 'string']}>`, told).argParser(append)];
  return [option(`--${flag} <${placeholders[type]}>`, told)];
}

const lists = { integer: 'n,n,…', string: 'names' } as const;

const placeholders = { integer: 'n', number: 'x', string: 'name' } as const;

/** A configuration file. Throws InputError when it cannot be read or its first mistake is met. */
async function readConfigFile(path: string): Promise<UserConfig> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new InputError(`${path}: could not read this configuration file (${cause.code ?? cause.message})`, {
      cause,
    });
  });
  return parseConfigText(text, path);
}
