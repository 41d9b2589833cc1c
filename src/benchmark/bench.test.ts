import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRiskMolecules, type RiskMolecule } from '../demo/molecules.js';
import type { ProgressEvent } from '../learning/progress-event.js';
import type { Cell } from '../report/results.js';
import { bench, runSuite } from './bench.js';
import { cellKey } from './cells.js';
import { given } from './files.js';
import { describeSuites, type SuiteChoice } from './index.js';
import { convolution } from './methods/convolution.js';
import { encoderMethods, finetuned, finetunedRandom, fromScratch, withEncoder } from './methods/encoders.js';
import { constant, linearOnValues } from './methods/simple.js';
import type { BenchmarkTask, SplitTask, Suite } from './suite.js';

let folder: string;
let molecules: RiskMolecule[];
const data = () => join(folder, 'data');
const parts = ['train', 'train', 'train', 'valid', 'test'];

/** One row per molecule; labels of the test part may be turned over. */
const table = (turned = false) =>
  [
    'smiles,split,mutagenic',
    ...molecules.map(({ smiles, mutagenic }, row) => {
      const part = parts[row % parts.length];
      return `${smiles},${part},${turned && part === 'test' ? 1 - mutagenic : mutagenic}`;
    }),
    '',
  ].join('\n');

const task: SplitTask = {
  name: 'mutagenic',
  title: 'Mutagenic',
  dataset: given('molecules', 'molecules.csv'),
  targets: ['mutagenic'],
  task: 'binary',
  metric: 'roc-auc',
  splitColumn: 'split',
  split: 'every fifth molecule',
  source: 'lists of known risks',
  pretraining: {
    dataset: given('unlabelled', 'unlabelled.csv'),
    config: {
      data: { columns: ['smiles'] },
      tokenizer: { max_tokens: 16 },
      encoder: { latents: 4, width: 16, layers: 1, heads: 2 },
      objective: { masking_ratio: 0.3, per_query: 2 },
      training: { steps: 20, batch_size: 16, learning_rate: 1e-3 },
    },
  },
  finetuning: {
    steps: 20,
    batchSize: 16,
    choices: [
      { learningRate: 1e-3, layerDecay: 1 },
      { learningRate: 1e-2, layerDecay: 0.5 },
    ],
  },
  seeds: 2,
  methods: [constant, linearOnValues, convolution(1), ...encoderMethods],
};
const suite: Suite = { name: 'risks', title: 'Risks', tasks: [task] };
const withTask = (changes: Partial<BenchmarkTask>): Suite => ({ ...suite, tasks: [{ ...task, ...changes }] });

let outs = 0;
const newOut = () => join(folder, `out-${outs++}`);
const run = (out: string, of: Suite = suite, from = data()) => runSuite(of, { data: from, out, threads: 1 });
const values = (cells: readonly Cell[]) => cells.map(({ seconds, seconds_choosing, key, ...cell }) => cell);

