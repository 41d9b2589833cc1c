/** The files of a folder against the manifests that list them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { damageOf, MANIFEST, readManifest } from '../files/manifest.js';
import { exportedFiles } from '../runs/exported-files.js';
import { type Checks, NotChecked } from './checks.js';

/** The folders at and below one, those of checkpoints and hidden ones left out. */
export async function foldersBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const below = entries.filter((entry) => entry.isDirectory() && !/^\.|^checkpoints$/.test(entry.name));
  const deeper = await Promise.all(below.map(({ name }) => foldersBelow(join(folder, name))));
  return [folder, ...deeper.flat()];
}

/** Files that are written once, of which a manifest has to list each that is there. */
const LISTED: ReadonlySet<string> = new Set([
  ...Object.values(exportedFiles),
  'learned.safetensors',
  'models.safetensors',
  'fit.json',
  'rejected.jsonl',
  'DONE',
]);

/** The files of all manifests. */
export async function checkSums(checks: Checks, folder: string): Promise<void> {
  await checks.make('checksums', async () => {
    let files = 0;
    const faults: string[] = [];
    let manifests = 0;
    for (const own of await foldersBelow(folder)) {
      const manifest = await readManifest(own);
      if (!manifest) continue;
      manifests++;
      for (const name of manifest.keys()) {
        files++;
        const path = join(own, name);
        const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
          faults.push(`${path}: is listed in ${MANIFEST} and could not be read (${error.code})`);
        });
        const damage = bytes && damageOf(manifest, name, bytes);
        if (damage) faults.push(`${path}: ${damage}`);
      }
      for (const name of await readdir(own))
        if (LISTED.has(name) && !manifest.has(name))
          faults.push(`${join(own, name)}: is not listed in ${MANIFEST}`);
    }
    if (manifests === 0) throw new NotChecked(`there is no ${MANIFEST}; an earlier version wrote the folder`);
    return { faults, ok: `${files} ${files === 1 ? 'file' : 'files'}` };
  });
}
