/** Double and multiple descent by width: docs/understanding/double-descent.md. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finetune, load, pretrain } from 'lacuna';
import { hostTensor } from 'lacuna/engine';
import { constant, input, matmul, mean, multiply, relu, subtract, sum } from 'lacuna/graph';
import { linear } from 'lacuna/layers';
import { random } from 'lacuna/learning';
import { linePanel } from '../../dist/report/line-panel.js';
import { markdownTable } from '../../speed/table.mjs';
import {
  digits,
  evaluate,
  fixed,
  interval,
  keptResults,
  line,
  point,
  studyOptions,
  train,
  writeFigure,
} from '../study.mjs';
import { leastSquares, plainProduct } from './min-norm.mjs';

const { out, seeds, quick } = studyOptions(
  'double-descent',
  'Test errors of models of handwritten digits against their width, with a fifth of the labels wrong.',
);

const CLASSES = 10;
const settings = quick
  ? {
      rows: 40,
      tested: 200,
      side: 7,
      wrong: 0.2,
      steps: 100,
      rate: 0.01,
      encoder: { side: 2, valid: 20, steps: 20, rate: 0.003 },
    }
  : {
      rows: 300,
      tested: 2000,
      side: 14,
      wrong: 0.2,
      steps: 3000,
      rate: 0.01,
      encoder: { side: 4, valid: 60, steps: 1500, rate: 0.003 },
    };
const { rows, tested, side, wrong, steps, rate } = settings;
const pixels = side * side;
/** Features as parts of the rows: finer at the thresholds, which are 1 and, of two and three kinds, 1.5, 2 and 3. */
const shares = quick
  ? [0.5, 1, 2]
  : [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 5, 8, 12];
const widths = shares.map((share) => Math.round(share * rows));
/** What the features of a kind are multiplied by, of one, two and three kinds. */
const kinds = { one: [1], two: [1, 0.01], three: [1, 0.01, 0.0001] };
const penalties = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1];
const units = quick ? [2, 8] : [1, 2, 4, 6, 8, 10, 12, 14, 16, 20, 30, 50, 100, 300];
const encoderWidths = quick ? [2] : [2, 4, 6, 8, 16, 32, 64];
/** Of a network of so many units: weights and biases. */
const size = (/** @type {number} */ count) => count * (pixels + 1 + CLASSES) + CLASSES;

const ofSeeds = await keptResults({ out, seeds }, settings);

/** Rows for training with wrong labels among them, as many to choose a penalty by, and rows for the test. */
function drawRows(/** @type {number} */ seed) {
  const source = random(seed, 'rows');
  const all = digits(2 * rows + tested, side, source);
  const centre = new Float64Array(pixels);
  for (let i = 0; i < rows * pixels; i++) centre[i % pixels] += all.pixels[i] / rows;
  const x = all.pixels.map((value, i) => value - centre[i % pixels]);
  const deviation = Math.sqrt(
    x.slice(0, rows * pixels).reduce((total, value) => total + value ** 2, 0) / (rows * pixels),
  );
  const noisy = all.labels.map((label, i) => (i < 2 * rows ? mislabelled(label, source) : label));
  return { x: x.map((value) => value / deviation), labels: all.labels, noisy };
}

/** A label, or with the probability `wrong` another. */
const mislabelled = (/** @type {number} */ label, /** @type {import('lacuna/learning').Random} */ source) =>
  source.uniform() < wrong ? (label + 1 + source.integer(CLASSES - 1)) % CLASSES : label;

/** Labels as numbers float64[rows, CLASSES]: 1 for the class, less the share of a class. */
const oneHot = (/** @type {Int32Array} */ labels) =>
  Float64Array.from(
    { length: labels.length * CLASSES },
    (_, i) => (labels[Math.floor(i / CLASSES)] === i % CLASSES ? 1 : 0) - 1 / CLASSES,
  );

/** The share of rows whose largest output is not their label, and the squared error summed over classes. */
function errorsOf(/** @type {ArrayLike<number>} */ outputs, /** @type {Int32Array} */ labels) {
  const targets = oneHot(labels);
  let [missed, squared] = [0, 0];
  for (let i = 0; i < labels.length; i++) {
    let best = 0;
    for (let k = 0; k < CLASSES; k++) {
      if (outputs[i * CLASSES + k] > outputs[i * CLASSES + best]) best = k;
      squared += (outputs[i * CLASSES + k] - targets[i * CLASSES + k]) ** 2;
    }
    missed += Number(best !== labels[i]);
  }
  return { missed: missed / labels.length, squared: squared / labels.length };
}

