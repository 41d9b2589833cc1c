/** The cells of a benchmark, and its result file. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hashConfig } from '../files/config-hash.js';
import { exists } from '../files/exists.js';
import { damageOf, MANIFEST, readManifest } from '../files/manifest.js';
import { copiedCells, repeatedCells, strayCells } from '../report/result-faults.js';
import { parseResults, type Results } from '../report/results.js';
import { type Checks, type Found, NotChecked } from './checks.js';
import { checkSums, foldersBelow } from './checksums.js';
import { describeVersions } from './versions.js';

export async function checkBenchmark(checks: Checks, path: string): Promise<void> {
  const alone = /\.json$/i.test(path);
  const folder = alone ? dirname(path) : path;
  if (alone)
    await checks.make('checksums', async () => {
      const manifest = await readManifest(folder);
      const [name, bytes] = [basename(path), await readFile(path)];
      if (!manifest?.has(name)) throw new NotChecked(`no ${MANIFEST} beside it lists it`);
      const damage = damageOf(manifest, name, bytes);
      return { faults: damage ? [`${path}: ${damage}`] : [], ok: '1 file' };
    });
  else await checkSums(checks, folder);
  const files = alone
    ? [path]
    : (await readdir(folder))
        .filter((name) => name.endsWith('.json'))
        .sort()
        .map((name) => join(folder, name));
  await checks.make('results', async () => {
    if (files.length === 0) throw new NotChecked('no result file was written yet');
    return files.join(', ');
  });
  for (const file of files) {
    const results = parseResultsIn(file);
    const look = (find: (own: Results) => string[], ok: string) => async () => ({
      faults: find(await results),
      ok: `${basename(file)}: ${ok}`,
    });
    await checks.make(
      'cells',
      look(repeatedCells, 'each task, method and seed is there once, with its own scores'),
    );
    await checks.make('validation and test scores', look(copiedCells, 'none is a copy of the other'));
    await checks.make(
      'test scores',
      look(
        strayCells,
        'lie among those of resampled records; predictions are not kept, so they are not computed again',
      ),
    );
    if (!alone) await checks.make('kept cells', async () => keptCells(folder, await results));
    await checks.make('versions', async () => {
      const { lacuna, ...others } = (await results).versions;
      return describeVersions([lacuna], others);
    });
  }
}

const parseResultsIn = async (file: string): Promise<Results> =>
  parseResults(await readFile(file, 'utf8'), file);

/** The cells of a result file are those that are kept in the folder. */
async function keptCells(folder: string, { suite, cells }: Results): Promise<Found> {
  const root = join(folder, 'cells', suite);
  const kept = new Map<string, string>();
  const faults: string[] = [];
  for (const own of (await exists(root)) ? await foldersBelow(root) : [])
    for (const name of await readdir(own)) {
      if (!/^\d+\.json$/.test(name)) continue;
      const path = join(own, name);
      try {
        const cell = JSON.parse(await readFile(path, 'utf8'));
        if (`${cell.seed}.json` !== name) faults.push(`${path}: is the cell of seed ${cell.seed}`);
        kept.set(JSON.stringify([cell.task, cell.method, cell.seed, cell.key]), JSON.stringify(cell));
      } catch {
        faults.push(`${path}: is not JSON`);
      }
    }
  let compared = 0;
  for (const cell of cells) {
    const own = kept.get(JSON.stringify([cell.task, cell.method, cell.seed, cell.key]));
    if (own === undefined) continue;
    compared++;
    if (!sameCell(JSON.parse(own), cell))
      faults.push(`${cell.task} · ${cell.method} · seed ${cell.seed}: is another one in the result file`);
  }
  return { faults, ok: `${compared} of ${cells.length} are in the folder as they are in the result file` };
}

const sameCell = (one: object, other: object): boolean =>
  hashConfig(one as Record<string, unknown>) === hashConfig(other as Record<string, unknown>);
