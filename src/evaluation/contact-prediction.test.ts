import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { EncoderKind } from '../encoders/index.js';
import { nodeEngine } from '../engine/node.js';
import { permutation, random } from '../tensor/random.js';
import { sequence } from '../tokenizers/sequence.js';
import { records, texts } from '../tokenizers/tokenizer.case.js';
import { contactMap } from './contact-precision.js';
import { contactPrediction, readStructures, type Structure } from './contact-prediction.js';

const engine = await nodeEngine({ threads: 1 });

const STRAND = 'ACDEFHIK';
const PARTNERS = 'LMNPQRST';
const source = random(0, 'hairpins');

/**
 * A hairpin: eight letters in any order, a loop, and their partners backwards, with ends of any length. Partners are
 * 5 Å apart, all other residues 12 Å or more. One residue is not resolved and has no coordinates.
 */
function hairpin(): Structure {
  const order = permutation(STRAND.length, source);
  const before = source.integer(6);
  const loop = 12;
  const strand = Array.from(order, (letter) => STRAND[letter]);
  const partners = Array.from(order, (letter) => PARTNERS[letter]).reverse();
  const letters = [
    ...'G'.repeat(before),
    ...strand,
    ...'G'.repeat(loop),
    ...partners,
    ...'G'.repeat(source.integer(6)),
  ];
  const length = letters.length;
  const coordinates = Float32Array.from({ length: 3 * length }, (_, i) => (i % 3 === 0 ? 4 * i : 0));
  for (let k = 0; k < strand.length; k++) {
    const partner = before + 2 * strand.length + loop - 1 - k;
    coordinates.set([12 * (before + k), 5, 0], 3 * partner);
  }
  const mask = new Uint8Array(length).fill(1);
  const missing = source.integer(length);
  mask[missing] = 0;
  coordinates.fill(Number.NaN, 3 * missing, 3 * missing + 3);
  return { sequence: letters.join(''), coordinates, mask };
}

const data = {
  train: Array.from({ length: 120 }, hairpin),
  valid: Array.from({ length: 12 }, hairpin),
  test: Array.from({ length: 20 }, hairpin),
};

const fitted = (maxTokens?: number) =>
  sequence.fit(
    [records({ sequence: texts(data.train.map((protein) => protein.sequence)) }, data.train.length)],
    {
      columns: ['sequence'],
      maxTokens,
    },
  );

const modelOf = (kind: EncoderKind, { spec }: Awaited<ReturnType<typeof fitted>>) => ({
  spec,
  encoder: { kind, latents: 16, width: 24, embedWidth: 24, layers: 1, heads: 2, crossHeads: 1, widening: 2 },
});

const settings = { steps: 150, learningRate: 1e-2, seed: 0, batchSize: 8 };

/** The precision that pairs drawn at random would have. */
function chance(proteins: readonly Structure[]): number {
  const shares = proteins.map(({ coordinates, mask }) => {
    const contacts = contactMap(coordinates, mask);
    let [touching, pairs] = [0, 0];
    for (let i = 0; i < mask.length; i++) {
      for (let j = i + 12; j < mask.length; j++) {
        if (!mask[i] || !mask[j]) continue;
        pairs++;
        touching += contacts[i * mask.length + j];
      }
    }
    return touching / pairs;
  });
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

describe('contactPrediction', () => {
  it.each(['transformer', 'perceiver'] as const)(
    'learns on a %s which letters pair up in hairpins',
    async (kind) => {
      const tokenizer = await fitted();
      const { valid, test } = await contactPrediction(engine, modelOf(kind, tokenizer), tokenizer, data, {
        ...settings,
        resamples: 20,
      });
      expect(chance(data.test)).toBeLessThan(0.05);
      expect(test.value).toBeGreaterThan(0.7);
      expect(valid).toBeGreaterThan(0.7);
      expect(test.replicates).toHaveLength(20);
      for (const value of test.replicates!) expect(Math.abs(value - test.value)).toBeLessThan(0.3);
    },
  );

  it('does not look at test structures before the score, and loses the pairs that are cropped', async () => {
    const tokenizer = await fitted();
    const model = modelOf('transformer', tokenizer);
    const short = { ...settings, steps: 40 };
    const before = await contactPrediction(engine, model, tokenizer, data, short);
    const nowhere = data.test.map(({ sequence: letters, mask }) => ({
      sequence: letters,
      mask,
      coordinates: Float32Array.from({ length: 3 * mask.length }, (_, i) => 20 * i),
    }));
    const moved = await contactPrediction(engine, model, tokenizer, { ...data, test: nowhere }, short);
    expect({ valid: moved.valid, step: moved.step }).toEqual({ valid: before.valid, step: before.step });
    expect(moved.test.value).toBe(0);

    // The partners of the strand lie beyond what is read, so that all pairs that are known are wrong.
    const cropping = await fitted(16);
    const cropped = await contactPrediction(engine, modelOf('transformer', cropping), cropping, data, short);
    expect(cropped.test.value).toBeLessThan(0.1);
  });

  it('refuses structures that do not fit their sequence, and empty parts', async () => {
    const tokenizer = await fitted();
    const model = modelOf('transformer', tokenizer);
    const [protein] = data.test;
    const broken = { ...data, test: [protein, { ...protein, mask: [1, 0] }] };
    await expect(contactPrediction(engine, model, tokenizer, broken, settings)).rejects.toThrow(
      /test protein 1 \(from 0\): expected \d+ coordinates and a mask of \d+ for a sequence of \d+ residues, got \d+ and 2/,
    );
    const empty = contactPrediction(engine, model, tokenizer, { ...data, valid: [] }, settings);
    await expect(empty).rejects.toThrow('the valid part has no protein');
  });
});

describe('readStructures', () => {
  it("reads sequences, coordinates and masks from a database in TAPE's form, and names a record without them", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lacuna-structures-'));
    const database = async (name: string) => {
      const path = join(folder, `${name}.mdb`);
      const fixture = new URL(`../../test/fixtures/lmdb/${name}.mdb.gz`, import.meta.url);
      await writeFile(path, gunzipSync(await readFile(fixture)));
      return path;
    };
    try {
      const structures = await readStructures(await database('protocol4'));
      expect(structures.map(({ sequence: letters }) => letters.length)).toEqual([153, 76, 46]);
      structures.forEach(({ sequence: letters, coordinates, mask }, i) => {
        expect(coordinates).toHaveLength(3 * letters.length);
        // As test/fixtures/make-lmdb.py writes it.
        expect(Array.from(mask)).toEqual(Array.from(letters, (_, j) => Number((i + j) % 7 > 0)));
      });
      await expect(readStructures(await database('tree'))).rejects.toThrow(
        /tree\.mdb: record 0: expected a text primary/,
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
