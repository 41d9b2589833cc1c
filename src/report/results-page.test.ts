import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InputError } from '../errors.js';
import type { Cell, PretrainingResult, Results } from './results.js';
import { resultsPage } from './results-page.js';

const cell = (
  task: string,
  method: string,
  seed: number,
  test: number | null,
  more: Partial<Cell> = {},
): Cell => ({
  task,
  method,
  seed,
  metric: 'accuracy',
  valid: test,
  test,
  replicates: test === null ? [] : [test - 0.02, test, test + 0.02],
  chosen: {},
  seconds: 2,
  seconds_choosing: 0,
  key: 'k',
  ...more,
});

const encoder = (
  name: string,
  objective: string,
  more: Partial<PretrainingResult> = {},
): PretrainingResult => ({
  name,
  objective,
  masking_ratio: 0.5,
  per_query: 4,
  steps: 2000,
  batch_size: 8,
  records: 1234,
  parameters: 56_789,
  val_loss: 1.5,
  val_loss_marginal: 2,
  seconds: 61.4,
  curve: [
    { step: 1000, val_loss: 1.8 },
    { step: 2000, val_loss: 1.5 },
  ],
  ...more,
});

const task = (name: string, title: string, higherIsBetter = true): Results['tasks'][number] => ({
  name,
  title,
  metric: higherIsBetter ? 'accuracy' : 'rmse',
  higherIsBetter,
  split: 'by hand',
  source: 'this test',
  records: { train: name === 'many' ? 1000 : 100, valid: 20, test: 3000 },
});

const methods = (...names: string[]) => names.map((name) => ({ name, description: name }));

const higgs: Results = {
  suite: 'higgs',
  title: 'Collisions',
  tasks: [task('few', 'Few labels'), task('many', 'Many labels')],
  methods: methods('constant', 'linear', 'SMA, frozen', 'from scratch', 'random masking', 'SMA'),
  pretraining: [
    encoder('events-random-masking-1', 'random-masking', {
      tokens: 80,
      removed: { records: 5, of: 1239, reason: 'test rows' },
    }),
    encoder('events-sma-2', 'sma', { val_loss: 1 }),
  ],
  cells: [
    cell('few', 'constant', 0, 0.5),
    cell('few', 'linear', 0, 0.64, { chosen: { regularization: 0.01 } }),
    cell('few', 'SMA, frozen', 0, 0.6, { pretraining: 'events-sma-2' }),
    cell('few', 'from scratch', 0, 0.6, { chosen: { step: 200, learningRate: 0.001 } }),
    cell('few', 'from scratch', 1, 0.62, { chosen: { step: 950, learningRate: 0.001 } }),
    cell('few', 'random masking', 0, 0.65, { pretraining: 'events-random-masking-1' }),
    cell('few', 'random masking', 1, 0.63, { pretraining: 'events-random-masking-1' }),
    cell('few', 'SMA', 0, 0.66, { pretraining: 'events-sma-2' }),
    cell('few', 'SMA', 1, 0.68, { pretraining: 'events-sma-2' }),
    // Still running: no seed of SMA, and one that gave no number.
    cell('many', 'linear', 0, 0.7),
    cell('many', 'from scratch', 0, null),
  ],
  machine: 'none',
  versions: {},
};

const short: Results = {
  suite: 'short',
  title: 'One seed',
  tasks: [task('error', 'Errors', false)],
  methods: methods('linear', 'SMA'),
  pretraining: [],
  cells: [cell('error', 'linear', 0, 1.25), cell('error', 'SMA', 0, 0.75)],
  machine: 'none',
  versions: {},
};

const where = { path: 'docs/results.md', figures: 'results' };
const block = (name: string, content: string) =>
  `<!-- begin ${name} -->\n\n${content}\n\n<!-- end ${name} -->`;
const marked = (name: string) => `<!-- begin ${name} -->\n<!-- end ${name} -->`;

/** The content of one block. */
async function made(name: string, all: readonly Results[] = [higgs, short]): Promise<string> {
  const { text } = await resultsPage(all, { ...where, text: marked(name) });
  return text.split('\n').slice(2, -2).join('\n');
}

