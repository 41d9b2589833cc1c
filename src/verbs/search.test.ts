import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anomalies } from './anomalies.js';
import { clusters } from './clusters.js';
import { duplicates } from './duplicates.js';
import { neighbors } from './neighbors.js';
import { cellsOf, digitImages, pretrainOn, whitened, writeImages } from './search.case.js';

const threes = digitImages(3, 300);
let folder: string;
let run: string;
let file: string;
const path = (name: string) => join(folder, name);
const lines = async (name: string) => cellsOf(await readFile(path(name), 'utf8'));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-search-'));
  [run, file] = [path('run'), path('threes.idx3-ubyte')];
  await writeImages(file, threes);
  await pretrainOn(file, run, 60);
});
afterAll(() => rm(folder, { recursive: true }));

describe('neighbors', () => {
  it('finds a record in a file that holds it, and in its own file others than itself', async () => {
    const few = path('few.idx3-ubyte');
    await writeImages(few, [threes[7], threes[100]]);
    const summary = await neighbors({ run, data: few, of: file, k: 3, out: path('of.csv') });
    expect(summary).toMatchObject({ rows: 2, pool: 300, k: 3, rejected: 0 });
    const found = await lines('of.csv');
    expect(found).toHaveLength(6);
    expect(found.map(({ row, rank }) => [row, rank].join())).toEqual([
      '0,1',
      '0,2',
      '0,3',
      '1,1',
      '1,2',
      '1,3',
    ]);
    expect([found[0].neighbor_row, found[3].neighbor_row]).toEqual(['7', '100']);
    expect(Number(found[0].similarity)).toBeCloseTo(1, 5);
    expect(Number(found[1].similarity)).toBeLessThan(Number(found[0].similarity));

    await neighbors({ run, data: file, k: 1, out: path('within.csv') });
    const within = await lines('within.csv');
    expect(within).toHaveLength(300);
    expect(within.every(({ row, neighbor_row }) => row !== neighbor_row)).toBe(true);
  });

  it('gives all there are where more are asked for, and refuses one record alone', async () => {
    const [pair, one] = [path('pair.idx3-ubyte'), path('one.idx3-ubyte')];
    await writeImages(pair, threes.slice(0, 2));
    await writeImages(one, threes.slice(0, 1));
    const messages: string[] = [];
    const onEvent = (event: { type: string; message?: string }) => messages.push(event.message ?? '');
    const summary = await neighbors({ run, data: pair, k: 9, out: path('pair.csv') }, { onEvent });
    expect(summary.k).toBe(1);
    expect(messages).toContainEqual(expect.stringContaining('each has 1 neighbour'));
    expect((await lines('pair.csv')).map(({ neighbor_row }) => neighbor_row)).toEqual(['1', '0']);
    await expect(neighbors({ run, data: one, out: path('one.csv') })).rejects.toThrow('holds one record');
    expect((await neighbors({ run, data: one, of: one, out: path('one.csv') })).k).toBe(1);
  });
});