/** Regression on the first `width` of many random features, for each width, scale of kinds, and labels with and without errors. */
async function randomFeatures(/** @type {number} */ seed) {
  const { x, labels, noisy } = drawRows(seed);
  const most = Math.max(...widths);
  const count = labels.length;
  const source = random(seed, 'features');
  const directions = Float32Array.from({ length: pixels * most }, () => source.normal() / Math.sqrt(pixels));
  const features = relu(
    matmul(
      constant(hostTensor('float32', [count, pixels], x)),
      constant(hostTensor('float32', [pixels, most], directions)),
    ),
  );
  const data = /** @type {Float32Array} */ ((await evaluate('features', { features }, {})).features.data);
  /** The first features of rows `from` to before `to`, kind by kind in turn. */
  const part = (
    /** @type {number} */ from,
    /** @type {number} */ to,
    /** @type {number} */ width,
    /** @type {readonly number[]} */ scales,
  ) => {
    const taken = new Float64Array((to - from) * width);
    for (let i = from; i < to; i++)
      for (let j = 0; j < width; j++)
        taken[(i - from) * width + j] = data[i * most + j] * scales[j % scales.length];
    return taken;
  };
  const found = [];
  for (const width of widths) {
    for (const [name, scales] of Object.entries(kinds)) {
      const features = part(0, rows, width, scales);
      const test = part(2 * rows, count, width, scales);
      const score = (/** @type {Float64Array} */ weights) =>
        errorsOf(plainProduct(test, weights, tested), labels.subarray(2 * rows));
      const fit = leastSquares(features, oneHot(noisy.subarray(0, rows)), rows);
      const train = errorsOf(plainProduct(features, fit.weights, rows), noisy.subarray(0, rows));
      const own = { width, kinds: name, train, wrong: score(fit.weights) };
      if (name !== 'one') {
        found.push(own);
        continue;
      }
      const right = score(leastSquares(features, oneHot(labels.subarray(0, rows)), rows).weights);
      const valid = part(rows, 2 * rows, width, scales);
      const ridges = penalties.map((penalty) => {
        const weights = fit.ridge(penalty * fit.size);
        return {
          weights,
          squared: errorsOf(plainProduct(valid, weights, rows), noisy.subarray(rows, 2 * rows)).squared,
        };
      });
      const best = ridges.reduce((a, b) => (b.squared < a.squared ? b : a));
      found.push({ ...own, right, ridge: score(best.weights) });
    }
  }
  return found;
}

/** A network of one hidden layer, trained on all rows at once by the squared error. */
async function network(/** @type {number} */ count, /** @type {number} */ seed) {
  const { x, labels, noisy } = drawRows(seed);
  const outputs = (/** @type {import('lacuna/graph').Value} */ rows) =>
    linear('output', relu(linear('hidden', rows, count)), CLASSES);
  const given = input('rows', 'float32', [rows, pixels]);
  const targets = constant(
    hostTensor('float32', [rows, CLASSES], Float32Array.from(oneHot(noisy.subarray(0, rows)))),
  );
  const error = subtract(outputs(given), targets);
  const loss = mean(sum(multiply(error, error), [1]), [0]);
  const feeds = { rows: hostTensor('float32', [rows, pixels], x.slice(0, rows * pixels)) };
  const parameters = await train(loss, { steps, rate, seed, feeds: () => feeds });
  const predicted = outputs(constant(hostTensor('float32', [labels.length, pixels], x)));
  const found = await evaluate('network', { predicted }, parameters);
  const values = /** @type {Float32Array} */ (found.predicted.data);
  return {
    train: errorsOf(values.subarray(0, rows * CLASSES), noisy.subarray(0, rows)),
    test: errorsOf(values.subarray(2 * rows * CLASSES), labels.subarray(2 * rows)),
  };
}

/**
 * Lacuna's transformer on the pixels as a table, from scratch by `finetune`: its share of errors at the last step, and where
 * 30 validations on rows with as many wrong labels decide what is kept, as they do by default.
 */
