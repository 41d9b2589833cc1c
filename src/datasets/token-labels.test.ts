import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labelOffsets, takeLabelRows } from '../scoring/label-rows.js';
import { className } from '../scoring/labels.js';
import { bootstrapScores, splitParts } from '../scoring/parts.js';
import { fields } from '../tokenizers/fields.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { sequence } from '../tokenizers/sequence.js';
import { numbers, records, texts } from '../tokenizers/tokenizer.case.js';
import {
  type LabelledFileOptions as LabelledOptions,
  readLabelledPath as readLabelled,
} from './labelled-file.case.js';

/**
 * Short chains of NetSurfP-2.0 (Klausen et al., 2019) and CB513: sequence, helix, strand or coil of each residue, and
 * which residues are scored.
 */
const chains = [
  ['train', 'XAPAAAAQAVAGLAPVAAEQF', 'CCHHHHHHHHHHCHHHHHHHC', '101111111111111111111'],
  ['train', 'LPRRLHLEPAFLPYSVKAHECC', 'CCCCCCCCHHHHHHCCCHHHCC', '0011111111111111111111'],
  ['valid', 'XYRIXSYDFXDELAKLLRQAXGX', 'CCCECCECHHHHHHHHHHHCCCC', '01111111111111111111110'],
  ['valid', 'GSATIDMNFQSDLLSIFEENLF', 'CCCCHHHHHHHHHHCCCCCCCC', '0011111111111111111111'],
  ['test', 'XLYSALANKCCHVGCTKRSLARFC', 'CCHHHHHHHHHHCCCCHHHHHCCC', '011111111111111111111111'],
  ['test', 'SWMEEVIKLCGRELVRAQIAICGMSTWS', 'CHHHCCCCCCHHHHHHHHHHHHHHCCCC', '1111111111111111111111111000'],
] as const;

let folder: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-token-labels-'));
  tokenizer = await fitted();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const fitted = (maxTokens?: number) =>
  sequence.fit([records({ sequence: texts(chains.map(([, letters]) => letters)) }, chains.length)], {
    columns: ['sequence'],
    maxTokens,
  });

let written = 0;
async function read(
  rows: readonly (readonly string[])[],
  options: Partial<LabelledOptions> = {},
): Promise<Awaited<ReturnType<typeof readLabelled>>> {
  const path = join(folder, `${written++}.csv`);
  await writeFile(path, ['split,sequence,ss3,mask', ...rows.map((row) => row.join(','))].join('\n'));
  return readLabelled({ path, tokenizer, targets: ['ss3'], task: 'per-token', ...options });
}

/** Labels of each record as text, - where there is none. */
function lettersOf({ block, labels, spec }: Awaited<ReturnType<typeof read>>): string[] {
  return Array.from({ length: block.count }, (_, record) =>
    Array.from(labels.subarray(block.offsets[record], block.offsets[record + 1]), (label) =>
      Number.isNaN(label) ? '-' : className(spec, 0, label),
    ).join(''),
  );
}

const masked = ([, , ss3, mask]: readonly string[]) =>
  [...ss3].map((letter, i) => (mask[i] === '0' ? '-' : letter)).join('');