describe('anomalies', () => {
  it('flags what is rare among normal records, at the rate that was asked for, and says where it is', async () => {
    const data = path('mixed.idx3-ubyte');
    const others = digitImages(3, 500).slice(300);
    const odd = others.slice(0, 50).map((image, i) => whitened(image, i % 4, i % 2 === 0 ? 0 : 3));
    await writeImages(data, [...others.slice(50), ...odd]);
    const summary = await anomalies({ run, data, falseAlarms: 0.05, out: path('mixed.csv') });
    expect(summary).toMatchObject({ rows: 200, falseAlarms: 0.05 });
    const found = await lines('mixed.csv');
    const flagged = (from: number, to: number) =>
      found.slice(from, to).filter((cells) => cells.flagged === '1').length;
    expect(summary.flagged).toBe(flagged(0, 200));
    expect(flagged(0, 150)).toBeLessThan(25);
    expect(flagged(150, 200)).toBeGreaterThan(40);
    const blamed = found
      .slice(150)
      .filter(({ blame }, i) => blame.startsWith(`patch ${i % 4}`) || blame.includes(`"patch ${i % 4}`));
    expect(blamed.length).toBeGreaterThan(35);
    for (const { score, p_value, masked_error, attended_error, neighbor_distance } of found) {
      expect([score, p_value, masked_error, attended_error, neighbor_distance].every(Boolean)).toBe(true);
    }
  });

  it('measures parts and what is recovered where that is asked for, and larger where parts are odd', async () => {
    const data = path('parts.idx3-ubyte');
    const others = digitImages(3, 320).slice(300);
    // Columns of pixels that are black and white by turns, in the middle, where strokes are.
    const striped = others.map((image) =>
      image.map((value, i) => (Math.abs((i % 28) - 13.5) < 7 ? 255 * (i % 2) : value)),
    );
    await writeImages(data, [...others, ...striped]);
    const also = ['part-distance', 'adapted-part-distance', 'recovery-error'] as const;
    await anomalies({ run, data, falseAlarms: 0.05, also, out: path('parts.csv') });
    const found = await lines('parts.csv');
    const mean = (name: string, from: number, to: number) =>
      found.slice(from, to).reduce((sum, cells) => sum + Number(cells[name]) / (to - from), 0);
    for (const name of ['part_distance', 'adapted_part_distance', 'recovery_error'])
      expect(mean(name, 20, 40), name).toBeGreaterThan(mean(name, 0, 20));
    // A record that is among the normal ones has parts that are.
    await anomalies({ run, data: file, falseAlarms: 0.05, also: ['part-distance'], out: path('own.csv') });
    const own = (await lines('own.csv')).map(({ part_distance }) => Number(part_distance));
    expect(own.filter((distance) => distance < 0.01).length).toBeGreaterThan(200);
    const wrong = { run, data, also: ['speed' as 'part-distance'], out: path('x.csv') };
    await expect(anomalies(wrong)).rejects.toThrow('also speed: expected some of part-distance');
  });

  it('is refused a number of the wrong kind before anything is read, as the other verbs are', async () => {
    const asked = { run: path('nowhere'), data: file, out: path('x.csv') };
    const texts = { k: '3' } as object;
    await expect(neighbors({ ...asked, ...texts })).rejects.toThrow(
      'k: expected a whole number of at least 1, got "3"',
    );
    await expect(clusters({ ...asked, k: 2.5 })).rejects.toThrow(
      'k: expected a whole number of at least 2, got 2.5',
    );
    await expect(duplicates({ ...asked, threshold: Number.NaN })).rejects.toThrow(
      'threshold: expected a number from -1 to 1',
    );
  });

  it('refuses a rate that the held-out records cannot show', async () => {
    await expect(anomalies({ run, data: file, falseAlarms: 0.001, out: path('x.csv') })).rejects.toThrow(
      'takes at least 999 normal records that were held out',
    );
  });

  it('warns of records that the run learned from, which are their own neighbours', async () => {
    const told: string[] = [];
    const onEvent = (event: object) => 'message' in event && told.push(String(event.message));
    await anomalies({ run, data: file, falseAlarms: 0.1, out: path('own.csv') }, { onEvent });
    expect(told.join()).toContain('is the file that the run learned from');
  });

  it('takes other records as normal where they are given', async () => {
    const normal = path('ones.idx3-ubyte');
    await writeImages(normal, digitImages(1, 120));
    const summary = await anomalies({ run, data: file, normal, falseAlarms: 0.1, out: path('ones.csv') });
    expect(summary.heldOut).toBeGreaterThan(15);
    expect(summary.flagged).toBeGreaterThan(250);
  });

  it('counts and tells the normal records that cannot be read', async () => {
    const numbers = Array.from({ length: 200 }, (_, row) => `${row % 7},${(row * row) % 11}`);
    const [learned, normal] = [path('learned.csv'), path('normal.csv')];
    await writeFile(learned, ['a,b', ...numbers].join('\n'));
    await writeFile(normal, ['a,b', ...numbers.slice(0, 99), '1,2,3', ...numbers.slice(99)].join('\n'));
    await pretrainOn(learned, path('numbers'), 2, {});
    const messages: string[] = [];
    const onEvent = (event: object) => 'message' in event && messages.push(String(event.message));
    const options = { run: path('numbers'), data: normal, normal, falseAlarms: 0.1, out: path('judged.csv') };
    const skipping = { ...options, config: { on_bad_record: 'skip' } as const };
    // One is in the file that is judged, and the same one in that of the normal records.
    expect(await anomalies(skipping, { onEvent })).toMatchObject({ rows: 200, rejected: 2 });
    expect(messages.filter((message) => message.includes('1 record was left out'))).toHaveLength(2);
    const stopping = { ...options, config: { on_bad_record: 'fail' } as const };
    await expect(anomalies(stopping)).rejects.toThrow('normal.csv: line 101');
  });
});