async function encoder(/** @type {number} */ width, /** @type {number} */ seed) {
  const { side, valid, steps, rate } = settings.encoder;
  const source = random(seed, 'table');
  const count = rows + valid + tested;
  const { pixels, labels } = digits(count, side, source);
  const columns = Array.from({ length: side * side }, (_, i) => `pixel${i}`);
  const records = Array.from({ length: count }, (_, row) =>
    Object.fromEntries(columns.map((column, i) => [column, pixels[row * columns.length + i]])),
  );
  const given = Array.from(labels, (label, row) => (row < rows + valid ? mislabelled(label, source) : label));
  const part = (/** @type {number} */ row) => (row < rows ? 'train' : row < rows + valid ? 'valid' : 'test');
  const data = join(out, `digits-${seed}.csv`);
  await mkdir(out, { recursive: true });
  const lines = records.map((record, row) => [...Object.values(record), given[row], part(row)].join());
  await writeFile(data, `${[...columns, 'digit', 'part'].join()}\n${lines.join('\n')}\n`);
  const run = join(out, 'runs', `width ${width}, seed ${seed}`);
  // Runs without a result were stopped: each takes seconds.
  await rm(run, { recursive: true, force: true });
  // What finetune starts from scratch is the encoder of a run, whose single step is not used.
  await pretrain({
    data,
    out: join(run, 'untrained'),
    config: {
      data: { columns, split_column: 'part' },
      encoder: { kind: 'transformer', width, embed_width: width, layers: 2, heads: 2 },
      objective: { kind: 'random-masking' },
      training: { steps: 1, threads: 1 },
    },
  });
  const tuned = async (/** @type {number} */ validations) => {
    const folder = join(run, `validations ${validations}`);
    const { methods } = await finetune({
      run: join(run, 'untrained'),
      data,
      targets: ['digit'],
      out: folder,
      config: {
        from_scratch: true,
        task: 'multiclass',
        metric: 'accuracy',
        steps,
        learning_rate: rate,
        weight_decay: 0,
        validations,
        seeds: 1,
        threads: 1,
      },
    });
    const model = await load(folder, { threads: 1 });
    const predicted = await model.predict(records.slice(0, rows));
    await model.dispose();
    const wrongly = predicted.filter(({ digit }, row) => String(digit) !== String(given[row])).length;
    return { train: { missed: wrongly / rows }, test: { missed: 1 - methods[0].mean } };
  };
  return { last: await tuned(1), best: await tuned(30) };
}

const bySeed = await ofSeeds('random features', randomFeatures);

/** @param {string} name @param {number} width @param {'wrong' | 'right' | 'ridge' | 'train'} what */
const regressions = (name, width, what) =>
  bySeed.map((found) => {
    const one = found.find((row) => row.kinds === name && row.width === width);
    return /** @type {{ missed: number, squared: number }} */ (/** @type {any} */ (one)[what]);
  });
const missed = (/** @type {{ missed: number }[]} */ errors) => errors.map((error) => error.missed);
const logSquared = (/** @type {{ squared: number }[]} */ errors) =>
  errors.map(({ squared }) => Math.log10(squared));

console.log(`Random features, ${rows} records: share of the test that is wrong\n`);
console.log(
  markdownTable([
    [
      'features / records',
      'training, wrong labels',
      'test',
      'squared error, log₁₀',
      'labels all right',
      'ridge',
      'two kinds',
      'three kinds',
    ],
    ...widths.map((width, i) => [
      String(shares[i]),
      fixed(missed(regressions('one', width, 'train')).reduce((a, b) => a + b) / seeds),
      interval(missed(regressions('one', width, 'wrong'))),
      interval(logSquared(regressions('one', width, 'wrong'))),
      interval(missed(regressions('one', width, 'right'))),
      interval(missed(regressions('one', width, 'ridge'))),
      interval(missed(regressions('two', width, 'wrong'))),
      interval(missed(regressions('three', width, 'wrong'))),
    ]),
  ]),
);

