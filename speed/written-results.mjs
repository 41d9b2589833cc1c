import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';

/** Writes all numbers so far, and the machine they are of, to the file that was asked for, if one was. */
export async function writeResults(
  /** @type {string | undefined} */ file,
  /** @type {number} */ repeats,
  /** @type {object} */ results,
) {
  if (!file) return;
  const machine = { cpu: cpus()[0].model, cores: availableParallelism(), node: process.versions.node };
  await writeFile(file, `${JSON.stringify({ machine, repeats, results }, null, 2)}\n`);
}
