import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { type RecordHashes, recordHashes } from '../records/record-hash.js';
import { random } from '../tensor/random.js';
import { encodeSafetensors } from '../tensor/safetensors.js';
import { hostTensor } from '../tensor/tensor.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { records, texts } from '../tokenizers/tokenizer.case.js';
import { runFile } from './folder.js';
import {
  countLearned,
  type LearnedRecords,
  LearnedRecordsWriter,
  readLearnedRecords,
} from './learned-records.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-learned-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let runs = 0;
const newRun = () => join(folder, `run-${runs++}`);

/** What a run wrote that learned from records at these places, after what another had learned. */
async function learnedFrom(
  given: readonly (readonly [RecordHashes, ArrayLike<number>])[],
  before?: LearnedRecords,
): Promise<{ run: string; learned: LearnedRecords }> {
  const run = newRun();
  const writer = new LearnedRecordsWriter(before);
  for (const [hashes, places] of given) writer.add(hashes, places);
  await writer.write(run);
  return { run, learned: (await readLearnedRecords(run))! };
}

/** An evaluation that tests on records at these places. */
const testingOn = (hashes: RecordHashes, test: Iterable<number>) => ({
  hashes,
  members: { train: Int32Array.of(0), valid: Int32Array.of(1), test: Int32Array.from(test) },
});

const different = molecules.length;
const hashes = recordHashes(records({ smiles: texts(molecules) }, different));
const all = [...molecules.keys()];

describe('the records that a run learned from', () => {
  it('are counted exactly, each once, whatever else it did not learn from', async () => {
    const { learned } = await learnedFrom([
      [hashes, [0, 2, 4]],
      [hashes, [4, 6]],
      [hashes, []],
    ]);
    expect(learned.hashes.size).toBe(4);
    const asked = testingOn(hashes, [1, 2, 3, 4, 6, 7]);
    expect(countLearned([learned], asked)).toEqual({ records: 3, of: 6, exact: true });
    expect(
      countLearned(
        [learned],
        testingOn(
          hashes,
          all.filter((i) => i % 2 === 1),
        ),
      ),
    ).toEqual({
      records: 0,
      of: different / 2,
      exact: true,
    });
    // A test part that holds a record twice holds two that were learned from.
    expect(countLearned([learned], testingOn(hashes, [2, 2, 3]))).toEqual({ records: 2, of: 3, exact: true });
  });

  it('are also those of the run that it started from', async () => {
    const first = await learnedFrom([[hashes, [0, 1, 2]]]);
    const second = await learnedFrom([[hashes, [2, 3]]], first.learned);
    expect(countLearned([second.learned], testingOn(hashes, all))).toMatchObject({ records: 4, exact: true });
    expect(countLearned([first.learned], testingOn(hashes, all))).toMatchObject({ records: 3 });
    expect(await readLearnedRecords(first.run)).toEqual(first.learned);
  });

  it('are those of any of several runs, each once', async () => {
    const [first, second] = await Promise.all(
      [
        [0, 1, 2],
        [2, 3],
      ].map((places) => learnedFrom([[hashes, places]])),
    );
    const asked = testingOn(hashes, [0, 2, 3, 4]);
    expect(countLearned([first.learned, second.learned], asked)).toMatchObject({ records: 3, of: 4 });
    expect(countLearned([second.learned], asked)).toMatchObject({ records: 2 });
  });

  it('are written in the same order whatever the order in which they were learned', async () => {
    const bytes = async (places: number[]) =>
      readFile(runFile((await learnedFrom([[hashes, places]])).run, 'learned'));
    expect(await bytes([5, 3, 1])).toEqual(await bytes([1, 3, 5]));
    expect(await bytes([5, 3, 1])).not.toEqual(await bytes([1, 3, 4]));
  });

  it('are told by no run of an earlier version', async () => {
    expect(await readLearnedRecords(newRun())).toBe(undefined);
    expect(countLearned([undefined], testingOn(hashes, all))).toBe(undefined);
    const { learned } = await learnedFrom([[hashes, all]]);
    expect(countLearned([learned, undefined], testingOn(hashes, all))).toBe(undefined);
    expect(countLearned([], testingOn(hashes, all))).toBe(undefined);
  });

  it('are refused where their file is damaged', async () => {
    const { run } = await learnedFrom([[hashes, all]]);
    const path = runFile(run, 'learned');
    const whole = await readFile(path);
    const int64 = { record_hashes: hostTensor('int64', [1], BigInt64Array.of(1n)) };
    const float32 = { record_hashes: hostTensor('float32', [1], Float32Array.of(1)) };
    const damaged: Uint8Array[] = [
      whole.subarray(0, whole.length - 1),
      whole.subarray(0, 20),
      new Uint8Array(0),
      Buffer.from('no list of anything'),
      Buffer.concat(encodeSafetensors({ other: int64.record_hashes }, { below: '4294967296' })),
      Buffer.concat(encodeSafetensors(float32, { below: '4294967296' })),
      ...['0', '-1', 'all', '4294967297'].map((below) => Buffer.concat(encodeSafetensors(int64, { below }))),
      Buffer.concat(encodeSafetensors(int64)),
    ];
    for (const bytes of damaged) {
      await writeFile(path, bytes);
      const reading = readLearnedRecords(run);
      await expect(reading).rejects.toThrow(InputError);
      await expect(reading).rejects.toThrow(path);
    }
  });
});