let first: Awaited<ReturnType<typeof run>>;
let out: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-bench-'));
  molecules = (await loadRiskMolecules())
    .filter(({ smiles }) => /^[CNO()=]{1,16}$/.test(smiles))
    .filter((_, i) => i % 3 === 0);
  expect(molecules.length).toBeGreaterThan(80);
  await mkdir(data());
  await writeFile(join(data(), 'molecules.csv'), table());
  await writeFile(
    join(data(), 'unlabelled.csv'),
    ['smiles', ...molecules.map(({ smiles }) => smiles), ''].join('\n'),
  );
  out = newOut();
  first = await run(out);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a benchmark', () => {
  it('has a cell for every method and seed, those without chance once, with scores, replicates and cost', () => {
    const { results } = first;
    const count = task.methods.reduce((sum, { random }) => sum + (random ? 2 : 1), 0);
    expect(first).toMatchObject({ computed: count, kept: 0, interrupted: false });
    for (const method of task.methods) {
      const cells = results.cells.filter((cell) => cell.method === method.name);
      expect(cells.map(({ seed }) => seed)).toEqual(method.random ? [0, 1] : [0]);
      for (const cell of cells) {
        expect(cell.test, method.name).toBeGreaterThanOrEqual(0);
        expect(cell.replicates).toHaveLength(200);
        expect(cell.seconds).toBeGreaterThan(0);
      }
    }
    expect(results.cells[0]).toMatchObject({ method: 'constant', test: 0.5 });
    expect(results.pretraining.map(({ objective }) => objective).sort()).toEqual(['random-masking', 'sma']);
  });

  it('by parts is the benchmark of one process', async () => {
    const methods = [constant, linearOnValues, convolution(1)];
    const tasks = ['one', 'two', 'three'].map((name) => ({ ...task, name, methods }));
    const of = { ...suite, tasks };
    const options = { data: data(), threads: 1 };
    const whole = await runSuite(of, { ...options, out: newOut() });
    const joint = newOut();
    for (const index of [0, 1]) {
      const { computed } = await runSuite(of, { ...options, out: joint, shard: { index, of: 2 } });
      expect(computed).toBe(((2 - index) * whole.computed) / 3);
    }
    const joined = await runSuite(of, { ...options, out: joint });
    expect(joined).toMatchObject({ computed: 0, kept: whole.computed });
    expect(values(joined.results.cells)).toEqual(values(whole.results.cells));
    expect(joined.results.tasks).toEqual(whole.results.tasks);
  });

  it('takes the settings that validation chose with the first seed over to the others', () => {
    for (const { name } of task.methods.filter((method) => method.choices(task).length > 1)) {
      const rates = first.results.cells
        .filter(({ method }) => method === name)
        .map(({ chosen }) => chosen.learningRate);
      expect(new Set(rates).size, name).toBe(1);
      const [chosen] = first.results.cells.filter(({ method }) => method === name);
      expect(chosen.seconds_choosing).toBeGreaterThan(0);
    }
  });

  it('computes nothing twice, and writes the same results again', async () => {
    const before = await readFile(first.file, 'utf8');
    const again = await run(out);
    expect(again).toMatchObject({ computed: 0, kept: first.computed });
    expect(await readFile(again.file, 'utf8')).toBe(before);
  });

  it('goes on from a result file alone', async () => {
    const fresh = newOut();
    await mkdir(fresh);
    await writeFile(join(fresh, 'risks.json'), await readFile(first.file));
    const again = await run(fresh);
    expect(again).toMatchObject({ computed: 0, kept: first.computed });
    expect(again.results).toEqual(first.results);
    // Only the encoders are gone: one is pretrained again where a cell asks for it.
    await rm(join(fresh, 'cells', 'risks', 'mutagenic', 'SMA', '1.json'));
    await rm(again.file);
    const { results, computed } = await run(fresh);
    expect(computed).toBe(1);
    expect(values(results.cells)).toEqual(values(first.results.cells));
  });

  it('does not use a damaged result file, and says so', async () => {
    const fresh = newOut();
    await mkdir(fresh);
    await writeFile(join(fresh, 'risks.json'), '{"suite": "risks"');
    const warnings: string[] = [];
    const only = { methods: ['constant'] };
    const onEvent = (event: ProgressEvent) => {
      if (event.type === 'warning') warnings.push(event.message);
    };
    const { computed } = await runSuite(suite, { data: data(), out: fresh, only }, { onEvent });
    expect(computed).toBe(1);
    expect(warnings).toEqual([
      expect.stringMatching(/risks\.json: is not JSON: .*what it holds is not used/),
    ]);
  });

  it('takes the splits by turns where there are several, and chooses for each by its own validation', async () => {
    const turned = new Map([
      ['train', 'valid'],
      ['valid', 'test'],
      ['test', 'train'],
    ]);
    const rows = table().trimEnd().split('\n').slice(1);
    await writeFile(
      join(data(), 'splits.csv'),
      [
        'smiles,split,turned,mutagenic',
        ...rows.map((row) => row.replace(/,(\w+),/, (_, part) => `,${part},${turned.get(part)},`)),
        '',
      ].join('\n'),
    );
    const methods = [constant, linearOnValues];
    const splits = { dataset: given('splits', 'splits.csv'), methods };
    const several = await run(newOut(), withTask({ ...splits, splitColumn: ['split', 'turned'] }));
    for (const [seed, splitColumn] of ['split', 'turned'].entries()) {
      const one = await run(newOut(), withTask({ ...splits, splitColumn }));
      const of = (cells: readonly Cell[], place: number) =>
        values(cells.filter((cell) => cell.seed === place));
      expect(of(several.results.cells, seed)).toEqual(
        of(one.results.cells, 0).map((cell) => ({ ...cell, seed })),
      );
    }
  });

  it('trains once what has two names', async () => {
    const named = (name: string, masking_ratio: number) =>
      finetuned(name, 'a variant', { objective: { kind: 'random-masking', masking_ratio } });
    const methods = [named('as usual', 0.3), named('three in ten', 0.3), named('half', 0.5)];
    const { results } = await run(newOut(), withTask({ methods, seeds: 1 }));
    const [usual, same, half] = results.cells;
    expect(same).toEqual({ ...usual, method: 'three in ten' });
    expect(half.key).not.toBe(usual.key);
  });

  it('computes a damaged cell anew', async () => {
    const path = join(out, 'cells', 'risks', 'mutagenic', 'linear', '0.json');
    await writeFile(path, (await readFile(path, 'utf8')).slice(0, 100));
    const again = await run(out);
    expect(again.computed).toBe(1);
    expect(values(again.results.cells)).toEqual(values(first.results.cells));
  });

  it('computes exactly those cells anew whose configuration changed', async () => {
    const changedBy = async (changes: Partial<BenchmarkTask>) => {
      const { results } = await run(out, withTask(changes));
      const before = new Map(first.results.cells.map((cell) => [`${cell.method} ${cell.seed}`, cell.key]));
      const changed = results.cells.filter((cell) => before.get(`${cell.method} ${cell.seed}`) !== cell.key);
      return [...new Set(changed.map(({ method }) => method))];
    };
    expect(await changedBy({ finetuning: { ...task.finetuning, steps: 10 } })).toEqual([
      'convolution',
      'from scratch',
      'random masking',
      'SMA',
    ]);
    const { pretraining } = task;
    const training = { ...pretraining.config.training, steps: 10 };
    expect(
      await changedBy({ pretraining: { ...pretraining, config: { ...pretraining.config, training } } }),
    ).toEqual(['random masking, frozen', 'SMA, frozen', 'random masking', 'SMA']);
    expect(await changedBy({ title: 'Another name', seeds: 2 })).toEqual([]);
    // A variant that says its own ratio does not depend on the usual one.
    const variants = [
      finetunedRandom,
      finetuned('half', '', { objective: { kind: 'random-masking', masking_ratio: 0.5 } }),
    ];
    const ratio = (masking_ratio: number) => ({
      ...pretraining,
      config: { ...pretraining.config, objective: { kind: 'sma' as const, masking_ratio } },
    });
    const keys = (masking_ratio: number) =>
      variants.map((method) =>
        cellKey({ ...task, pretraining: ratio(masking_ratio) }, { labelled: '', unlabelled: '' }, method, {
          seed: 0,
          budget: 1,
        }),
      );
    expect(keys(0.4).map((key, i) => key === keys(0.3)[i])).toEqual([false, true]);
  }, 120_000);

  it('has methods on another encoder than the task has, pretrained by themselves', async () => {
    const other = (width: number) => {
      const encoder = { kind: 'convolution', width, layers: 1 } as const;
      const name = (method: string) => ({ name: `${method} on convolutions`, description: '' });
      return [
        withEncoder(fromScratch, encoder, name('scratch')),
        withEncoder(finetunedRandom, encoder, name('random')),
      ];
    };
    const methods = [fromScratch, finetunedRandom, ...other(8)];
    const { results } = await run(newOut(), withTask({ methods, seeds: 1 }));
    const before = first.results.cells.filter(({ seed }) => seed === 0);
    for (const cell of results.cells) {
      const own = before.find(({ method }) => method === cell.method);
      expect([cell.method, own && own.key === cell.key]).toEqual([
        cell.method,
        cell.method.endsWith('convolutions') ? undefined : true,
      ]);
    }
    expect(new Set(results.cells.map(({ replicates }) => String(replicates))).size).toBe(4);
    const [one, another] = results.pretraining.map(({ parameters }) => parameters);
    expect(results.pretraining.map(({ objective }) => objective)).toEqual([
      'random-masking',
      'random-masking',
    ]);
    expect(one).not.toBe(another);
    const keys = (width: number) =>
      other(width).map((method) =>
        cellKey(task, { labelled: '', unlabelled: '' }, method, { seed: 0, budget: 1 }),
      );
    expect(new Set([...keys(8), ...keys(16)]).size).toBe(4);
  }, 120_000);

  it('never looks at a test label before the final score: turning them over changes nothing else in any method', async () => {
    const turned = join(folder, 'turned');
    await mkdir(turned);
    await writeFile(join(turned, 'molecules.csv'), table(true));
    await writeFile(join(turned, 'unlabelled.csv'), await readFile(join(data(), 'unlabelled.csv')));
    const { results } = await run(newOut(), suite, turned);
    expect(results.cells).toHaveLength(first.results.cells.length);
    results.cells.forEach((cell, i) => {
      const plain = first.results.cells[i];
      expect({ ...cell.chosen, valid: cell.valid }, cell.method).toEqual({
        ...plain.chosen,
        valid: plain.valid,
      });
      expect((cell.test as number) + (plain.test as number), cell.method).toBeCloseTo(1, 12);
    });
  }, 120_000);

  it('goes on after a stop, in pretraining or between cells, to the same scores', async () => {
    const stopped = newOut();
    const steps: string[] = [];
    for (let attempts = 0; attempts < 20; attempts++) {
      const controller = new AbortController();
      let events = 0;
      const summary = await runSuite(
        suite,
        { data: data(), out: stopped, threads: 1 },
        {
          signal: controller.signal,
          onEvent: () => {
            if (++events === 60 * (attempts + 1)) controller.abort();
          },
        },
      );
      steps.push(String(summary.computed));
      if (summary.interrupted) continue;
      expect(attempts).toBeGreaterThan(1);
      expect(values(summary.results.cells)).toEqual(values(first.results.cells));
      return;
    }
    throw new Error(`did not come to an end: ${steps.join(' ')}`);
  }, 120_000);

  it('runs only what is asked for, with fewer seeds and steps', async () => {
    const small = await runSuite(suite, {
      data: data(),
      out: newOut(),
      threads: 1,
      budget: 0.5,
      only: { tasks: ['mutagenic'], methods: ['from scratch'] },
    });
    expect(small.results.cells.map(({ method, seed }) => [method, seed])).toEqual([['from scratch', 0]]);
    expect(small.results.cells[0].chosen.step).toBeLessThanOrEqual(20);
  });
});

