import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProbeOptions } from '../config/schema.js';
import { loadRiskMolecules } from '../demo/molecules.js';
import { registerPlugin } from '../plugins.js';
import type { Protocol, Represented } from '../probes/protocol.js';
import { runFile } from '../runs/folder.js';
import type { Scores } from '../runs/scores.js';
import { clusters } from './clusters.js';
import { pretrain } from './pretrain.js';
import { probe } from './probe.js';

/** The Euclidean distance of each row to the nearest of others: float32[m, dimension], float32[n, dimension] → float64[m]. */
function nearest(rows: Float32Array, others: Float32Array, dimension: number): Float64Array {
  return Float64Array.from({ length: rows.length / dimension }, (_, row) => {
    let least = Number.POSITIVE_INFINITY;
    for (let other = 0; other < others.length / dimension; other++) {
      let squares = 0;
      for (let i = 0; i < dimension; i++)
        squares += (rows[row * dimension + i] - others[other * dimension + i]) ** 2;
      least = Math.min(least, squares);
    }
    return Math.sqrt(least);
  });
}

const given: Represented[] = [];

/** Whether records without a label lie near those of the class 1. */
const nearUnlabelled: Protocol = {
  tasks: ['binary'],
  unlabelled: true,
  async *run(represented) {
    given.push(represented);
    const { parts, unlabelled, dimension } = represented;
    const distances = nearest(parts.test.records, unlabelled ?? new Float32Array(), dimension);
    yield [
      'roc-auc',
      parts.test.score(
        'roc-auc',
        distances.map((distance) => -distance),
      ).value,
    ];
    yield ['mean-distance', distances.reduce((sum, distance) => sum + distance, 0) / distances.length];
  },
};

let folder: string;
const file = (name: string) => join(folder, name);
const parts = ['train', 'train', 'valid', 'test'];
const COPIES = 20;

