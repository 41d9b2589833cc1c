/** What contrasts of views learn, by how much the views differ: docs/understanding/feature-decoupling.md. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { load, pretrain, probe } from 'lacuna';
import { random } from 'lacuna/learning';
import { linePanel } from '../../dist/report/line-panel.js';
import { markdownTable } from '../../speed/table.mjs';
import {
  digits,
  evaluate,
  interval,
  keptResults,
  line,
  orthonormalRows,
  point,
  studyOptions,
  train,
  writeFigure,
} from '../study.mjs';
import {
  aligned,
  contrast,
  drawMasks,
  drawRecords,
  explained,
  recordsOf,
  sharedVariance,
  thresholdUnits,
} from './sparse-coding.mjs';

const { out, seeds, quick } = studyOptions(
  'feature-decoupling',
  'What contrastive learning keeps of a signal and of dense noise, by how much two views differ: in a model and on digits.',
  3,
);

const settings = {
  model: { width: 128, atoms: 16, frequency: 0.1, noise: 0.4, units: 32 },
  batch: 128,
  temperature: 0.5,
  steps: quick ? 20 : 1000,
  rate: 0.005,
  tested: quick ? 400 : 4000,
  digits: quick
    ? { side: 4, train: 100, valid: 40, test: 120, steps: 10 }
    : { side: 7, train: 1600, valid: 200, test: 1200, steps: 600 },
  noise: 0.2,
};
const { model, batch, temperature, steps, rate, tested } = settings;
/** @type {readonly (number | 'whole')[]} */
const strengths = quick ? [0, 1] : ['whole', 0, 0.25, 0.5, 0.75, 1];
const drops = quick ? [0, 0.5] : [0, 0.25, 0.5, 0.75, 0.9];

const ofSeeds = await keptResults({ out, seeds }, settings);
const mean = (/** @type {readonly number[]} */ values) => values.reduce((a, b) => a + b) / values.length;

/** Trains the network of the paper on its records, and says what it holds. */
async function sparseCoding(/** @type {number | 'whole'} */ strength, /** @type {number} */ seed) {
  // The M of the model, turned: each row is spread over all coordinates.
  const dictionary = orthonormalRows(model.atoms, model.width, random(seed, 'atoms'));
  const parameters = await train(contrast(model, batch, dictionary, temperature), {
    steps,
    rate,
    seed,
    feeds: (step) => {
      const source = random(seed, 'records', step);
      return { ...drawRecords(model, batch, source), masks: drawMasks(strength, batch, model.width, source) };
    },
  });
  const records = drawRecords(model, tested, random(seed, 'test'));
  const states = thresholdUnits(recordsOf(model, tested, dictionary), model);
  const features = /** @type {Float32Array} */ (
    (await evaluate('states', { states }, { ...records, ...parameters })).states.data
  );
  const weights = aligned(/** @type {Float32Array} */ (parameters.weights.data), dictionary, model);
  return {
    signal: sharedVariance(features, records.signs.data, tested),
    noise: sharedVariance(features, records.dense.data, tested),
    within: mean(weights.map(({ within }) => within)),
    nearest: mean(weights.map(({ nearest }) => nearest)),
  };
}

/** Digits with dense noise as a table: what is known of each row, and the file. */
async function noisyDigits(/** @type {number} */ seed) {
  const { side, train: training, valid, test } = settings.digits;
  const count = training + valid + test;
  const source = random(seed, 'digits');
  const { pixels, labels } = digits(count, side, source);
  const noise = Float32Array.from(pixels, () => settings.noise * source.normal());
  const columns = Array.from({ length: side * side }, (_, i) => `pixel${i}`);
  const rows = Array.from({ length: count }, (_, row) =>
    columns.map((_, i) => pixels[row * columns.length + i] + noise[row * columns.length + i]),
  );
  const file = join(out, `digits-${seed}.csv`);
  const part = (/** @type {number} */ row) =>
    row < training ? 'train' : row < training + valid ? 'valid' : 'test';
  await mkdir(out, { recursive: true });
  await writeFile(
    file,
    `${[...columns, 'digit', 'part'].join()}\n${rows.map((row, i) => [...row, labels[i], part(i)].join()).join('\n')}\n`,
  );
  const first = training + valid;
  const classes = new Float32Array(test * 10);
  for (let i = 0; i < test; i++) classes[i * 10 + labels[first + i]] = 1;
  const ofTest = (/** @type {Float32Array} */ values) => values.subarray(first * columns.length);
  return {
    file,
    columns,
    rows: rows.slice(first),
    test,
    classes,
    pixels: ofTest(pixels),
    noise: ofTest(noise),
  };
}

/** Pretrains by SimCLR with views that leave out a share of the pixels, and says what the embeddings of the test rows hold. */
async function digitViews(/** @type {number} */ drop, /** @type {number} */ seed) {
  const data = await noisyDigits(seed);
  const run = join(out, 'runs', `drop ${drop}, seed ${seed}`);
  // A run without a result was stopped: it takes seconds.
  await rm(run, { recursive: true, force: true });
  await pretrain({
    data: data.file,
    out: run,
    config: {
      data: { columns: data.columns, split_column: 'part' },
      encoder: { kind: 'transformer', width: 32, embed_width: 32, layers: 2, heads: 2 },
      objective: { kind: 'simclr', drop_ratio: drop, swap_ratio: 0, noise_deviation: 0, temperature: 0.2 },
      training: { steps: settings.digits.steps, batch_size: 64, learning_rate: 0.002, seed, threads: 1 },
    },
  });
  const scores = await probe({
    run,
    data: data.file,
    targets: ['digit'],
    config: { kind: 'linear', task: 'multiclass', metric: 'accuracy', seeds: 1, threads: 1 },
  });
  const encoder = await load(run, { threads: 1 });
  const embeddings = await encoder.embed(
    data.rows.map((row) => Object.fromEntries(data.columns.map((column, i) => [column, row[i]]))),
  );
  const features = Float32Array.from(embeddings.flatMap((embedding) => Array.from(embedding)));
  return {
    accuracy: scores.methods[0].mean,
    untrained: scores.methods[1].mean,
    digit: sharedVariance(features, data.classes, data.test),
    pixels: sharedVariance(features, data.pixels, data.test),
    noise: sharedVariance(features, data.noise, data.test),
    read: mean(explained(features, data.noise, data.test)),
  };
}

