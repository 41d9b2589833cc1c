import { writeFile } from 'node:fs/promises';
import { thisMachine } from './machine.mjs';

/** Writes all numbers so far, and the machine they are of, to the file that was asked for, if one was. */
export async function writeResults(
  /** @type {string | undefined} */ file,
  /** @type {number} */ repeats,
  /** @type {object} */ results,
  machine = thisMachine(),
) {
  if (!file) return;
  await writeFile(file, `${JSON.stringify({ machine, repeats, results }, null, 2)}\n`);
}
