/** The plug-ins of a command line, loaded before its options are read, since they may declare some. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Verbs } from './verbs.js';

export function addPluginOption(command: Command): void {
  command.option(
    '--plugin <file>',
    'a module with objectives, encoders, tokenizers, readers or protocols of your own (repeatable)',
  );
}

/** The values of an option among arguments, however it is written. */
const valuesOf = (args: readonly string[], flag: string): string[] =>
  args.flatMap((arg, i) => {
    if (arg === flag) return args[i + 1] ?? [];
    return arg.startsWith(`${flag}=`) ? arg.slice(flag.length + 1) : [];
  });

/** Loads what `--plugin` and the key `plugins` of `--config` name; gives their paths. Throws InputError where one is no plug-in. */
export async function loadAskedPlugins(args: readonly string[]): Promise<string[]> {
  const asked = valuesOf(args, '--plugin');
  for (const path of valuesOf(args, '--config')) asked.push(...(await pluginsIn(path)));
  return loadAll(asked);
}

/** The same of what a configuration file names. */
export const loadPluginsIn = async (path: string): Promise<string[]> => loadAll(await pluginsIn(path));

async function loadAll(asked: readonly string[]): Promise<string[]> {
  if (asked.length === 0) return [];
  const paths = [...new Set(asked.map((path) => resolve(path)))];
  const { loadPlugins } = await import('../plugins.js');
  await loadPlugins(paths);
  return paths;
}

/** What is wrong with the file is told when it is read as a whole. */
async function pluginsIn(path: string): Promise<string[]> {
  try {
    const { parse } = await import('yaml');
    const config: unknown = parse(await readFile(path, 'utf8'));
    const plugins =
      typeof config === 'object' && config !== null && 'plugins' in config ? config.plugins : [];
    return Array.isArray(plugins) ? plugins.filter((plugin) => typeof plugin === 'string') : [];
  } catch {
    return [];
  }
}

/** The verbs, each with these plug-ins beside its own options. */
export function withPlugins(verbs: Verbs, plugins: readonly string[]): Verbs {
  if (plugins.length === 0) return verbs;
  return Object.fromEntries(
    Object.entries(verbs).map(([name, verb]) => [
      name,
      // A command that passes all of its options on has the paths as they were written, too.
      ({ plugin: _, ...options }: { plugin?: string }, hooks: never) =>
        verb({ ...options, plugins } as never, hooks),
    ]),
  ) as unknown as Verbs;
}