// Vega-Lite reports a specification it had to mend on the console.
beforeEach(() => void vi.spyOn(console, 'warn'));
afterEach(() => {
  expect(console.warn).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

describe('the tables', () => {
  it('sum up every task with the best mean in bold, by the direction of its metric', async () => {
    expect(await made('summary')).toBe(
      `
| task        | metric                     | best simple baseline | fit | fit with SMA |  from scratch | random masking |               SMA | SMA, mean of folds | SMA, frozen |
| ----------- | -------------------------- | -------------------: | --: | -----------: | ------------: | -------------: | ----------------: | -----------------: | ----------: |
| Few labels  | accuracy, higher is better |       0.640 (linear) |     |              | 0.610 ± 0.127 |  0.640 ± 0.127 | **0.670** ± 0.127 |                    |       0.600 |
| Many labels | accuracy, higher is better |       0.700 (linear) |     |              |             – |                |                   |                    |             |
| Errors      | rmse, lower is better      |       1.250 (linear) |     |              |               |                |         **0.750** |                    |             |`.trim(),
    );
  });

  it('name the tasks', async () => {
    expect(await made('short tasks')).toBe(
      `
| task   | metric                | split   | source    | records: train / valid / test |
| ------ | --------------------- | ------- | --------- | ----------------------------: |
| Errors | rmse, lower is better | by hand | this test |              100 / 20 / 3,000 |`.trim(),
    );
  });

  it('say how encoders were pretrained; only SMA draws queries', async () => {
    expect(await made('higgs pretraining')).toBe(
      `
| objective      | masking ratio | per query | steps | records | records removed before | parameters | validation loss | marginal | loss / marginal | operations | processor seconds |
| -------------- | ------------: | --------: | ----: | ------: | ---------------------: | ---------: | --------------: | -------: | --------------: | ---------: | ----------------: |
| random-masking |           0.5 |           | 2,000 |   1,234 |  5 of 1,239: test rows |     56,789 |           1.500 |    2.000 |           0.750 |    4.4e+11 |                61 |
| sma            |           0.5 |         4 | 2,000 |   1,234 |                        |     56,789 |           1.000 |    2.000 |           0.500 |            |                61 |`.trim(),
    );
  });

  it('say what validation chose, as a range where the seeds differ', async () => {
    expect(await made('higgs chosen')).toBe(
      `
| task       | method       | chosen by validation               |
| ---------- | ------------ | ---------------------------------- |
| Few labels | linear       | regularization 0.01                |
| Few labels | from scratch | step 200 – 950, learningRate 0.001 |`.trim(),
    );
  });

  it('give the scores of each task that has some, and the differences of methods that share a seed', async () => {
    const scores = await made('higgs scores');
    expect(scores).toContain('**Few labels** (higher is better)\n\n| method ');
    expect(scores).toMatch(/\| SMA +\| +0\.670 \| 0\.543 – 0\.797 \| +2 \|/);
    const differences = await made('higgs differences');
    expect(differences.match(/\| (.* − .*?) \| 95/g)).toHaveLength(3);
    expect(differences).toMatch(/SMA − random masking[\s\S]*\+0\.030 \| −0\.224 to \+0\.284 \|/);
    expect(await made('short differences')).toBe('*No results yet.*');
  });
});

describe('the figures', () => {
  it('are written beside the page, by the names of their blocks', async () => {
    const { figures, text } = await resultsPage([higgs, short], where);
    expect([...figures.keys()]).toEqual([
      'results/higgs-comparison.svg',
      'results/label-efficiency.svg',
      'results/higgs-pretraining-curves.svg',
      'results/short-comparison.svg',
    ]);
    for (const [path, svg] of figures) {
      expect(text).toContain(`](${path})`);
      expect(svg).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
      // Nothing random, nothing fetched, no number that is none, a ground of its own.
      expect(svg).not.toMatch(/NaN|undefined| id="|href=|url\(/);
      expect(svg).toContain('fill="#ffffff"');
    }
  });

  it('keep a colour for a method, hollow where it is frozen', async () => {
    const { figures } = await resultsPage([short, higgs], where);
    const blue = (svg: string) => svg.includes('stroke="#0072b2"');
    for (const svg of figures.values()) expect(blue(svg)).toBe(true);
    const frozen = figures.get('results/higgs-comparison.svg')!;
    expect(frozen).toMatch(/SMA, frozen[^>]*fill="#ffffff" stroke="#0072b2"/);
  });

  it('leave the constant to the tables', async () => {
    const { figures, text } = await resultsPage([higgs], where);
    for (const svg of figures.values()) expect(svg).not.toContain('constant');
    expect(text).toContain('| constant ');
  });

  it('draw pretrainings that differ in their seeds alone as one line, their mean, with a band', async () => {
    const seeds = [1, 1.2, 1.4].map((loss, seed) =>
      encoder(`events-sma-${seed}`, 'sma', { curve: [{ step: 1000, val_loss: loss }] }),
    );
    const { figures } = await resultsPage([{ ...higgs, pretraining: seeds }], where);
    const svg = figures.get('results/higgs-pretraining-curves.svg')!;
    expect(svg.match(/>SMA</g)).toHaveLength(1);
    expect(svg).toContain('mean: 0.6;');
  });

  it('draw encoders of several sizes apart', async () => {
    const sizes = [14_787, 57_219].map((parameters) =>
      encoder(`events-sma-${parameters}`, 'sma', { parameters }),
    );
    const { figures } = await resultsPage([{ ...higgs, pretraining: sizes }], where);
    const svg = figures.get('results/higgs-pretraining-curves.svg')!;
    for (const size of ['14,787', '57,219']) expect(svg).toContain(`>SMA, ${size} parameters<`);
  });

  it('draw ablations by what was varied, and nothing where nothing was', async () => {
    const variants = [0.2, 0.5, 0.8].flatMap((ratio) =>
      ['sma', 'random-masking'].map((objective) =>
        encoder(`events-${objective}-${ratio}`, objective, { masking_ratio: ratio }),
      ),
    );
    const longer = encoder('events-sma-long', 'sma', { steps: 8000 });
    const runs = [...variants, longer];
    const ablations: Results = {
      ...higgs,
      suite: 'ablations',
      tasks: [task('few', 'Few labels')],
      methods: methods('from scratch', ...runs.map(({ name }) => `variant ${name}`), 'the same again'),
      pretraining: runs,
      cells: [
        cell('few', 'from scratch', 0, 0.5),
        ...runs.map(({ name }, i) => cell('few', `variant ${name}`, 0, 0.6 + i / 100, { pretraining: name })),
        cell('few', 'the same again', 0, 0.62, { pretraining: 'events-sma-0.5' }),
      ],
    };
    const page = await resultsPage([ablations], { ...where, text: marked('ablation curves') });
    const svg = page.figures.get('results/ablation-curves.svg')!;
    expect(svg).toContain('>masking ratio<');
    expect(svg).toContain('>pretraining steps (logarithmic)<');
    expect(svg).not.toContain('per query');
    // Two lines of three points; one of two.
    expect(svg.split('aria-roledescription="line mark"').length - 1).toBe(3);
    expect(svg.split('aria-roledescription="point"').length - 1).toBe(8);
    expect(await made('ablation curves', [{ ...ablations, pretraining: [] }])).toBe('*No results yet.*');
    expect(await made('ablation curves')).toBe('*No results yet.*');
  });

  it('draw the masks of molecules with their atoms, and of other texts as letters', async () => {
    const masks = (text: string, hidden: number[]) =>
      ['sma', 'random-masking'].map((objective) => ({
        text,
        objective,
        hidden: Array.from(text, (_, i) => hidden.includes(i)),
      }));
    const picture = async (examples: Results['masks']) => {
      const all = [{ ...short, masks: examples }];
      const page = await resultsPage(all, { ...where, text: marked('short masks') });
      return page.figures.get('results/short-masks.svg')!;
    };
    const molecule = await picture(masks('CC(=O)Oc1ccccc1C(=O)O', [0, 1]));
    expect(molecule.split('<ellipse').length - 1).toBe(2 * 2);
    const protein = await picture(masks('MKTAYIAKQR', [0, 1, 9]));
    expect(protein).not.toContain('<ellipse');
    expect(protein).toContain('SMA: 3 of 10 characters hidden');
    expect(protein).toMatch(/fill="#ffffff">MK<\/text>/);
    expect(await picture(masks('<&>', [1]))).toContain('&lt;');
  });
});

describe('the page', () => {
  it('has every block that has something, and is the same when made again or filled again', async () => {
    const first = await resultsPage([higgs, short], where);
    const again = await resultsPage([higgs, short], where);
    expect(again).toEqual(first);
    expect((await resultsPage([higgs, short], { ...where, text: first.text })).text).toBe(first.text);
    expect(first.text).toMatch(/^# Results\n\n## Summary\n\n<!-- begin summary -->\n\n\| task/);
    expect(first.text).toContain('## Collisions\n\n### Tasks\n');
    expect(first.text).not.toContain('No results yet');
    expect(first.unused).toEqual([]);
  });

  it('keeps all words outside the blocks, and says which blocks have no place', async () => {
    const text = `Before.\n\n${block('short tasks', 'old')}\nBetween <!-- begin --> and so on.\r\n\nAfter.`;
    const page = await resultsPage([short], { ...where, text: text.replaceAll('\r', '') });
    expect(page.text).toMatch(/^Before\.\n\n<!-- begin short tasks -->\n\n\| task /);
    expect(page.text).toMatch(/<!-- end short tasks -->\nBetween <!-- begin --> and so on\.\n\nAfter\.$/);
    expect(page.text).not.toContain('old');
    expect(page.unused).toEqual(['summary', 'short scores', 'short comparison']);
    const windows = await resultsPage([short], {
      ...where,
      text: block('summary', 'old').replaceAll('\n', '\r\n'),
    });
    expect(windows.text).not.toMatch(/[^\r]\n/);
  });

  it.each([
    [marked('short task'), /docs\/results\.md:1: unknown block "short task": .*"summary", "short tasks"/],
    ['\n<!-- begin summary -->\n', /:2: block "summary" has no end: add <!-- end summary -->/],
    [
      '<!-- begin summary -->\n<!-- begin short tasks -->',
      /:2: block "short tasks" begins inside "summary" of line 1/,
    ],
    ['<!-- end summary -->', /:1: block "summary" ends here, but none is open/],
    ['<!-- begin summary -->\n<!-- end tasks -->', /:2: block "tasks" ends here, but "summary" is open/],
  ])('refuses %j', async (text, message) => {
    const page = resultsPage([short], { ...where, text });
    await expect(page).rejects.toThrow(InputError);
    await expect(page).rejects.toThrow(message);
  });

  it('refuses two results of one suite', async () => {
    await expect(resultsPage([short, short], where)).rejects.toThrow('two result files are of suite short');
  });
});
