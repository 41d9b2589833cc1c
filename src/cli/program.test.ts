import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError, LacunaError } from '../errors.js';
import { objectives } from '../objectives/index.js';
import type { Results } from '../report/results.js';
import type { MethodScores, Scores } from '../runs/scores.js';
import type { SweepSummary } from '../sweep/sweep.js';
import type { FitSummary } from '../verbs/fit.js';
import type { Inspection } from '../verbs/inspect.js';
import type { PretrainSummary } from '../verbs/pretrain.js';
import { runProgram } from './program.js';
import type { Verbs } from './verbs.js';

const summary: PretrainSummary = {
  run: 'r',
  interrupted: false,
  step: 100,
  steps: 100,
  epoch: 2,
  parameters: 10,
  rows: 1000,
  rejected: 2,
  loss: 1.5,
  val_loss: 1.6,
  val_loss_marginal: 2.5,
  peak_memory_mib: 321,
  checkpoint: 'r/checkpoints/step-00000100.safetensors',
  seconds: 61,
};
const method: MethodScores = {
  method: 'SMA',
  metric: 'ROC-AUC',
  perSeed: [0.8, 0.82],
  mean: 0.81,
  sd: 0.014,
  low: 0.68,
  high: 0.94,
  n: 2,
  seconds: 5,
};
const scores: Scores = {
  task: 'binary',
  targets: ['y'],
  metric: 'ROC-AUC',
  higherIsBetter: true,
  split: {
    by: 'column split',
    train: 800,
    valid: 100,
    test: 100,
    testLearned: { records: 3, of: 100, exact: true },
  },
  methods: [method],
  file: 'r2/scores.json',
};

const score = { value: 0.8, low: 0.7, high: 0.9 };
const rowOf = (name: string, representation: boolean) => ({
  name,
  representation,
  valid: 0.82,
  test: score,
  seconds: 3,
});
const fitSummary: FitSummary = {
  task: 'binary',
  targets: ['y'],
  metric: 'roc-auc',
  higherIsBetter: true,
  split: scores.split,
  folds: 5,
  rows: [
    rowOf('linear on values', false),
    rowOf('ensemble of the simple models', false),
    { ...rowOf('ensemble of all', true), weights: { 'linear on values': 1 } },
  ],
  simple: 'linear on values',
  chosen: 'ensemble of all',
  differences: [
    { of: 'ensemble of all', against: 'linear on values', value: 0.02, low: 0.01, high: 0.03 },
    {
      of: 'ensemble of all',
      against: 'ensemble of the simple models',
      value: -0.01,
      low: -0.03,
      high: 0.01,
    },
  ],
  representationSeconds: 75,
  seconds: 90,
  model: 'models/y',
};

const inspection: Inspection = {
  source: {
    path: 'a.csv',
    format: 'csv',
    bytes: 1234,
    rowsRead: 20,
    duplicates: 1,
    columns: [
      {
        name: 'smiles',
        type: 'text',
        present: 20,
        missing: 0,
        distinct: 19,
        distinctCapped: true,
        integers: false,
        consecutive: false,
        numberList: false,
        lengths: { min: 1, median: 2, max: 3, mean: 2 },
        examples: ['"CCO"'],
        constant: false,
        uniquePerRow: false,
        looksLikeSplit: false,
      },
      {
        name: 'y',
        type: 'number',
        present: 18,
        missing: 2,
        distinct: 2,
        distinctCapped: false,
        integers: true,
        consecutive: false,
        numberList: false,
        range: { min: 0, max: 1, mean: 0.25 },
        examples: ['0', '1'],
        constant: false,
        uniquePerRow: false,
        looksLikeSplit: false,
      },
    ],
  },
  rejected: 2,
  badRecords: [{ path: 'a.csv', row: 7, line: 9, message: 'expected 2 cells, got 3' }],
  schema: { version: 1, columns: [{ name: 'a', type: 'text' }] },
  labels: [],
  tokens: [['C', 'O']],
  tokenizer: {
    kind: 'sequence',
    columns: ['smiles'],
    unused: ['y'],
    reasons: { y: 'its name is that of a label' },
    maxTokens: 64,
    fitted: { records: 18, letters: 2 },
    why: 'one text column',
    warnings: ['column y looks like a label'],
  },
};