beforeAll(async () => {
  registerPlugin({ protocols: { 'near-unlabelled': nearUnlabelled } }, 'own.mjs');
  folder = await mkdtemp(join(tmpdir(), 'lacuna-probe-'));
  const molecules = (await loadRiskMolecules())
    .map(({ smiles }) => smiles)
    .filter((smiles) => /^[CcNnOo()=123]+$/.test(smiles))
    .filter((_, i) => i % 10 === 0)
    .slice(0, 3 * COPIES);
  // A molecule of the class 1 comes once more without its label; one of the class 0 does not.
  const rows = molecules.map((smiles, i) => `${smiles},${i < COPIES ? 1 : 0},${parts[i % 4]}`);
  const copies = molecules.slice(0, COPIES).map((smiles) => `${smiles},,train`);
  const header = 'smiles,known,split';
  await writeFile(file('copies.csv'), [header, ...rows, ...copies, ''].join('\n'));
  await writeFile(file('labelled.csv'), [header, ...rows, ''].join('\n'));
  await pretrain({
    data: file('labelled.csv'),
    out: file('run'),
    config: {
      data: { columns: ['smiles'] },
      encoder: { width: 8, layers: 1, latents: 2, heads: 2 },
      training: { steps: 2, batch_size: 8, threads: 1 },
    },
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(data: string, kind?: string): Promise<Scores> {
  given.length = 0;
  const config = { threads: 1, kind } as ProbeOptions;
  await probe({ run: file('run'), data: file(data), targets: ['known'], config });
  return JSON.parse(await readFile(runFile(file('run'), 'scores'), 'utf8'));
}

describe('a protocol that asks for the domains of records', () => {
  const kind = 'latent-label-shift';
  const asked = (config: ProbeOptions, data = 'domains.csv') =>
    probe({
      run: file('run'),
      data: file(data),
      targets: ['known'],
      config: { threads: 1, seeds: 1, ...config },
    });

  it('is given them from a column, and refused where it is not named, not there or not whole', async () => {
    const lines = (await readFile(file('labelled.csv'), 'utf8')).trim().split('\n');
    const domains = lines.map((line, i) => `${line},${i === 0 ? 'clinic' : i % 3 === 0 ? 'a' : 'b'}`);
    await writeFile(file('domains.csv'), `${domains.join('\n')}\n`);
    const { methods } = await asked({ kind, domain: 'clinic' });
    expect(methods.map(({ method, metric }) => [method, metric])).toEqual(
      ['sma', 'untrained'].flatMap((encoder) =>
        ['accuracy', 'shares error'].map((metric) => [`${encoder}, ${kind}`, metric]),
      ),
    );
    // The same classes without any label.
    const found = { run: file('run'), data: file('domains.csv'), domain: 'clinic', out: file('classes.csv') };
    const { clusters: classes } = await clusters({ ...found, k: 2 });
    expect(classes.reduce((sum, { records }) => sum + records, 0)).toBe(lines.length - 1);
    const written = (await readFile(file('classes.csv'), 'utf8')).trim().split('\n');
    expect(written[0]).toBe('row,clinic,cluster,probability');
    for (const line of written.slice(1)) expect(Number(line.split(',')[3])).toBeGreaterThanOrEqual(0.5);
    await expect(clusters(found)).rejects.toThrow('say how many classes there are, with -k');
    const unknown = { ...found, domain: 'hospital', keep: ['all'], k: 2 };
    await expect(clusters(unknown)).rejects.toThrow(
      '--domain hospital: there is no such column; its columns are',
    );
    // The first record has no molecule and is left out; of the others the second has no domain.
    const [head, first, second, third, ...rest] = domains;
    const lacking = [head, first.replace(/^[^,]*,/, ','), second, third.replace(/,[ab]$/, ','), ...rest];
    await writeFile(file('lacking.csv'), lacking.join('\n'));
    const config = { on_bad_record: 'skip' } as const;
    await expect(clusters({ ...found, data: file('lacking.csv'), k: 2, config })).rejects.toThrow(
      'missing in record 2;',
    );
    await expect(asked({ kind })).rejects.toThrow('name the column that says them with --domain');
    await expect(asked({ kind: 'linear', domain: 'clinic' })).rejects.toThrow(
      'no protocol that was asked for looks at domains',
    );
    await expect(asked({ kind, domain: 'ward' })).rejects.toThrow(
      'there is no column "ward"; its columns are smiles, known, split, clinic',
    );
    await writeFile(file('some.csv'), `${domains.join('\n').replace(/,b$/m, ',')}\n`);
    await expect(asked({ kind, domain: 'clinic' }, 'some.csv')).rejects.toThrow('some cells are missing');
  });
});

describe('a protocol that asks for the records without a label', () => {
  it('is given them by every encoder, and each of its names is a row of scores.json', async () => {
    const { methods, split } = await run('copies.csv', 'near-unlabelled');
    expect(split).toMatchObject({ train: 30, valid: 15, test: 15 });
    expect(methods.map(({ method, metric, perSeed }) => [method, metric, perSeed.length])).toEqual([
      ['sma, near-unlabelled', 'roc-auc', 1],
      ['sma, near-unlabelled', 'mean-distance', 1],
      ['untrained, near-unlabelled', 'roc-auc', 3],
      ['untrained, near-unlabelled', 'mean-distance', 3],
    ]);
    expect(given.map(({ unlabelled, dimension }) => unlabelled!.length / dimension)).toEqual(
      Array(4).fill(COPIES),
    );
    for (const { metric, perSeed } of methods) {
      // A molecule lies at its copy; any other lies elsewhere.
      if (metric === 'roc-auc') expect(perSeed).toEqual(perSeed.map(() => 1));
      else for (const distance of perSeed) expect(distance).toBeGreaterThan(0);
    }
  });

  it('is given none where every record has one', async () => {
    await run('labelled.csv', 'near-unlabelled');
    expect(given.map(({ unlabelled }) => unlabelled)).toEqual(Array(4).fill(undefined));
  });

  it('runs beside the other protocols, which score what they score without it', async () => {
    const { methods } = await run('copies.csv');
    expect(given).toHaveLength(4);
    const names = methods.map(({ method }) => method);
    for (const kind of ['linear', 'nearest-neighbors', 'nearest-class-mean'])
      expect(names).toContain(`untrained, ${kind}`);
    expect(names.filter((name) => name === 'sma, near-unlabelled')).toHaveLength(2);
    const alone = await run('labelled.csv', 'nearest-class-mean');
    for (const { method, perSeed } of alone.methods)
      expect(methods.find((other) => other.method === method)!.perSeed).toEqual(perSeed);
  });
});

describe("the records' own features", () => {
  const asked = (config: ProbeOptions) =>
    probe({
      run: file('run'),
      data: file('labelled.csv'),
      targets: ['known'],
      config: { threads: 1, seeds: 2, ...config },
    });

  it('are probed like embeddings, from the same draws, and what has no chance in it once', async () => {
    const { methods } = await asked({ kind: 'linear', features: true });
    const sets = ['descriptors', 'fingerprints', 'fingerprints and descriptors'];
    expect(methods.map(({ method, perSeed }) => [method, perSeed.length])).toEqual([
      ['sma, linear', 1],
      ['untrained, linear', 2],
      ...sets.map((name) => [`${name}, linear`, 1]),
    ]);
    const curve = await asked({ kind: 'linear', features: true, shots: [3, 5] });
    const [fewer, more] = curve.methods.filter(({ method }) => method === 'descriptors, linear');
    expect([fewer, more].map(({ shots, perSeed }) => [shots, perSeed.length])).toEqual([
      [3, 2],
      [5, 2],
    ]);
    const plain = await asked({ kind: 'linear', shots: [3, 5] });
    expect(curve.methods.slice(0, 4).map(({ perSeed }) => perSeed)).toEqual(
      plain.methods.map(({ perSeed }) => perSeed),
    );
  });

  it('can be read by boosted trees, which are run where they are asked for', async () => {
    const { methods } = await asked({ kind: 'boosted-trees', features: true });
    expect(methods.map(({ method }) => method)).toContain('descriptors, boosted-trees');
    const usual = await asked({});
    expect(usual.methods.filter(({ method }) => method.includes('boosted'))).toEqual([]);
  });

  it('are of texts, beside which no other column of texts is read', async () => {
    await expect(asked({ kind: 'latent-label-shift', features: true, domain: 'split' })).rejects.toThrow(
      '--features: reads the text of "smiles", and --domain that of another column',
    );
  });
});

describe('several splits and shots', () => {
  const halves = { valid_fraction: 0.3, test_fraction: 0.3 };
  const asked = (config: ProbeOptions) =>
    probe({
      run: file('run'),
      data: file('copies.csv'),
      targets: ['known'],
      config: { threads: 1, ...config },
    });

  it('are scored from one embedding of each record, and the pretrained encoder has an interval then', async () => {
    given.length = 0;
    const kind = 'near-unlabelled' as ProbeOptions['kind'];
    const { methods, split, differences } = await asked({ kind, split: 'random', splits: 3, ...halves });
    expect(split.splits).toBe(3);
    expect(methods.map(({ perSplit, perSeed, n }) => [perSplit?.length, perSeed.length, n])).toEqual([
      [3, 3, 3],
      [3, 3, 3],
      [3, 9, 3],
      [3, 9, 3],
    ]);
    expect(differences).toMatchObject([
      { method: 'sma, near-unlabelled', minus: 'untrained, near-unlabelled', metric: 'roc-auc', n: 3 },
      { metric: 'mean-distance', n: 3 },
    ]);
    // Four encoders, each with three splits of the same embeddings.
    const rows = given.map(({ parts: { train, valid, test }, dimension }) =>
      [train, valid, test]
        .flatMap(({ records }) =>
          Array.from({ length: records.length / dimension }, (_, row) =>
            records.slice(row * dimension, (row + 1) * dimension).join(),
          ),
        )
        .sort(),
    );
    expect(rows).toHaveLength(12);
    for (let encoder = 0; encoder < 4; encoder++)
      for (const other of [1, 2]) expect(rows[3 * encoder + other]).toEqual(rows[3 * encoder]);
  });

  it('draw training records for each seed, of the pretrained encoder too', async () => {
    given.length = 0;
    const kind = 'near-unlabelled' as ProbeOptions['kind'];
    const { methods } = await asked({ kind, shots: [2, 4] });
    expect(
      methods.map(({ method, metric, shots, perSeed }) => [method, metric, shots, perSeed.length]),
    ).toEqual(
      ['sma', 'untrained'].flatMap((encoder) =>
        [2, 4].flatMap((shots) =>
          ['roc-auc', 'mean-distance'].map((metric) => [`${encoder}, near-unlabelled`, metric, shots, 3]),
        ),
      ),
    );
    const sizes = given.map(({ parts }) => [parts.train.labels.length, parts.valid.labels.length]);
    expect(sizes).toEqual(Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? [4, 4] : [8, 8])));
    expect(given[0].parts.test.records).toEqual(given[1].parts.test.records);
  });
});

describe('a part with one class', () => {
  const oneClass = async (part: string) => {
    const [header, ...lines] = (await readFile(file('labelled.csv'), 'utf8')).trimEnd().split('\n');
    const name = `one-class-${part}.csv`;
    const cells = lines.map((line) => (line.endsWith(`,${part}`) ? line.replace(/,[01],/, ',0,') : line));
    await writeFile(file(name), [header, ...cells, ''].join('\n'));
    return name;
  };

  it('of the test leaves the scores undefined, which scores.json says in words', async () => {
    const { methods } = await run(await oneClass('test'), 'linear');
    for (const { perSeed, mean, reason } of methods) {
      expect([mean, ...perSeed]).toEqual(Array(1 + perSeed.length).fill(null));
      expect(reason).toBe('ROC-AUC is not defined: of known all 15 labels are "0" in the test part');
    }
  });

  it('of the validation is refused, as nothing can be chosen by it', async () => {
    await expect(run(await oneClass('valid'), 'linear')).rejects.toThrow(
      /ROC-AUC is not defined on the validation part, .* all 15 labels are "0".*--metric accuracy/,
    );
  });
});