describe('what a benchmark refuses', () => {
  const higgs = (options: object) => bench({ suite: 'higgs', data: data(), out: newOut(), ...options });

  it('names an unknown suite, task or method with those there are', async () => {
    await expect(bench({ suite: 'x', data: '.', out: '.' })).rejects.toThrow(
      /unknown suite x: expected one of tape, /,
    );
    await expect(higgs({ only: { tasks: ['x'] } })).rejects.toThrow(
      'suite higgs has no task "x": expected one of higgs-1k, higgs-10k, higgs-all',
    );
    await expect(higgs({ only: { methods: ['x'] } })).rejects.toThrow(
      /no method "x": expected one of constant/,
    );
    await expect(higgs({ budget: 0 })).rejects.toThrow('budget: expected a number above 0, got 0');
  });

  it('names every missing file before it begins', async () => {
    await expect(higgs({})).rejects.toThrow(
      /1 of the 1 files that are needed are missing: higgs\/higgs.csv.gz/,
    );
    expect((await readdir(folder)).filter((name) => name === `out-${outs - 1}`)).toEqual([]);
  });
});

describe('the list of suites', () => {
  it('says of each task its metric, split and source, and names the files', async () => {
    for (const { name, tasks, methods, files } of await describeSuites()) {
      // What was learned is compared with the same encoder that learned nothing.
      expect(
        methods.some((method) => ['from scratch', 'untrained, frozen'].includes(method)),
        name,
      ).toBe(true);
      expect(files.length).toBeGreaterThan(0);
      expect(new Set(tasks.map((described) => described.name)).size).toBe(tasks.length);
      for (const described of tasks) {
        expect(described.split).not.toBe('');
        expect(described.source).not.toBe('');
      }
    }
  });

  it('is of one suite, or of a file of one’s own, where it is named', async () => {
    const names = async (choice: SuiteChoice) => {
      const described = await describeSuites(choice);
      return described.map(({ name, tasks }) => [name, ...tasks.map((of) => of.name)]);
    };
    expect(await names({ suite: 'series' })).toEqual([
      ['series', 'basicmotions', 'gunpoint', 'italypowerdemand'],
    ]);
    const file = join(data(), 'molecules.csv');
    expect(await names({ suite: file, targets: ['mutagenic'] })).toEqual([
      ['molecules.csv-mutagenic', 'mutagenic'],
    ]);
    await expect(describeSuites({ suite: file })).rejects.toThrow('name the column to predict with --target');
  });
});
