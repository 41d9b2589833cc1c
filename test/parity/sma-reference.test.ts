import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { nodeEngine } from '../../src/engine/node.js';
import { compareWithReference, isWithinTolerances, PARITY_TOLERANCES } from './compare.js';

const folder = fileURLToPath(new URL('../fixtures/', import.meta.url));
const engine = await nodeEngine({ threads: 1 });

/** Small models that `make-sma-reference.py` computed in double precision, by automatic differentiation in NumPy. */
describe('SMA gives the numbers of an independent implementation', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));

  it.each(files)('%s', async (name) => {
    const parity = await compareWithReference(engine, readFileSync(folder + name), name);
    expect(parity.masks_equal).toBe(true);
    expect(parity.embedded_max_rel).toBeLessThan(PARITY_TOLERANCES.embedded_max_rel);
    expect(parity.latents_max_rel).toBeLessThan(PARITY_TOLERANCES.latents_max_rel);
    expect(parity.logits_max_rel).toBeLessThan(PARITY_TOLERANCES.logits_max_rel);
    expect(parity.grad_max_rel).toBeLessThan(PARITY_TOLERANCES.grad_max_rel);
    expect(parity.loss_max_rel).toBeLessThan(PARITY_TOLERANCES.loss_max_rel);
    expect(parity.after4_max_rel).toBeLessThan(PARITY_TOLERANCES.after4_max_rel);
  });

  it('covers padding, an output layer of its own, and rows of one length', () => {
    expect(files).toEqual([
      'sma-continuous-fixed.safetensors',
      'sma-tied-padded.safetensors',
      'sma-untied-padded.safetensors',
    ]);
  });

  it('notices a parameter that is a thousandth off', async () => {
    const bytes = readFileSync(`${folder}sma-tied-padded.safetensors`);
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
    const [start] = header['param.perceiver.encoding_latents.latents'].data_offsets;
    bytes.writeFloatLE(bytes.readFloatLE(8 + length + start) * 1.001, 8 + length + start);
    expect(isWithinTolerances(await compareWithReference(engine, bytes, 'changed'))).toBe(false);
  });
});