/** @typedef {Awaited<ReturnType<typeof sparseCoding>>} Coded */
/** @typedef {Awaited<ReturnType<typeof digitViews>>} Viewed */

console.log(
  'Sparse features and dense noise: shares of the variance of what the network says, and of its weights\n',
);
/** @type {{ strength: number | 'whole', found: Coded[] }[]} */
const coded = [];
for (const strength of strengths)
  coded.push({
    strength,
    found: await ofSeeds(`strength ${strength}`, (seed) => sparseCoding(strength, seed)),
  });
console.log(
  markdownTable([
    ['not in the other view', 'signal', 'noise', 'weights within the signal', 'along the nearest atom'],
    ...coded.map(({ strength, found }) => [
      strength === 'whole' ? 'nothing is masked' : String(strength),
      interval(found.map(({ signal }) => signal)),
      interval(found.map(({ noise }) => noise)),
      interval(found.map(({ within }) => within)),
      interval(found.map(({ nearest }) => nearest)),
    ]),
  ]),
);

console.log('\nDigits with noise: accuracy of a linear probe, and shares of the variance of embeddings\n');
/** @type {{ drop: number, found: Viewed[] }[]} */
const viewed = [];
for (const drop of drops)
  viewed.push({ drop, found: await ofSeeds(`drop ${drop}`, (seed) => digitViews(drop, seed)) });
console.log(
  markdownTable([
    [
      'left out of a view',
      'accuracy',
      'untrained',
      'class',
      'clean pixels',
      'noise',
      'noise that a line reads',
    ],
    ...viewed.map(({ drop, found }) => [
      String(drop),
      interval(found.map(({ accuracy }) => accuracy)),
      interval(found.map(({ untrained }) => untrained)),
      interval(found.map(({ digit }) => digit)),
      interval(found.map(({ pixels }) => pixels)),
      interval(found.map(({ noise }) => noise)),
      interval(found.map(({ read }) => read)),
    ]),
  ]),
);

console.log('\nThe same, less what views that leave nothing out have, paired by seed\n');
console.log(
  markdownTable([
    ['left out of a view', 'accuracy', 'class', 'clean pixels', 'noise', 'noise that a line reads'],
    ...viewed
      .slice(1)
      .map(({ drop, found }) => [
        String(drop),
        .../** @type {const} */ (['accuracy', 'digit', 'pixels', 'noise', 'read']).map((what) =>
          interval(found.map((one, seed) => one[what] - viewed[0].found[seed][what])),
        ),
      ]),
  ]),
);

const masked = coded.filter(({ strength }) => strength !== 'whole');
const overStrengths = (/** @type {keyof Coded} */ what) =>
  masked.map(({ strength, found }) =>
    point(
      Number(strength),
      found.map((one) => one[what]),
    ),
  );
const overDrops = (/** @type {keyof Viewed} */ what) =>
  viewed.map(({ drop, found }) =>
    point(
      drop,
      found.map((one) => one[what]),
    ),
  );
const across = (/** @type {string} */ title) => ({
  title,
  scale: { domain: [0, 1] },
  axis: { tickCount: 5 },
});
const panel = { width: 330, height: 260 };
const chance = (/** @type {string} */ label, /** @type {number} */ value) => ({
  label,
  value,
  style: { color: '#777777', hollow: true },
});
const inView = across('share of a view that the other does not show');
const leftOut = across('share of the pixels that a view leaves out');
await writeFigure(
  out,
  [
    linePanel([line('signal', 0, overStrengths('signal')), line('noise', 1, overStrengths('noise'))], {
      ...panel,
      title: 'Sparse features in dense noise',
      x: inView,
      y: 'share of the variance of what the network says',
    }),
    linePanel(
      [line('signal', 0, overStrengths('within')), line('nearest atom', 2, overStrengths('nearest'))],
      {
        ...panel,
        title: 'Where its weights point',
        x: inView,
        y: 'share of their squared length',
        level: chance('signal, by chance', model.atoms / model.width),
      },
    ),
    linePanel([line('SimCLR', 0, overDrops('accuracy'))], {
      ...panel,
      title: 'Noisy digits',
      x: leftOut,
      y: 'accuracy of a linear probe',
      level: chance(
        'untrained',
        mean(viewed.flatMap(({ found }) => found.map(({ untrained }) => untrained))),
      ),
    }),
    linePanel(
      [
        line('clean pixels', 0, overDrops('pixels')),
        line('noise', 1, overDrops('noise')),
        line('class', 2, overDrops('digit')),
      ],
      { ...panel, title: 'What varies among embeddings', x: leftOut, y: 'share of their variance' },
    ),
  ],
  2,
);