const tableRow = (/** @type {readonly string[]} */ cells) => console.log(`| ${cells.join(' | ')} |`);
console.log('\nA network of one hidden layer\n');
tableRow(['units', 'parameters', '/ (records · classes)', 'training', 'test', 'squared error, log₁₀']);
tableRow(Array(6).fill('---'));
/** @type {{ count: number, found: Awaited<ReturnType<typeof network>>[] }[]} */
const networks = [];
for (const count of units) {
  const found = await ofSeeds(`${count} units`, (seed) => network(count, seed));
  networks.push({ count, found });
  tableRow([
    String(count),
    String(size(count)),
    fixed(size(count) / (rows * CLASSES)),
    interval(missed(found.map(({ train }) => train))),
    interval(missed(found.map(({ test }) => test))),
    interval(logSquared(found.map(({ test }) => test))),
  ]);
}

console.log('\nA transformer, from scratch by finetune\n');
tableRow([
  'width',
  'training, last step',
  'test, last step',
  'training, best validation',
  'test, best validation',
]);
tableRow(Array(5).fill('---'));
/** @type {{ width: number, found: Awaited<ReturnType<typeof encoder>>[] }[]} */
const encoders = [];
for (const width of encoderWidths) {
  const found = await ofSeeds(`width ${width}`, (seed) => encoder(width, seed));
  encoders.push({ width, found });
  tableRow([
    String(width),
    interval(missed(found.map(({ last }) => last.train))),
    interval(missed(found.map(({ last }) => last.test))),
    interval(missed(found.map(({ best }) => best.train))),
    interval(missed(found.map(({ best }) => best.test))),
  ]);
}

const overShares = (/** @type {(width: number) => readonly number[]} */ values) =>
  widths.map((width, i) => point(shares[i], values(width)));
const across = (/** @type {string} */ title, /** @type {readonly number[]} */ values) => ({
  title,
  scale: { type: 'log', nice: false },
  axis: { values },
});
const panel = { width: 330, height: 260 };
const features = across('features / records', [0.05, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 12]);
const ofWidths = (
  /** @type {'one' | 'two' | 'three'} */ name,
  /** @type {'wrong' | 'right' | 'ridge' | 'train'} */ what,
) => overShares((width) => missed(regressions(name, width, what)));
const squaredOf = (/** @type {'one' | 'two' | 'three'} */ name) =>
  overShares((width) => logSquared(regressions(name, width, 'wrong')));
const ofNetworks = (/** @type {'train' | 'test'} */ what) =>
  networks.map(({ count, found }) =>
    point(size(count) / (rows * CLASSES), missed(found.map((errors) => errors[what]))),
  );
const ofEncoders = (/** @type {'last' | 'best'} */ kept, /** @type {'train' | 'test'} */ what) =>
  encoders.map(({ width, found }) => point(width, missed(found.map((errors) => errors[kept][what]))));
const parameters = across('parameters / (records · classes)', [0.1, 0.2, 0.5, 1, 2, 5, 10, 20]);
const share = 'share of digits that is wrong';
await writeFigure(
  out,
  [
    linePanel(
      [
        line('a fifth wrong', 0, ofWidths('one', 'wrong')),
        line('all right', 2, ofWidths('one', 'right')),
        line('ridge', 1, ofWidths('one', 'ridge')),
        line('training', 0, ofWidths('one', 'train'), true),
      ],
      { ...panel, title: 'Random features', x: features, y: share },
    ),
    linePanel(
      [
        line('one kind', 0, squaredOf('one')),
        line('two kinds', 1, squaredOf('two')),
        line('three kinds', 2, squaredOf('three')),
      ],
      {
        ...panel,
        title: 'Kinds of features of different scales',
        x: features,
        y: 'log₁₀ of the squared test error',
      },
    ),
    linePanel([line('test', 0, ofNetworks('test')), line('training', 0, ofNetworks('train'), true)], {
      ...panel,
      title: 'A network of one hidden layer',
      x: parameters,
      y: share,
    }),
    linePanel(
      [
        line(
          'test',
          0,
          networks.map(({ count, found }) =>
            point(size(count) / (rows * CLASSES), logSquared(found.map(({ test }) => test))),
          ),
        ),
      ],
      { ...panel, title: 'The same network', x: parameters, y: 'log₁₀ of the squared test error' },
    ),
    linePanel(
      [
        line('last step', 0, ofEncoders('last', 'test')),
        line('best validation', 1, ofEncoders('best', 'test')),
        line('training, last step', 0, ofEncoders('last', 'train'), true),
      ],
      { ...panel, title: 'A transformer, by finetune', x: across('width', encoderWidths), y: share },
    ),
  ],
  2,
);
