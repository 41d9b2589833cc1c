/** Reading and checking configuration. Every mistake is one line: where, what was expected, what arrived, what to try. */

import { type Document, isCollection, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { InputError } from '../errors.js';
import { nearestName } from './nearest-name.js';
import {
  type Config,
  configSchemas,
  type ParsedConfig,
  type ReadingOptions,
  type Section,
} from './schema.js';

type Path = readonly PropertyKey[];

/** Names the place of a key: a line of a file, an option of the command line. */
export type Where = (path: Path) => string;

/** Checks a configuration that has been read already. Throws InputError whose message starts with `origin`. */
export function parseConfig(input: unknown, origin: string): ParsedConfig {
  return checkConfig(input, within(origin));
}

/** Places that are told by their keys alone. */
export const within =
  (origin: string): Where =>
  (path) =>
    [origin, path.join('.')].filter(Boolean).join(': ');

/** Checks a configuration, whose mistakes `where` places. Throws InputError for the first of them. */
export const checkConfig = (input: unknown, where: Where): ParsedConfig =>
  check(configSchemas().user, input, where);

/** Checks how a file is to be read: keys of the data section without its name. Throws InputError whose message starts with `origin`. */
export function parseReading(input: object, origin: string): ReadingOptions {
  const known = Object.keys(configSchemas().reading.shape);
  for (const key of Object.keys(input)) {
    if (known.includes(key)) continue;
    const near = nearestName(key, known);
    const advice = near ? `did you mean ${near}?` : `known here are ${known.join(', ')}`;
    throw new InputError(`${origin}: ${key}: unknown key; ${advice}`);
  }
  return checkConfig({ data: input }, ([, ...path]) => within(origin)(path)).data ?? {};
}

/** What the data section of a run says of how its file is read. */
export const readingOf = (data: Config['data']): ReadingOptions =>
  Object.fromEntries(Object.entries(data).filter(([key]) => key in configSchemas().reading.shape));

/** Checks a run's config.json. Throws InputError whose message starts with `origin`. */
export function parseRunConfig(input: unknown, origin: string): Config {
  return check(configSchemas().run, input, within(origin));
}

/** Checks the text of a YAML or JSON file. Throws InputError naming the file, the line and the column of the first mistake. */
export function parseConfigText(text: string, path: string): ParsedConfig {
  const { value, where } = readConfigText(text, path);
  return checkConfig(value, where);
}

/** What a YAML or JSON file holds, unchecked, and where each key stands in it. Throws InputError where it is no such file. */
export function readConfigText(text: string, path: string): { value: unknown; where: Where } {
  const lineCounter = new LineCounter();
  refuseNested(text, path);
  // What is wrong with a key is said by the schema, in one line.
  const document = parsedDocument(text, lineCounter, path);
  const at = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  const [mistake] = document.errors;
  if (mistake) throw new InputError(`${at(mistake.pos[0])}: not valid YAML: ${mistake.message}`);
  const where: Where = (keys) => {
    const offset = offsetOf(document.contents, keys);
    return [offset === undefined ? path : at(offset), keys.join('.')].filter(Boolean).join(': ');
  };
  return { value: plainValue(document, path) ?? {}, where };
}

/** Collections within collections, of which a configuration has three; the parser calls itself for each. */
const MOST_NESTED = 100;

/** Throws InputError for a text that is nested too deep to be parsed, by brackets, dashes or indentation. */
function refuseNested(text: string, path: string): void {
  let depth = 0;
  for (const [index, line] of text.split('\n').entries()) {
    let deepest = /^(?:\s*[-?:](?=\s))*/.exec(line)![0].replaceAll(/\s/g, '').length;
    for (const [bracket] of line.matchAll(/[[\]{}]/g)) {
      depth = Math.max(0, depth + (bracket === '[' || bracket === '{' ? 1 : -1));
      deepest = Math.max(deepest, depth);
    }
    deepest = Math.max(deepest, /^ */.exec(line)![0].length / 8);
    if (deepest > MOST_NESTED)
      throw new InputError(
        `${path}:${index + 1}: nested more than ${MOST_NESTED} deep; a configuration has sections of keys`,
      );
  }
}

/** The parser calls itself for what is nested without brackets or indentation too, and fails where that is deep. */
function parsedDocument(text: string, lineCounter: LineCounter, path: string): Document {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error' });
  } catch (cause) {
    throw new InputError(
      `${path}: not valid YAML: ${(cause as Error).message}; a configuration has sections of keys`,
      {
        cause,
      },
    );
  }
}