describe('labels of tokens', () => {
  it('stand beside the tokens of their record, the masked ones missing', async () => {
    const labelled = await read(chains, { maskColumn: 'mask' });
    expect(labelled.spec).toMatchObject({
      task: 'per-token',
      targets: 1,
      outputs: 3,
      classes: [['C', 'E', 'H']],
      reason: 'ss3: 3 classes (C, E, H), one letter for each token, so per-token',
    });
    expect(lettersOf(labelled)).toEqual(chains.map(masked));
    expect(labelled.counts).toEqual({ train: 2, valid: 2, test: 2 });
    expect(labelled.croppedLabels).toBe(0);
    const unmasked = await read(chains);
    expect(lettersOf(unmasked)).toEqual(chains.map(([, , ss3]) => ss3));
  });

  it('may be words with spaces between them, as lists of numbers are read', async () => {
    const spaced = chains.map(([split, letters, ss3, mask]) => [
      split,
      letters,
      [...ss3].map((letter) => 'CEH'.indexOf(letter)).join(' '),
      [...mask].join(' '),
    ]);
    const { spec, labels } = await read(spaced, { maskColumn: 'mask' });
    expect(spec.classes).toEqual([['0', '1', '2']]);
    expect(labels).toEqual((await read(chains, { maskColumn: 'mask' })).labels);
  });

  it('are cropped with the tokens, and those that are lost are counted', async () => {
    const labelled = await read(chains, { tokenizer: await fitted(21), maskColumn: 'mask' });
    expect(lettersOf(labelled)).toEqual(chains.map((row) => masked(row).slice(0, 21)));
    const lost = chains.map((row) => masked(row).slice(21)).join('');
    expect(labelled.croppedLabels).toBe(lost.replaceAll('-', '').length);
  });

  it('leaves out a record without a label among the tokens that are read', async () => {
    const rows = [
      ...chains,
      ['test', 'GIGAVLKVLTTG', 'CHHHHHHHHHHH', '000000000000'],
      ['test', 'GIGA', '-??-', '1111'],
    ];
    const { unlabelled, counts } = await read(rows, { maskColumn: 'mask' });
    expect({ unlabelled, test: counts.test }).toEqual({ unlabelled: 2, test: 2 });
  });

  it.each([
    [
      'labels of another length',
      ['GIGAVL', 'CHHHHHH', '111111'],
      '"ss3": 7 labels for a sequence of 6 letters',
    ],
    [
      'a mask of another length',
      ['GIGAVL', 'CHHHHH', '01111'],
      '"mask": a mask of 5 for a sequence of 6 letters',
    ],
    [
      'a mask of something else',
      ['GIGAVL', 'CHHHHH', '01x111'],
      '"mask": expected 0 or 1 for each letter of the sequence, got "x"',
    ],
  ])('names a record with %s, and leaves it out', async (_, [letters, ss3, mask], message) => {
    const rows = [...chains, ['train', letters, ss3, mask]];
    const { rejected, block } = await read(rows, { maskColumn: 'mask' });
    expect(block.count).toBe(chains.length);
    expect(rejected.summary()).toContain(`record 6, column ${message}`);
    const strict = read(rows, { maskColumn: 'mask', onBadRecord: 'fail' });
    await expect(strict).rejects.toThrow(`record 6, column ${message}`);
  });

  it('are seen where the texts are as long as the sequences, and those are not all of one length', async () => {
    const seen = await read(chains, { task: undefined });
    expect(seen.spec.task).toBe('per-token');
    const alike = Array.from({ length: 12 }, (_, i) => [
      chains[i % 6][0],
      'GIGA',
      ['helx', 'coil'][i % 2],
      '1111',
    ]);
    expect((await read(alike, { task: undefined })).spec.task).toBe('binary');
  });

  it('refuses what is no text, a mask for another task, and records that are no texts', async () => {
    const digits = chains.map(([split, letters]) => [split, letters, '1', '0']);
    await expect(read(digits)).rejects.toThrow(
      'column "ss3" was read as numbers; per-token labels and masks are text',
    );
    await expect(read(chains, { task: 'multiclass', maskColumn: 'mask' })).rejects.toThrow(
      'ask for --task per-token',
    );
    await expect(read(chains, { maskColumn: 'maks' })).rejects.toThrow(
      'no mask column "maks"; it has split, sequence, ss3, mask',
    );
    const table = await fields.fit([records({ x: numbers([1, 2, 3]), y: numbers([3, 5, 4]) }, 3)], {
      columns: ['x', 'y'],
    });
    const path = join(folder, 'table.csv');
    await writeFile(path, 'x,y,label\n1,2,CH\n2,3,HC\n');
    const asked = readLabelled({ path, tokenizer: table, targets: ['label'], task: 'per-token' });
    await expect(asked).rejects.toThrow("this run's tokenizer is fields");
  });

  it('go with their records into the parts, and test labels stay sealed', async () => {
    const labelled = await read(chains, { maskColumn: 'mask' });
    const { train, valid, test } = splitParts(labelled);
    expect(lettersOf({ ...labelled, ...train, block: train.records })).toEqual(
      chains.slice(0, 2).map(masked),
    );
    expect(lettersOf({ ...labelled, ...valid, block: valid.records })).toEqual(
      chains.slice(2, 4).map(masked),
    );
    expect(Object.keys(test)).toEqual(['records', 'score', 'as']);
    const coil = new Float64Array(test.records.offsets[2] * 3).map((_, i) => (i % 3 === 0 ? 1 : 0));
    const truth = chains.slice(4).map(masked).join('').replaceAll('-', '');
    const { value, replicates } = test.score('accuracy', coil, { resamples: 3 });
    expect(value).toBeCloseTo(truth.replaceAll(/[^C]/g, '').length / truth.length, 12);
    expect(replicates).toHaveLength(3);
  });
});

describe('label rows', () => {
  it('are resampled by whole records', () => {
    // One record with three tokens predicted right, one with one token predicted wrong.
    const spec = { task: 'per-token', targets: 1, outputs: 2 } as const;
    const outputs = Float64Array.of(1, 0, 1, 0, 1, 0, 1, 0);
    const scores = bootstrapScores(
      'accuracy',
      outputs,
      Float64Array.of(0, 0, 0, 1),
      spec,
      60,
      Int32Array.of(0, 3, 4),
    );
    expect([...new Set(scores)].sort()).toEqual([0, 3 / 4, 1]);
  });

  it('are one a record unless tokens are labelled', () => {
    const block = { count: 2, offsets: Int32Array.of(0, 3, 4), rows: Int32Array.of(0, 1) };
    expect(labelOffsets({ task: 'regression' }, block)).toEqual(Int32Array.of(0, 1, 2));
    expect(labelOffsets({ task: 'per-token' }, block)).toEqual(Int32Array.of(0, 3, 4));
  });

  it('are taken record by record', () => {
    const sized = fc.array(fc.array(fc.integer(), { maxLength: 4 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        sized,
        fc.array(fc.nat(), { maxLength: 8 }),
        fc.constantFrom(1, 2),
        (rows, picks, width) => {
          const offsets = Int32Array.from([0, ...rows.map((_, i) => rows.slice(0, i + 1).flat().length)]);
          const values = Float64Array.from(
            rows.flat().flatMap((value) => Array.from({ length: width }, (_, k) => value + k)),
          );
          const chosen = picks.map((pick) => pick % rows.length);
          const expected = chosen
            .flatMap((record) => rows[record])
            .flatMap((value) => Array.from({ length: width }, (_, k) => value + k));
          expect(Array.from(takeLabelRows(values, offsets, chosen, width))).toEqual(expected);
        },
      ),
    );
  });
});