const noResults: Results = {
  suite: 'higgs',
  title: 'HIGGS',
  tasks: [],
  methods: [],
  pretraining: [],
  cells: [],
  machine: 'none',
  versions: {},
};

const interval = { mean: 0.5, sd: 0.1, low: 0.4, high: 0.6, n: 9 };

/** Runs a command line against verbs that say what they were asked for. */
async function lacuna(
  argv: readonly string[],
  verbs: Partial<Verbs> = {},
  interrupting: (controller: AbortController) => Partial<Verbs> = () => ({}),
) {
  const out: string[] = [];
  const err: string[] = [];
  const calls: unknown[] = [];
  const controller = new AbortController();
  const answer =
    <T>(result: T) =>
    async (options: unknown): Promise<T> => {
      calls.push(options);
      return result;
    };
  const all: Verbs = {
    pretrain: answer(summary),
    fit: answer(fitSummary),
    finetune: answer(scores),
    probe: answer(scores),
    rank: answer({
      task: 'binary' as const,
      scores: { logme: 'the evidence' },
      runs: [{ run: 'r', objective: 'sma', scores: { logme: -0.5 } }],
      records: 9,
    }),
    attribute: answer({
      file: 'a.csv',
      rows: 9,
      task: 'binary' as const,
      moved: interval,
      movedAtRandom: interval,
      difference: interval,
    }),
    embed: answer({ file: 'e.npy', rows: 7, rejected: 1, unknown: 0, dimension: 64 }),
    predict: answer({ file: 'p.csv', rows: 7, rejected: 0, unknown: 0 }),
    exportRun: answer({
      files: ['o/encoder.onnx'],
      compared: 'embeddings',
      maximumDifference: 1e-7,
      rows: 64,
    }),
    inspect: answer(inspection),
    map: answer({ file: 'm.html', rows: 7, rejected: 0, unknown: 0 }),
    compare: answer({ file: 'c.html', runs: 2 }),
    trajectories: answer({
      file: 't.html',
      records: 7,
      tokens: 90,
      steps: [10, 20, 30, 40],
      errors: [3, 2, 1, 1],
      trends: {
        falls: { share: 0.9, errors: [3, 2, 1, 1] },
        still: { share: 0.05, errors: [1, 1, 1, 1] },
        rises: { share: 0.05, errors: [1, 2, 3, 4] },
      },
      kinds: [{ token: 'C', count: 40, errors: [3, 2, 1, 1], learned: 20, rising: 0.05 }],
      rejected: 0,
      unknown: 0,
    }),
    verify: answer({
      folder: 'r',
      kind: 'run',
      checks: [
        { name: 'checksums', verdict: 'failed', detail: 'r/labels.json: corrupted' },
        { name: 'log', verdict: 'not checked', detail: 'there is none' },
      ],
      passed: false,
    }),
    watch: answer({ address: 'http://127.0.0.1:8081', interrupted: false }),
    select: answer({ file: 's.csv', rows: 9, pool: 90, rejected: 0, unknown: 0 }),
    neighbors: answer({ file: 'n.csv', rows: 9, pool: 8, k: 5, milliseconds: 0.25, rejected: 0, unknown: 0 }),
    anomalies: answer({
      file: 'a.csv',
      rows: 9,
      flagged: 1,
      falseAlarms: 0.01,
      heldOut: 200,
      rejected: 0,
      unknown: 0,
    }),
    duplicates: answer({
      file: 'd.csv',
      rows: 9,
      pairs: 1,
      groups: 1,
      surplus: 1,
      threshold: 0.99,
      rejected: 0,
      unknown: 0,
    }),
    clusters: answer({ file: 'c.csv', rows: 9, clusters: [], silhouette: 0.2, rejected: 0, unknown: 0 }),
    serve: answer({ address: 'http://127.0.0.1:8080', swaps: 0, interrupted: false }),
    bench: answer({ file: 'b.json', results: noResults, computed: 0, kept: 0, interrupted: false }),
    benchmarks: answer([]),
    sweep: answer({
      out: 's',
      files: ['s/sweep.json', 's/sweep.html'],
      metric: 'r2',
      higherIsBetter: true,
      judge: 'probe',
      targets: ['y'],
      data: 'a.csv',
      trials: [],
      interrupted: false,
    }),
    report: answer({ out: 'docs/results.md', suites: ['higgs'], written: ['docs/results.md'], unused: [] }),
    demo: answer({
      report: 'runs/demo/report.html',
      conclusion: 'No difference shown.',
      scores: [method],
      seconds: 9,
    }),
    ...verbs,
    ...interrupting(controller),
  };
  const code = await runProgram(argv, {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    loadVerbs: async () => all,
    interrupt: () => ({ signal: controller.signal, dispose() {} }),
  });
  return { code, out: out.join(''), err: err.join(''), calls };
}