describe('duplicates', () => {
  /** 20 records again, each with a little noise. */
  const copies = threes
    .slice(0, 20)
    .map((image) => image.map((value, i) => (i % 97 === 0 ? value ^ 24 : value)));
  const planted = (rows: readonly Record<string, string>[]) =>
    rows.filter(({ row, other_row }) => Number(other_row) - Number(row) === 300).length;

  it('finds planted near-copies, and little else', async () => {
    const data = path('copies.idx3-ubyte');
    await writeImages(data, [...threes, ...copies]);
    const summary = await duplicates({ run, data, out: path('copies.csv') });
    const found = await lines('copies.csv');
    expect(summary).toMatchObject({ rows: 320, pairs: found.length });
    expect(planted(found) / 20).toBeGreaterThanOrEqual(0.9);
    expect(planted(found) / found.length).toBeGreaterThanOrEqual(0.9);
    expect(found.every(({ group, row }) => Number(group) <= Number(row))).toBe(true);

    // Pairs that are labelled set the threshold as well.
    const pairs = path('pairs.csv');
    const labelled = [0, 1, 2, 3, 4].flatMap((row) => [`${row},${row + 300},yes`, `${row},${row + 50},no`]);
    await writeFile(pairs, `row,other_row,duplicate\n${labelled.join('\n')}\n`);
    const told = await duplicates({ run, data, pairs, out: path('told.csv') });
    expect(told.labelled).toEqual({ precision: 1, recall: 1 });
    expect(planted(await lines('told.csv'))).toBeGreaterThanOrEqual(15);
    await expect(duplicates({ run, data, pairs, threshold: 0.9, out: path('x.csv') })).rejects.toThrow(
      'not both',
    );
    await writeFile(pairs, 'row,other_row,duplicate\n0,999,yes\n1,2,no\n');
    await expect(duplicates({ run, data, pairs, out: path('x.csv') })).rejects.toThrow('no readable row 999');
    await writeFile(pairs, 'row,other_row,duplicate\n0,1,no\n2,2,yes\n');
    await expect(duplicates({ run, data, pairs, out: path('x.csv') })).rejects.toThrow(
      'row 2 is paired with itself',
    );
    await writeFile(pairs, 'row,other_row,duplicate\n0,1,no\n2,3,yes\n1,0,yes\n');
    await expect(duplicates({ run, data, pairs, out: path('x.csv') })).rejects.toThrow(
      'rows 1 and 0 are duplicates in record 2 and none in record 0; correct one of them',
    );
    await writeFile(pairs, 'row,other_row,duplicate\n0,1,no\n2,,yes\n');
    await expect(duplicates({ run, data, pairs, out: path('x.csv') })).rejects.toThrow(
      'record 1: a pair lacks a row; name two rows',
    );
  });

  it('puts records that are equal into one group', async () => {
    const data = path('equal.idx3-ubyte');
    await writeImages(data, [...threes.slice(0, 40), threes[3], threes[3], threes[8]]);
    const summary = await duplicates({ run, data, threshold: 0.99999, out: path('equal.csv') });
    expect(summary).toMatchObject({ pairs: 4, groups: 2, surplus: 3 });
    expect(
      (await lines('equal.csv')).map(({ group, row, other_row }) => [group, row, other_row].join()),
    ).toEqual(expect.arrayContaining(['3,3,40', '3,3,41', '3,40,41', '8,8,42']));
    // Nor does it need others to compare with.
    await writeImages(data, Array(6).fill(threes[3]));
    expect(await duplicates({ run, data, out: path('equal.csv') })).toMatchObject({ pairs: 15, groups: 1 });
  });
});

describe('clusters', () => {
  it('tells digits apart, names what sets them apart, and numbers the largest first', async () => {
    const data = path('two.idx3-ubyte');
    // A one is a stroke in the middle; a zero has nothing there.
    await writeImages(data, [...digitImages(1, 60), ...digitImages(0, 90)]);
    const summary = await clusters({ run, data, out: path('two.csv') });
    expect(summary.clusters).toHaveLength(2);
    expect(summary.clusters[0].records).toBeGreaterThan(summary.clusters[1].records);
    const found = await lines('two.csv');
    const ofOnes = found.slice(0, 60).filter(({ cluster }) => cluster === '1').length;
    const ofZeros = found.slice(60).filter(({ cluster }) => cluster === '0').length;
    expect((ofOnes + ofZeros) / 150).toBeGreaterThan(0.9);
    expect(summary.clusters[0].representatives.every((row) => row >= 60)).toBe(true);
    expect(summary.clusters[0].traits[0].name).toMatch(/^patch \d,\d$/);
    const five = await clusters({ run, data, k: 5, out: path('five.csv') });
    expect(five.clusters).toHaveLength(5);
    await expect(clusters({ run, data, k: 151, out: path('x.csv') })).rejects.toThrow(
      '150 records make no 151',
    );
    const [zero] = digitImages(0, 1);
    const [one] = digitImages(1, 1);
    for (const [images, k, message] of [
      [Array(30).fill(zero), undefined, 'its 30 records are of one kind, which make no'],
      [[...Array(30).fill(zero), ...Array(9).fill(one)], 3, 'its 39 records are of 2 kinds, which make no 3'],
    ] as const) {
      await writeImages(data, images as typeof threes);
      await expect(clusters({ run, data, k, out: path('x.csv') })).rejects.toThrow(message);
    }
  });
});
