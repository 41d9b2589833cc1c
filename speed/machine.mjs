import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { basename } from 'node:path';

/** What figures are of. `card` is there where a device was asked for. @typedef {{ cpu: string, cores: number, node: string, card?: string }} Machine */

/** This machine, and the card that `device` is. @returns {Machine} */
export const thisMachine = (/** @type {string} */ device = 'cpu') => ({
  cpu: cpus()[0].model,
  cores: availableParallelism(),
  node: process.versions.node,
  ...(device !== 'cpu' && { card: cardName() }),
});

/** The machine in one line, as it stands over a table. */
export const describeMachine = (
  /** @type {Machine} */ { cpu, cores, card },
  /** @type {string | number} */ threads = cores,
) => `${cpu}, ${threads} threads${card === undefined ? '' : `; ${card}`}`;

/** The name of the card, or of the driver where one was chosen that is not NVIDIA's. */
function cardName() {
  const chosen = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  const driver = chosen
    ? attempt(() => JSON.parse(readFileSync(chosen, 'utf8')).ICD.library_path)
    : undefined;
  if (driver !== undefined && !/nvidia/i.test(driver)) return `the Vulkan driver ${basename(driver)}`;
  const asked = spawnSync('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader'], { encoding: 'utf8' });
  const [name] = asked.status === 0 ? asked.stdout.trim().split('\n') : [''];
  return name || nameOfDriver() || 'a card whose name is not known (nvidia-smi does not answer)';
}

/** As NVIDIA's kernel module tells it. */
function nameOfDriver() {
  const folder = '/proc/driver/nvidia/gpus';
  const [first] = attempt(() => readdirSync(folder)) ?? [];
  const told = first && attempt(() => readFileSync(`${folder}/${first}/information`, 'utf8'));
  return told ? /^Model:\s*(.+)$/m.exec(told)?.[1] : undefined;
}

/** @template T @returns {T | undefined} */
function attempt(/** @type {() => T} */ read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
