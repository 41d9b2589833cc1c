/**
 * Compares the objective, its gradients and four optimizer steps with numbers from the authors' implementation of
 * SMA: `npm run parity -- FILE…`. One JSON object per file; exit code 1 when one is out of tolerance.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { nodeEngine } from '../../src/engine/node.js';
import { compareHead, compareWithReference, isWithinTolerances } from './compare.js';
import { openReference } from './reference.js';

const files = process.argv.slice(2);
if (files.length === 0) {
  process.stderr.write('usage: npm run parity -- FILE.safetensors …\n');
  process.exitCode = 2;
}
const engine = await nodeEngine({ threads: 1 });
for (const file of files) {
  try {
    const bytes = readFileSync(file);
    const { num_labels } = openReference(bytes, file).sizes;
    const parity = await (num_labels === undefined ? compareWithReference : compareHead)(engine, bytes, file);
    process.stdout.write(`${JSON.stringify({ file: basename(file), ...parity })}\n`);
    if (!isWithinTolerances(parity)) process.exitCode = 1;
  } catch (error) {
    process.stderr.write(`${file}: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
