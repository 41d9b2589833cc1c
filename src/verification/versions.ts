/** Which versions wrote a folder: a newer one than this may mean another thing by a file. */
import type { Config } from '../config/schema.js';
import { latestCheckpoint } from '../runs/checkpoints.js';
import { readLearnedRecords } from '../runs/learned-records.js';
import { version } from '../version.js';
import { type Checks, type Found, NotChecked } from './checks.js';

export async function checkVersions(
  checks: Checks,
  folder: string,
  config: Config | undefined,
): Promise<void> {
  await checks.make('versions', async () => {
    const checkpoint = await latestCheckpoint(folder).catch(() => undefined);
    const learned = await readLearnedRecords(folder).catch(() => undefined);
    const { lacuna, ...others } = config?.versions ?? {};
    return describeVersions([lacuna, checkpoint?.metadata.version, learned?.version], others);
  });
}

const partsOfVersion = (text: string): number[] => text.split('.').map(Number);

const isNewer = (one: string, other: string): boolean => {
  const [a, b] = [partsOfVersion(one), partsOfVersion(other)];
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && a[at] > b[at];
};

/** What wrote the folder, and what reads it. */
export function describeVersions(
  wrote: readonly (string | undefined)[],
  others: Readonly<Record<string, string>>,
): Found {
  const known = [...new Set(wrote.filter((own) => own !== undefined))];
  if (known.length === 0 && Object.keys(others).length === 0)
    throw new NotChecked('the folder does not tell what wrote it');
  const written = [
    ...known.map((own) => `Lacuna ${own}`),
    ...Object.entries(others).map((own) => own.join(' ')),
  ];
  const read = `Lacuna ${version}, node ${process.versions.node}`;
  return {
    faults: known
      .filter((own) => isNewer(own, version))
      .map((own) => `was written by Lacuna ${own}, which is newer than this one, ${version}`),
    ok: `written by ${written.join(', ')}; read by ${read}`,
  };
}
