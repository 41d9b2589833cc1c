/** The configuration of a sweep: that of a run, with the keys that are searched and their values beside it. */
import { InputError } from '../errors.js';
import { checkConfig, configKeys, describeUnknown, mergeConfigs, type Where, within } from './parse.js';
import type { ParsedConfig, UserConfig } from './schema.js';

export type SettingValue = string | number | boolean;

/** The values that a key takes: those of a list, or any between two ends. */
export type SearchedValues =
  | readonly SettingValue[]
  | { readonly from: number; readonly to: number; readonly log?: boolean };

/** The configuration of a run with `search`, the searched keys by their full names, such as `training.learning_rate`. */
export interface SweepConfig extends UserConfig {
  readonly search: Readonly<Record<string, SearchedValues>>;
}

/** A searched key. */
export type Dimension = { readonly key: string } & (
  | { readonly values: readonly SettingValue[] }
  | {
      readonly from: number;
      readonly to: number;
      /** Drawn evenly by logarithm. */
      readonly log: boolean;
      /** Whole numbers alone. */
      readonly integer: boolean;
    }
);

/** One value of each searched key. */
export type Settings = Readonly<Record<string, SettingValue>>;

/** Sections of which keys can be searched. */
const SEARCHED = ['tokenizer', 'encoder', 'objective', 'training'];

/** Keys that say where and how often, and nothing of what is learned. */
const FIXED = [
  'training.threads',
  'training.device',
  'training.from',
  'training.monitor_target',
  'training.log_steps',
];

/**
 * Checks the configuration of a sweep, each searched value too. Throws InputError for the first mistake, which `where` places.
 */
export function parseSweep(
  input: unknown,
  where: Where = within('config'),
): { readonly config: ParsedConfig; readonly space: readonly Dimension[] } {
  const { search, ...rest } = isObject(input) ? input : {};
  const config = checkConfig(isObject(input) ? rest : input, where);
  if (!isObject(search) || Object.keys(search).length === 0) {
    throw new InputError(
      `${where(['search'])}: expected the keys to search with their values, got ${JSON.stringify(search) ?? 'nothing'}; for example { training.learning_rate: [0.0003, 0.001] }`,
    );
  }
  const space = Object.entries(search).map(([key, values]) => dimension(key, values, where));
  for (const { key } of space) {
    const [section, name] = key.split('.');
    const given: Readonly<Record<string, unknown>> = config[section as 'training'] ?? {};
    if (given[name] !== undefined)
      throw new InputError(
        `${where(['search', key])}: is searched and given under ${section}, too; keep one`,
      );
  }
  return { config, space };
}

function dimension(key: string, values: unknown, where: Where): Dimension {
  const at = where(['search', key]);
  const known = configKeys().get(key);
  if (!known) throw new InputError(`${at}: ${describeUnknown(key.split('.'))}`);
  if (!SEARCHED.includes(known.section) || FIXED.includes(key)) {
    throw new InputError(
      `${at}: cannot be searched, since it says nothing of how is learned or changes what is judged; keys of ${SEARCHED.join(', ')} can`,
    );
  }
  const checked = (value: unknown) => {
    checkConfig(nested(key, value), () => at);
    return value as SettingValue;
  };
  if (Array.isArray(values)) {
    if (values.length === 0 || new Set(values).size < values.length)
      throw new InputError(`${at}: expected different values, got ${JSON.stringify(values)}`);
    if (known.type === 'array')
      throw new InputError(`${at}: a key whose values are lists cannot be searched`);
    return { key, values: values.map(checked) };
  }
  const { from, to, log = false, ...others } = isObject(values) ? values : {};
  const isRange =
    typeof from === 'number' &&
    typeof to === 'number' &&
    from < to &&
    typeof log === 'boolean' &&
    Object.keys(others).length === 0;
  if (!isRange) {
    throw new InputError(
      `${at}: expected a list of values, or { from: x, to: y, log: true } with x below y, got ${JSON.stringify(values) ?? 'nothing'}`,
    );
  }
  if (known.type !== 'number' && known.type !== 'integer')
    throw new InputError(`${at}: is ${known.expected}, so expected a list of values; a range is of numbers`);
  if (log && from <= 0) throw new InputError(`${at}: a logarithmic range begins above 0, got ${from}`);
  checked(from);
  checked(to);
  return { key, from, to, log, integer: known.type === 'integer' };
}

/** The configuration of a trial. Throws InputError where its keys contradict each other. */
export const withSettings = (config: ParsedConfig, settings: Settings): ParsedConfig =>
  mergeConfigs(config, ...Object.entries(settings).map(([key, value]) => nested(key, value)));

/** `a.b` with a value as `{ a: { b: value } }`. */
const nested = (key: string, value: unknown): ParsedConfig => {
  const [section, name] = key.split('.');
  return { [section]: { [name]: value } };
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