describe('the records of a run that learned from millions', () => {
  const count = 3_000_000;
  const half = count / 2;
  let many: RecordHashes;
  let sampled: { run: string; learned: LearnedRecords };
  beforeAll(async () => {
    const { integer } = random(11, 'hashes');
    const words = () => new Uint32Array(count).map(() => integer(2 ** 32));
    many = { low: words(), high: words() };
    // All but the last hundred thousand, in pieces.
    const size = 100_000;
    const pieces = Array.from({ length: count / size - 1 }, (_, piece) =>
      Int32Array.from({ length: size }, (_, i) => piece * size + i),
    );
    sampled = await learnedFrom(pieces.map((places) => [many, places]));
  });

  it('are a sample that fills a few megabytes', async () => {
    const { learned, run } = sampled;
    expect(learned.below).toBe(2 ** 32 / 4);
    expect(learned.hashes.size).toBeLessThanOrEqual(2 ** 20);
    const below = many.high.subarray(0, count - 100_000).filter((high) => high < learned.below).length;
    expect(learned.hashes.size).toBe(below);
    expect((await stat(runFile(run, 'learned'))).size).toBeLessThan(8 * 2 ** 20 + 1000);
  });

  it('are estimated within five per cent', () => {
    for (const share of [0.1, 0.5, 0.9]) {
      // The last hundred thousand were not learned from.
      const test = Array.from({ length: 100_000 }, (_, i) =>
        i < share * 100_000 ? half + i : count - 1 - i,
      );
      const { records: found, of, exact } = countLearned([sampled.learned], testingOn(many, test))!;
      expect({ of, exact }).toEqual({ of: 100_000, exact: false });
      expect(Math.abs(found / (share * 100_000) - 1)).toBeLessThan(0.05);
    }
    const unseen = Array.from({ length: 100_000 }, (_, i) => count - 1 - i);
    expect(countLearned([sampled.learned], testingOn(many, unseen))).toMatchObject({ records: 0 });
  });

  it('are not said to be none of a test part of which the sample has no record', () => {
    const high = many.high.findIndex((word) => word >= sampled.learned.below);
    expect(countLearned([sampled.learned], testingOn(many, [high, high]))).toBe(undefined);
  });

  it('are estimated of several runs by the records that all of them sampled', async () => {
    const last = Int32Array.from({ length: 100_000 }, (_, i) => count - 1 - i);
    const { learned } = await learnedFrom([[many, last]]);
    expect(learned.below).toBe(2 ** 32);
    const test = [...last, ...last.map((i) => i - 200_000)];
    const both = countLearned([sampled.learned, learned], testingOn(many, test))!;
    expect(both.exact).toBe(false);
    const apart = countLearned([sampled.learned], testingOn(many, test))!;
    expect(both.records).toBeGreaterThan(apart.records + 95_000);
  });

  it('are sampled together with those of the run that it started from', async () => {
    const last = Int32Array.from({ length: 100_000 }, (_, i) => count - 1 - i);
    const { learned } = await learnedFrom([[many, last]], sampled.learned);
    expect(learned.below).toBe(sampled.learned.below);
    const { records: found } = countLearned([learned], testingOn(many, last))!;
    expect(found).toBe(100_000);
    expect(countLearned([learned], testingOn(many, last.map((i) => i - 200_000)))).toMatchObject({ records: 100_000 }); // biome-ignore format: one claim
  });
});
