/** Members of families from a module of the user's: objectives, encoders, tokenizers, readers and protocols. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Encoder } from './encoders/encoder.js';
import { encoderOptions, encoders } from './encoders/index.js';
import { InputError } from './errors.js';
import { objectiveOptions, objectives } from './objectives/index.js';
import type { Objective } from './objectives/objective.js';
import type { Declared, Option } from './options.js';
import { protocols } from './probes/index.js';
import type { Protocol } from './probes/protocol.js';
import type { ByteFile } from './records/bytes/byte-file.js';
import { formatExtensions } from './records/formats.js';
import { byteReaders } from './records/open-bytes.js';
import type { Reader } from './records/reader.js';
import { tokenizerOptions, tokenizers } from './tokenizers/index.js';
import type { TokenizerFamily } from './tokenizers/tokenizer.js';

/** A format of files: the endings of their names, without the dot, and what reads one. */
export interface ReaderPlugin {
  readonly extensions: readonly string[];
  /** Throws InputError for a file that is not of the format. */
  read(file: ByteFile): Reader | Promise<Reader>;
}

/** What the default export of a plug-in is. Names are those that a configuration chooses by. */
export interface Plugin {
  // An objective of any options: the configuration checks them by its declarations.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly objectives?: Readonly<Record<string, Objective<any>>>;
  // biome-ignore lint/suspicious/noExplicitAny: as for objectives
  readonly encoders?: Readonly<Record<string, Encoder<any>>>;
  readonly tokenizers?: Readonly<Record<string, TokenizerFamily>>;
  readonly readers?: Readonly<Record<string, ReaderPlugin>>;
  readonly protocols?: Readonly<Record<string, Protocol>>;
}

/** The family that each key of a plug-in adds to, and the functions that a member must have. */
const families: Readonly<
  Record<keyof Plugin, { readonly members: object; readonly functions: readonly string[] }>
> = {
  objectives: { members: objectives, functions: ['defaults', 'noise', 'draw', 'build'] },
  encoders: { members: encoders, functions: ['encode'] },
  tokenizers: { members: tokenizers, functions: ['fit', 'restore'] },
  readers: { members: formatExtensions, functions: ['read'] },
  protocols: { members: protocols, functions: ['run'] },
};

const loaded = new Map<string, Promise<void>>();

/**
 * Loads plug-ins, each once in the life of a thread. Their code runs with all rights of the process, so a path must come
 * from the user and never from a file that is read. Throws InputError for a module that cannot be loaded or is no plug-in.
 */
export async function loadPlugins(paths: readonly string[]): Promise<void> {
  for (const path of paths.map((given) => resolve(given))) {
    let loading = loaded.get(path);
    if (loading === undefined) {
      loading = loadPlugin(path);
      loaded.set(path, loading);
    }
    await loading;
  }
}

async function loadPlugin(path: string): Promise<void> {
  const module: { default?: unknown } = await import(pathToFileURL(path).href).catch((cause: unknown) => {
    throw new InputError(`${path}: could not load this plug-in: ${(cause as Error).message}`, { cause });
  });
  registerPlugin(module.default, path);
}

/**
 * Adds the members of a plug-in to their families, all or none; `origin` is what messages call it. Throws InputError for
 * what is none.
 */
export function registerPlugin(plugin: unknown, origin: string): void {
  for (const { family, name, member } of checkedMembers(plugin, origin)) {
    if (family === 'readers') {
      const reader = member as ReaderPlugin;
      Object.assign(formatExtensions, { [name]: reader.extensions });
      Object.assign(byteReaders, { [name]: (file: ByteFile) => reader.read(file) });
    } else {
      Object.assign(families[family].members, {
        [name]: family === 'objectives' ? withOptions(member) : member,
      });
    }
  }
}

/** An objective that declares no options, with none; whatever it has from a class stays. */
const withOptions = (objective: object): object =>
  'options' in objective ? objective : Object.create(objective, { options: { value: {}, enumerable: true } });

function checkedMembers(plugin: unknown, origin: string) {
  const known = Object.keys(families).join(', ');
  if (typeof plugin !== 'object' || plugin === null)
    throw new InputError(`${origin}: expected a default export with ${known}, got ${typeof plugin}`);
  return Object.entries(plugin).flatMap(([family, given]) => {
    if (!isFamily(family))
      throw new InputError(`${origin}: a plug-in has ${known}, not "${family}"; correct its default export`);
    if (typeof given !== 'object' || given === null)
      throw new InputError(`${origin}: ${family}: expected members by name, got ${typeof given}`);
    return Object.entries<object>(given).map(([name, member]) => {
      checkMember(family, name, member, `${origin}: ${family}.${name}`);
      return { family, name, member };
    });
  });
}

const isFamily = (name: string): name is keyof Plugin => Object.hasOwn(families, name);

/** The options that the members of a family have already. */
const knownOptions: Partial<Record<keyof Plugin, () => Readonly<Record<string, Option>>>> = {
  objectives: objectiveOptions,
  encoders: encoderOptions,
  tokenizers: tokenizerOptions,
};

/** An option with the name of another one must be that one, or its meaning would depend on who asks. */
function checkOptions(family: keyof Plugin, member: Partial<Declared>, place: string): void {
  const known = knownOptions[family]?.() ?? {};
  const taken = Object.entries(member.options ?? {}).find(
    ([key, option]) => Object.hasOwn(known, key) && known[key] !== option,
  );
  if (taken === undefined) return;
  throw new InputError(
    `${place}: its option ${taken[0]} is declared otherwise by another one of ${family}; use that declaration, or choose another name`,
  );
}

function checkMember(family: keyof Plugin, name: string, member: object, place: string): void {
  const { members, functions } = families[family];
  if (Object.hasOwn(members, name))
    throw new InputError(`${place}: there is one of this name; choose another`);
  const missing = functions.find((key) => typeof Reflect.get(member ?? {}, key) !== 'function');
  if (missing) throw new InputError(`${place}: expected a function "${missing}", which one of ${family} has`);
  checkOptions(family, member, place);
  if (family !== 'readers') return;
  const { extensions } = member as ReaderPlugin;
  if (!Array.isArray(extensions) || extensions.length === 0)
    throw new InputError(`${place}: expected "extensions", the endings of its files, such as ["h5"]`);
}
