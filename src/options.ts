/** Options that a member of a family, such as an objective or an encoder, declares for itself. */
import type { z } from 'zod';
import { InputError } from './errors.js';

/** One configuration key. Members that have a key in common share its declaration. */
export interface Option<T = unknown> {
  /** Optional for a key that has no value where none is chosen. */
  readonly type: z.ZodType<T>;
  /** What it means, in the words of the help. */
  readonly description: string;
  /** A value that an error message can show. */
  readonly example: unknown;
}

/** A declaration for each option of `O`. */
export type OptionsOf<O> = Readonly<Record<string, Option>> & { readonly [K in keyof O]-?: Option<O[K]> };

export type Declared = { readonly options: Readonly<Record<string, Option>> };

/** The declarations of all members, by key. Throws where two members mean different things by one key. */
export function mergeOptions(
  family: Readonly<Record<string, Declared>>,
  what: string,
): Record<string, Option> {
  const merged: Record<string, Option> = {};
  for (const [kind, { options }] of Object.entries(family)) {
    for (const [key, option] of Object.entries(options)) {
      if (key in merged && merged[key] !== option) {
        throw new Error(`${what} ${kind}: option ${key} is declared elsewhere; share that declaration`);
      }
      merged[key] = option;
    }
  }
  return merged;
}

/** The options among `given` that a member has. */
export const declaredOptions = <T extends object>({ options }: Declared, given: T): Partial<T> =>
  Object.fromEntries(Object.entries(given).filter(([key]) => key in options)) as Partial<T>;

/** Throws InputError that names an option which the member has not, and those that it has. */
export function checkDeclared(
  { options }: Declared,
  given: object,
  { section, kind }: { section: string; kind: string },
): void {
  const own = Object.keys(options);
  const foreign = Object.keys(given).find((key) => !own.includes(key));
  if (foreign === undefined) return;
  throw new InputError(
    `${section}.${foreign}: is not an option of ${kind}, which has ${own.join(', ')}; leave it out, or choose another ${section}`,
  );
}
