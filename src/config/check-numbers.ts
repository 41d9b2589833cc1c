/** Numbers that a caller of the library gives beside the configuration. */
import { InputError } from '../errors.js';

const shown = (value: unknown): string => (typeof value === 'number' ? String(value) : JSON.stringify(value));

/** Throws InputError for what is no whole number from `least` on. */
export function checkWhole(name: string, value: unknown, least: number): void {
  if (!Number.isInteger(value) || Number(value) < least)
    throw new InputError(`${name}: expected a whole number of at least ${least}, got ${shown(value)}`);
}

/** Throws InputError for what is no number from `low` to `high`. */
export function checkWithin(name: string, value: unknown, low: number, high: number): void {
  if (typeof value !== 'number' || !(value >= low && value <= high))
    throw new InputError(`${name}: expected a number from ${low} to ${high}, got ${shown(value)}`);
}