describe('the command line', () => {
  it('shows every command, and every key of a command as an option', async () => {
    const { code, out } = await lacuna(['--help']);
    expect(code).toBe(0);
    for (const name of ['demo', 'inspect', 'pretrain', 'finetune', 'probe', 'embed', 'predict', 'export'])
      expect(out).toContain(`  ${name} `);
    const help = await lacuna(['pretrain', '--help']);
    expect(help.code).toBe(0);
    for (const flag of [
      '--objective <name>',
      '--masking-ratio <x>',
      '--no-tied-output',
      '--columns <names>',
      '--resume',
    ])
      expect(help.out).toContain(flag);
    expect(await lacuna(['help', 'pretrain'])).toMatchObject({ code: 0, out: help.out });
  });

  it('asks for the report of a folder, and says what was written', async () => {
    const { code, err, calls } = await lacuna(['report']);
    expect(code).toBe(0);
    expect(calls).toEqual([{ results: 'results', out: 'docs/results.md', check: undefined }]);
    expect(err).toBe('suites: higgs\nwritten: docs/results.md\n');
    const checked = await lacuna(['report', 'r', '--out', 'page.md', '--check']);
    expect(checked.calls).toEqual([{ results: 'r', out: 'page.md', check: true }]);
  });

  it('reads the file of a sweep, and says what came of it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lacuna-sweep-file-'));
    const file = join(folder, 'sweep.yaml');
    const search = { 'training.learning_rate': [0.001, 0.01], 'objective.kind': ['sma', 'mp3'] };
    await writeFile(file, JSON.stringify({ data: { path: 'a.csv' }, search, sweep: { method: 'grid' } }));
    const trial = (number: number, score: number) => ({
      number,
      run: `trials/00${number}`,
      settings: { 'training.learning_rate': 0.01, 'objective.kind': 'sma' },
      judged: [{ steps: 60, score, val_loss: 1, seconds: 2 }],
    });
    const trials = [trial(1, 0.7), trial(2, 0.8), { ...trial(3, 0.9), failure: 'diverged' }];
    const done: SweepSummary = {
      out: 's',
      files: ['s/sweep.json', 's/sweep.html'],
      metric: 'roc-auc',
      higherIsBetter: true,
      judge: 'probe',
      targets: ['y'],
      data: 'a.csv',
      trials,
      best: trials[1],
      next: ['probe', 's/trials/002', 'a b.csv', '--target', 'y'],
      interrupted: false,
    };
    const asked: unknown[] = [];
    const sweep = (interrupted: boolean) => ({
      sweep: async (options: unknown) => {
        asked.push(options);
        return { ...done, interrupted };
      },
    });
    const argv = ['sweep', file, '--out', 's', '--parallel', '2'];
    const { code, err } = await lacuna(argv, sweep(false));
    expect(code).toBe(0);
    expect(asked).toEqual([
      { config: { data: { path: 'a.csv' }, search, sweep: { method: 'grid' } }, out: 's', parallel: 2 },
    ]);
    expect(err.split('\n').map((line) => line.trimEnd())).toEqual([
      'trial  roc-auc  steps  learning_rate  kind',
      '─────  ───────  ─────  ─────────────  ────',
      '    2   0.8000     60           0.01  sma',
      '    1   0.7000     60           0.01  sma',
      '(1 failed)',
      'written: s/sweep.json, s/sweep.html',
      "best: trial 2; go on with: lacuna probe s/trials/002 'a b.csv' --target y",
      '',
    ]);
    expect((await lacuna(argv, sweep(true))).err).toContain(`go on with: lacuna ${argv.join(' ')}\n`);
    await writeFile(file, 'search: { training.steps: { from: 1 } }');
    expect(await lacuna(argv)).toMatchObject({
      code: 2,
      err: expect.stringContaining(`${file}:1:11: search.training.steps: expected a list of values`),
    });
    await rm(folder, { recursive: true });
    expect((await lacuna(argv)).err).toBe(
      `lacuna: ${file}: could not read this configuration file (ENOENT)\n`,
    );
  });

  it('shows what a file or an option says as text alone', async () => {
    const name = '\u001b[2J';
    const embed = async () => {
      throw new InputError(`${name}.csv: no column "${name}"`);
    };
    const { err } = await lacuna(['embed', 'r', `${name}.csv`, '-o', 'e.csv'], { embed });
    expect(err).toBe('lacuna: \\u001b[2J.csv: no column "\\u001b[2J"\n');
    expect((await lacuna([name])).err).not.toContain('\u001b');
    expect(
      (await lacuna(['embed', 'r', 'a.csv', '-o', `${name}.csv`, '--keep', 'a, b', '--keep', 'c'])).calls,
    ).toEqual([{ run: 'r', data: 'a.csv', out: `${name}.csv`, keep: ['a', 'b', 'c'], config: {} }]);
  });

  it('prints its version', async () => {
    expect(await lacuna(['--version'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  it.each<[string[], string]>([
    [['trian'], "lacuna: unknown command 'trian'; see lacuna --help\n"],
    [['pretrian', 'a'], "lacuna: unknown command 'pretrian' (Did you mean pretrain?); see lacuna --help\n"],
    [['pretrain', 'a'], "lacuna: required option '--out <run>' not specified; see lacuna pretrain --help\n"],
    [
      ['pretrain', 'a', '--out', 'r', '--step', '3'],
      "lacuna: unknown option '--step' (Did you mean --steps?); see lacuna pretrain --help\n",
    ],
    [['embed', 'r'], "lacuna: required option '-o, --out <file>' not specified; see lacuna embed --help\n"],
    [
      ['pretrain', '--out', 'r'],
      'lacuna: no data: name a file or folder after the command, or give data.path in --config\n',
    ],
    [
      ['finetune', 'r', 'a', '--out', 'o'],
      'lacuna: no target: name the columns to predict, for example --target label\n',
    ],
    [
      ['pretrain', 'a', '--out', 'r', '--steps', '1e'],
      'lacuna: --steps: expected a whole number of at least 1, got "1e"; for example 10000\n',
    ],
    [
      ['pretrain', 'a', '--out', 'r', '--objective', 'smma'],
      `lacuna: --objective: expected one of ${Object.keys(objectives).join(', ')}, got "smma"; did you mean sma?\n`,
    ],
    [
      ['pretrain', 'a', '--out', 'r', '--steps', '1', '--epochs', '2'],
      'lacuna: --steps and --epochs exclude each other; keep one\n',
    ],
    [
      ['pretrain', 'a', '--out', 'r', '--set', 'steps'],
      'lacuna: --set steps: expected key=value, for example --set training.steps=100\n',
    ],
    [
      ['pretrain', 'a', '--out', 'r', '--set', 'training.step=1'],
      'lacuna: --set training.step: unknown key; did you mean training.steps?\n',
    ],
    [
      ['finetune', 'r', 'a', '--target', 'y', '--out', 'o', '--set', 'training.steps=5'],
      'lacuna: --set training.steps: not a key that finetune reads; it reads finetune\n',
    ],
    [
      ['pretrain', 'a', '--out', 'r', '--config', '/none.yaml'],
      'lacuna: /none.yaml: could not read this configuration file (ENOENT)\n',
    ],
    [['demo', '--seed', '-1'], 'see lacuna demo --help\n'],
  ])('refuses %j in one line', async (argv, expected) => {
    const { code, out, err, calls } = await lacuna(argv);
    expect({ code, out, calls }).toEqual({ code: 2, out: '', calls: [] });
    expect(err).toContain(expected);
    expect(err.split('\n')).toHaveLength(2);
  });

  it('shows help for no command at all, as a usage error', async () => {
    expect(await lacuna([])).toMatchObject({ code: 2, out: '', err: expect.stringContaining('Commands:') });
  });
});

describe('commands', () => {
  it('let options win over --set, and --set over the file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lacuna-cli-'));
    try {
      const file = join(folder, 'config.yaml');
      await writeFile(
        file,
        'data: {path: b.csv}\ntraining: {epochs: 3, seed: 1, batch_size: 4, threads: 1}\n',
      );
      const argv = ['pretrain', '--out', 'r', '--config', file];
      const { calls, code } = await lacuna([
        ...argv,
        '--set',
        'training.seed=2',
        '--set',
        'training.batch_size=8',
        '--batch-size',
        '16',
        '--steps',
        '9',
        '--columns',
        'x,y',
        '--no-tied-output',
        '--encoder',
        'transformer',
      ]);
      expect(code).toBe(0);
      expect(calls).toEqual([
        {
          data: 'b.csv',
          out: 'r',
          resume: undefined,
          config: {
            data: { path: 'b.csv', columns: ['x', 'y'] },
            training: { seed: 2, batch_size: 16, threads: 1, steps: 9 },
            objective: { tied_output: false },
            encoder: { kind: 'transformer' },
          },
        },
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each<[string[], unknown]>([
    [['inspect', 'a.csv', '--ignore', 'y'], { data: 'a.csv', config: { data: { ignore: ['y'] } } }],
    [
      ['embed', 'r', 'a.csv', '-o', 'e.npy', '--format', 'csv'],
      { run: 'r', data: 'a.csv', out: 'e.npy', config: { format: 'csv' } },
    ],
    [['predict', 'r', 'a.csv', '-o', 'p.csv'], { run: 'r', data: 'a.csv', out: 'p.csv', config: {} }],
    [['export', 'r', '-o', 'o'], { run: 'r', out: 'o' }],
    [['demo', '--quick', '--seed', '3'], { out: 'runs/demo', seed: 3, quick: true }],
    [
      ['finetune', 'r', 'a.csv', '--out', 'o', '--target', 'y,z', '--seeds', '3', '--from-scratch'],
      {
        run: 'r',
        data: 'a.csv',
        out: 'o',
        targets: ['y', 'z'],
        config: { target: ['y', 'z'], seeds: 3, from_scratch: true },
      },
    ],
    [
      ['probe', 'r', 'a.csv', '--target', 'y,z', '--target', 'w'],
      { run: 'r', data: 'a.csv', targets: ['y', 'z', 'w'], config: { target: ['y', 'z', 'w'] } },
    ],
    [
      ['rank', 'r', 's', 'a.csv', '--target', 'y', '--task', 'binary'],
      { runs: ['r', 's'], data: 'a.csv', targets: ['y'], config: { target: ['y'], task: 'binary' } },
    ],
    [
      ['probe', 'r', 'a.csv', '--target', 'y', '--probe', 'linear'],
      { run: 'r', data: 'a.csv', targets: ['y'], config: { target: ['y'], kind: 'linear' } },
    ],
  ])('%j call their verb and tell people on stderr', async (argv, options) => {
    const { code, out, err, calls } = await lacuna(argv);
    expect({ code, out, calls }).toEqual({ code: 0, out: '', calls: [options] });
    expect(err.trim()).not.toBe('');
    const json = await lacuna([...argv, '--json']);
    expect(JSON.parse(json.out)).toBeTypeOf('object');
    expect(json.err).toBe('');
  });

  it('describe what they found', async () => {
    const { err } = await lacuna(['inspect', 'a.csv']);
    expect(err).toContain('a.csv: csv, first 20 records, 1,234 bytes, 1 duplicates, 2 unreadable');
    expect(err).toContain('\nunreadable: line 9: expected 2 cells, got 3\nunreadable: 1 more\n');
    expect(err).toContain('smiles  text          0      > 19  length 1 … 2 … 3, such as "CCO"');
    expect(err).toContain('\nfitted: records 18, letters 2\n');
    expect(err).toContain('0 … 1.000, mean 0.2500           its name is that of a label');
    const finetuned = await lacuna(['finetune', 'r', 'a.csv', '--out', 'o', '--target', 'y']);
    expect(finetuned.err).toContain('SMA     ROC-AUC  0.8100  0.6800 – 0.9400      2  0:05');
  });

  it('shows of a wide table the first columns, and the others of which there is something to say', async () => {
    const [, y] = inspection.source.columns;
    const columns = Array.from({ length: 300 }, (_, j) => ({ ...y, name: `gene${j}`, missing: 0 }));
    columns[280] = { ...columns[280], missing: 3 };
    const source = { ...inspection.source, columns: [...columns, y] };
    const tokenizer = { ...inspection.tokenizer, columns: columns.map(({ name }) => name) };
    const { err } = await lacuna(['inspect', 'a.csv'], {
      inspect: async () => ({ ...inspection, source, tokenizer }),
    });
    const shown = err.split('\n').flatMap((line) => /^(gene\d+|y) /.exec(line)?.[1] ?? []);
    expect(shown).toEqual([...Array.from({ length: 50 }, (_, j) => `gene${j}`), 'gene280', 'y']);
    expect(err).toContain('\n… and 249 more columns; --json shows all\n');
    expect(err).toContain(', gene49, … (300); at most 64 tokens');
  });
});

describe('exit codes', () => {
  const argv = ['pretrain', 'my data.csv', '--out', 'r'];
  const failing = (error: unknown): Partial<Verbs> => ({ pretrain: () => Promise.reject(error) });

  it('are 1 for a failure and 2 for bad input, with one line', async () => {
    expect(await lacuna(argv, failing(new LacunaError('disk\n full')))).toMatchObject({
      code: 1,
      err: 'lacuna: disk full\n',
    });
    expect(await lacuna(argv, failing(new InputError('a.csv:3: bad')))).toMatchObject({
      code: 2,
      err: 'lacuna: a.csv:3: bad\n',
    });
  });

  it('are 1 for a bug, with its stack', async () => {
    const { code, err } = await lacuna(argv, failing(new TypeError('x is undefined')));
    expect(code).toBe(1);
    expect(err).toContain('this is a bug in lacuna');
    expect(err).toContain('program.test.ts');
  });

  it('are 130 after an interruption, with the command that goes on', async () => {
    const { code, err } = await lacuna(argv, {}, (controller) => ({
      async pretrain() {
        controller.abort();
        return { ...summary, interrupted: true };
      },
    }));
    expect(code).toBe(130);
    expect(err).toBe(
      `checkpoint written to ${summary.checkpoint}\nresume with: lacuna pretrain 'my data.csv' --out r --resume\n`,
    );
  });

  it('are 130 when the verb throws because it was stopped, but 1 when it could not save', async () => {
    const stoppedWith = (error?: Error) =>
      lacuna(argv, {}, (controller) => ({
        async pretrain(_, { signal } = {}) {
          controller.abort();
          throw error ?? signal?.reason;
        },
      }));
    expect(await stoppedWith()).toMatchObject({ code: 130, err: 'lacuna: interrupted\n' });
    expect(await stoppedWith(new LacunaError('disk full'))).toMatchObject({
      code: 1,
      err: 'lacuna: disk full\n',
    });
  });
});