/** Aliases are followed here, not before: one that names nothing, or stands for itself many times over, fails. */
function plainValue(document: Document, path: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    const why = (cause as Error).message.split('\n', 1)[0];
    throw new InputError(`${path}: not valid YAML: ${why}; write the value where the alias stands`, {
      cause,
    });
  }
}

/** Where the last key of a path starts in the file. */
function offsetOf(node: unknown, [key, ...rest]: Path): number | undefined {
  if (key === undefined) return isCollection(node) ? node.range?.[0] : undefined;
  if (!isMap(node)) return undefined;
  const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
  if (!pair || !isScalar(pair.key)) return undefined;
  return rest.length === 0 ? pair.key.range?.[0] : offsetOf(pair.value, rest);
}

/**
 * The configuration with one key, whose value is text from the command line: a list is separated by commas.
 * Throws InputError that starts with `origin`, the option as it was typed.
 */
export function parseSetting(key: string, text: string, origin: string): ParsedConfig {
  const parts = key.split('.');
  const known = configKeys().get(key);
  const value = known ? fromText(known, text) : text;
  const nested = parts.reduceRight<unknown>((inner, part) => ({ [part]: inner }), value);
  return check(configSchemas().user, nested, () => origin);
}

function fromText({ type, items = 'string' }: Pick<ConfigKey, 'type' | 'items'>, text: string): unknown {
  switch (type) {
    case 'array':
      return text.split(',').map((item) => fromText({ type: items }, item.trim()));
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'integer':
    case 'number':
      return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);
    case 'string':
      return text;
  }
}

/** Later configurations win, key by key. Steps replace epochs and the reverse. */
export function mergeConfigs(...configs: readonly ParsedConfig[]): ParsedConfig {
  const merged: Record<string, Record<string, unknown>> = {};
  const plugins = [...new Set(configs.flatMap((config) => config.plugins ?? []))];
  for (const { plugins: _, ...config } of configs) {
    for (const [section, values] of Object.entries(config)) {
      if (values === undefined) continue;
      merged[section] ??= {};
      if ('steps' in values) delete merged[section].epochs;
      if ('epochs' in values) delete merged[section].steps;
      Object.assign(merged[section], values);
    }
  }
  return check(configSchemas().user, { ...merged, ...(plugins.length > 0 && { plugins }) }, (path) =>
    path.join('.'),
  );
}

export interface ConfigKey {
  /** Section and name, such as `training.learning_rate`. */
  readonly key: string;
  readonly section: Section;
  readonly name: string;
  readonly type: 'integer' | 'number' | 'boolean' | 'string' | 'array';
  /** What a list is of. */
  readonly items?: 'integer' | 'string';
  readonly choices: readonly string[];
  readonly description: string;
  readonly example: unknown;
  /** What a value must be, in words. */
  readonly expected: string;
}

let known: { schema: unknown; keys: ReadonlyMap<string, ConfigKey> } | undefined;

/** Every key of a user's configuration by its full name, in the order of the schema. */
export function configKeys(): ReadonlyMap<string, ConfigKey> {
  const schema = configSchemas().user;
  if (known?.schema !== schema) known = { schema, keys: new Map(keysOf(schema)) };
  return known.keys;
}

function keysOf({ shape }: ReturnType<typeof configSchemas>['user']): [string, ConfigKey][] {
  const { plugins: _, ...sections } = shape;
  return Object.entries(sections).flatMap(([section, type]) =>
    Object.entries(type.def.innerType.shape).map(([name, optional]): [string, ConfigKey] => {
      const key = optional.def.innerType;
      const { description = '', examples } = z.globalRegistry.get(key) ?? {};
      const full = `${section}.${name}`;
      return [
        full,
        {
          key: full,
          section: section as Section,
          name,
          ...kindOf(key),
          description,
          example: (examples as readonly unknown[])[0],
          expected: expectation(key),
        },
      ];
    }),
  );
}

/** The definition that zod keeps of a schema, without what makes it optional. */
function definitionOf(schema: z.core.$ZodType): z.core.$ZodTypes['_zod']['def'] {
  const definition = (schema as z.core.$ZodTypes)._zod.def;
  return 'innerType' in definition ? definitionOf(definition.innerType) : definition;
}

