/** The names of this machine's graphics cards, for the record: the WebGPU provider does not tell its adapter's. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where NVIDIA's driver for Linux describes its cards, in containers too. */
const NVIDIA = '/proc/driver/nvidia/gpus';

async function nvidiaCards(): Promise<string[]> {
  const cards = await readdir(NVIDIA).catch(() => []);
  const texts = await Promise.all(
    cards.map((card) => readFile(join(NVIDIA, card, 'information'), 'utf8').catch(() => '')),
  );
  return texts.flatMap((text) => /^Model:\s*(.+)$/m.exec(text)?.[1].trim() ?? []);
}

async function listedCards(): Promise<string[]> {
  const { graphics } = await import('systeminformation');
  const { controllers } = await graphics();
  return controllers
    .map(({ vendor, model }) => (model.startsWith(vendor) ? model : `${vendor} ${model}`.trim()))
    .filter(Boolean);
}

/** Several cards are joined by " or "; where none is listed, as with a driver that computes on the CPU, it says so. */
export async function graphicsCards(): Promise<string> {
  const nvidia = await nvidiaCards();
  const names = nvidia.length > 0 ? nvidia : await listedCards().catch(() => []);
  return [...new Set(names)].join(' or ') || 'an adapter without a listed card';
}
