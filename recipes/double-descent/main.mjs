/** Double and multiple descent by width: docs/understanding/double-descent.md. */
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
  ? { rows: 40, tested: 200, side: 7, wrong: 0.2, steps: 100, rate: 0.01 }
  : { rows: 300, tested: 2000, side: 14, wrong: 0.2, steps: 3000, rate: 0.01 };
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
/** Of a network of so many units: weights and biases. */
const size = (/** @type {number} */ count) => count * (pixels + 1 + CLASSES) + CLASSES;

const kept = await keptResults(out, settings);

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
  const noisy = all.labels.map((label, i) =>
    i < 2 * rows && source.uniform() < wrong ? (label + 1 + source.integer(CLASSES - 1)) % CLASSES : label,
  );
  return { x: x.map((value) => value / deviation), labels: all.labels, noisy };
}

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

/** @type {Awaited<ReturnType<typeof randomFeatures>>[]} */
const bySeed = [];
for (let seed = 0; seed < seeds; seed++)
  bySeed.push(await kept(`random features, seed ${seed}`, () => randomFeatures(seed)));

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

console.log('\nA network of one hidden layer\n');
const networks = [];
for (const count of units) {
  /** @type {Awaited<ReturnType<typeof network>>[]} */
  const found = [];
  for (let seed = 0; seed < seeds; seed++)
    found.push(await kept(`${count} units, seed ${seed}`, () => network(count, seed)));
  networks.push({ count, found });
  const row = [
    String(count),
    String(size(count)),
    fixed(size(count) / (rows * CLASSES)),
    interval(missed(found.map(({ train }) => train))),
    interval(missed(found.map(({ test }) => test))),
    interval(logSquared(found.map(({ test }) => test))),
  ];
  if (count === units[0])
    console.log(
      '| units | parameters | / (records · classes) | training | test | squared error, log₁₀ |\n| --- | --- | --- | --- | --- | --- |',
    );
  console.log(`| ${row.join(' | ')} |`);
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
await writeFigure(
  out,
  [
    linePanel(
      [
        line(
          'a fifth wrong',
          0,
          overShares((width) => missed(regressions('one', width, 'wrong'))),
        ),
        line(
          'all right',
          2,
          overShares((width) => missed(regressions('one', width, 'right'))),
        ),
        line(
          'ridge',
          1,
          overShares((width) => missed(regressions('one', width, 'ridge'))),
        ),
        line(
          'training',
          0,
          overShares((width) => missed(regressions('one', width, 'train'))),
          true,
        ),
      ],
      { ...panel, title: 'Random features', x: features, y: 'share of digits that is wrong' },
    ),
    linePanel(
      [
        line(
          'one kind',
          0,
          overShares((width) => logSquared(regressions('one', width, 'wrong'))),
        ),
        line(
          'two kinds',
          1,
          overShares((width) => logSquared(regressions('two', width, 'wrong'))),
        ),
        line(
          'three kinds',
          2,
          overShares((width) => logSquared(regressions('three', width, 'wrong'))),
        ),
      ],
      {
        ...panel,
        title: 'Kinds of features of different scales',
        x: features,
        y: 'log₁₀ of the squared test error',
      },
    ),
    linePanel(
      [
        line(
          'test',
          0,
          networks.map(({ count, found }) =>
            point(size(count) / (rows * CLASSES), missed(found.map(({ test }) => test))),
          ),
        ),
        line(
          'training',
          0,
          networks.map(({ count, found }) =>
            point(size(count) / (rows * CLASSES), missed(found.map(({ train }) => train))),
          ),
          true,
        ),
      ],
      {
        ...panel,
        title: 'A network of one hidden layer',
        x: across('parameters / (records · classes)', [0.1, 0.2, 0.5, 1, 2, 5, 10, 20]),
        y: 'share of digits that is wrong',
      },
    ),
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
      {
        ...panel,
        title: 'The same, squared error',
        x: across('parameters / (records · classes)', [0.1, 0.2, 0.5, 1, 2, 5, 10, 20]),
        y: 'log₁₀ of the squared test error',
      },
    ),
  ],
  2,
);