/** What a key takes. Throws for a schema that no key has. */
function kindOf(schema: z.core.$ZodType): Pick<ConfigKey, 'type' | 'items' | 'choices'> {
  const definition = definitionOf(schema);
  switch (definition.type) {
    case 'enum':
      return { type: 'string', choices: Object.values(definition.entries).map(String) };
    case 'array':
      return { type: 'array', items: itemsOf(definition.element), choices: [] };
    case 'number':
      return { type: isInteger(definition) ? 'integer' : 'number', choices: [] };
    case 'boolean':
    case 'string':
      return { type: definition.type, choices: [] };
    default:
      throw new Error(
        `a key is a number, true or false, a text, one of some names or a list, not ${definition.type}`,
      );
  }
}

const itemsOf = (element: z.core.$ZodType): ConfigKey['items'] =>
  definitionOf(element).type === 'number' ? 'integer' : 'string';

const isInteger = (definition: object): boolean => 'format' in definition && definition.format === 'safeint';

function expectation(schema: z.core.$ZodType): string {
  const { type, items, choices } = kindOf(schema);
  if (choices.length > 0) return `one of ${choices.join(', ')}`;
  if (type === 'boolean') return 'true or false';
  if (type === 'array') return items === 'integer' ? 'a list of whole numbers' : 'a list of names';
  if (type === 'string') return 'a name';
  const bounds = (definitionOf(schema).checks ?? []).flatMap((check) => boundOf(check._zod.def) ?? []);
  return `a ${type === 'integer' ? 'whole number' : 'number'} ${bounds.join(' and ')}`;
}

/** A bound of a number in words; undefined for other checks. */
function boundOf(definition: z.core.$ZodCheckDef): string | undefined {
  const { check, value, inclusive } = definition as
    | z.core.$ZodCheckGreaterThanDef
    | z.core.$ZodCheckLessThanDef;
  if (check === 'greater_than') return inclusive ? `of at least ${value}` : `above ${value}`;
  if (check === 'less_than') return inclusive ? `at most ${value}` : `below ${value}`;
  return undefined;
}

function check<T>(schema: z.ZodType<T>, input: unknown, where: Where): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [issue, ...others] = result.error.issues;
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  throw new InputError(describeIssue(issue, input, where) + more);
}

function describeIssue(issue: z.core.$ZodIssue, input: unknown, where: Where): string {
  if (issue.code === 'unrecognized_keys') {
    const path = [...issue.path, issue.keys[0]];
    return `${where(path)}: ${describeUnknown(path.map(String))}`;
  }
  if (issue.code === 'custom') return `${where(issue.path)}: ${issue.message}`;
  // An issue inside a list is told of the list.
  const path = issue.path.slice(0, 2);
  const value = path.reduce<unknown>(member, input);
  const got = describeValue(value);
  const key = configKeys().get(path.join('.'));
  if (key) {
    const near = typeof value === 'string' ? nearestName(value, key.choices) : undefined;
    const advice = near ? `did you mean ${near}?` : `for example ${JSON.stringify(key.example)}`;
    return `${where(path)}: expected ${key.expected}, got ${got}; ${advice}`;
  }
  if (path.length === 2) return `${where(path)}: ${issue.message}, got ${got}`;
  return `${where(path)}: expected keys and values, got ${got}; known here are ${knownKeys(path).join(', ')}`;
}

/** What to say of a key that there is not, such as `['training', 'step']`. */
export function describeUnknown(path: readonly string[]): string {
  const keys = [...configKeys().values()];
  const name = path[path.length - 1];
  const near =
    nearestName(name, path.length === 1 ? knownKeys([]) : []) ??
    nearestName(path.join('.'), configKeys().keys()) ??
    keys.find((key) => nearestName(name, [key.name]))?.key;
  return `unknown key; ${near ? `did you mean ${near}?` : `known here are ${knownKeys(path).join(', ')}`}`;
}

/** The keys of the section that a path is in, or the names of all sections. */
function knownKeys(path: Path): string[] {
  const keys = [...configKeys().values()];
  const siblings = keys.filter(({ section }) => section === path[0]).map(({ name }) => name);
  return siblings.length > 0 ? siblings : [...new Set(keys.map(({ section }) => section))];
}

function member(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function describeValue(value: unknown): string {
  const text =
    value === undefined ? 'nothing' : typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
