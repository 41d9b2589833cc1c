/** What the keys of a configuration are made of. */
import { z } from 'zod';
import type { Option } from '../options.js';

/** One of a family's members, by name: a new member is known here by itself. */
export function memberOf<K extends string>(family: Readonly<Record<K, unknown>>) {
  return z.enum(Object.keys(family) as K[]);
}

/** A key's type with its meaning and an example that an error message can show. */
export function key<T extends z.ZodType>(type: T, description: string, example: unknown): T {
  return type.meta({ description, examples: [example] });
}

export type KeysOf<O> = { readonly [K in keyof O]-?: z.ZodType<O[K]> };

/** The keys of options that members declare. */
export const keysOf = (options: Readonly<Record<string, Option>>) =>
  Object.fromEntries(
    Object.entries(options).map(([name, { type, description, example }]) => [
      name,
      key(type, description, example),
    ]),
  );

export const count = () => z.int().min(1);
export const names = () => z.array(z.string().min(1)).min(1);
export const positive = () => z.number().gt(0);
export const fraction = () => z.number().min(0).lt(1);
