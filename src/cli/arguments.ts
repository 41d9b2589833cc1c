import { InvalidArgumentError, Option } from 'commander';
import { type DeviceName, devices } from '../engine/engine.js';
import { InputError } from '../errors.js';
import type { Shard } from '../verbs/shard.js';

/** A whole number that is not negative, for an option that is not a configuration key. */
export function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number of at least 0.');
  return Number(text);
}

/** A whole number of at least 1, likewise. */
export function parsePositive(text: string): number {
  const count = parseCount(text);
  if (count === 0) throw new InvalidArgumentError('Expected a whole number of at least 1.');
  return count;
}

/** For commands whose configuration has no such key. */
export const deviceOption = (of: readonly DeviceName[] = devices): Option =>
  new Option(
    '--device <name>',
    `what networks are computed on: the processor, a GPU through WebGPU${of.includes('auto') ? ', or (auto) the GPU where it is faster' : ''}`,
  ).choices(of);

/** Names with commas between them, added to those of the same option before. */
export const appendNames = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== ''),
];

/** For commands that write a table of a file's records. */
export const keepOption = (): Option =>
  new Option(
    '--keep <columns>',
    "columns of the data to write beside, in the file's own characters; all means all (repeatable)",
  ).argParser(appendNames);

/** For commands that several processes do together. */
export const rankTimeoutOption = (): Option =>
  new Option(
    '--rank-timeout <seconds>',
    'under mpirun or srun: how long a process waits for the others before all are ended (1800)',
  ).argParser(parsePositive);

/** For commands that several processes can do a part of each: of these things, into a file or folder of its own. */
export const shardOption = (things = 'records', into = 'file'): Option =>
  new Option(
    '--shard <i/n>',
    `only part i of n, from 0, of the ${things}, into a ${into} of its own (under mpirun or srun by itself)`,
  ).argParser((text): Shard => {
    const [, index, of] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
    if (index === undefined || Number(index) >= Number(of))
      throw new InvalidArgumentError('Expected i/n, with i from 0 to n - 1, such as 0/4.');
    return { index: Number(index), of: Number(of) };
  });

/** The data of a command: its argument, else data.path of the configuration. */
export function requireData(argument: string | undefined, configured: string | undefined): string {
  const data = argument ?? configured;
  if (data === undefined)
    throw new InputError('no data: name a file or folder after the command, or give data.path in --config');
  return data;
}

/** The columns to predict. */
export function requireTargets(target: readonly string[] | undefined): string[] {
  if (!target) throw new InputError('no target: name the columns to predict, for example --target label');
  return [...target];
}

/** A command line that can be pasted into a shell. */
export function shellCommand(argv: readonly string[]): string {
  const quote = (word: string) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
  return ['lacuna', ...argv].map(quote).join(' ');
}
