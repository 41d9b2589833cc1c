/** In-context linear regression by one layer of linear self-attention: docs/understanding/in-context-regression.md. */
import { random } from 'lacuna/learning';
import { PALETTE } from '../../dist/report/charts.js';
import { linePanel } from '../../dist/report/line-panel.js';
import { heading } from '../../dist/report/panel.js';
import { markdownTable } from '../../speed/table.mjs';
import {
  evaluate,
  fixed,
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
  alongAxes,
  bestPreconditioner,
  bestRate,
  drawPrompts,
  linearAttention,
  promptGraph,
  readLayer,
  ridge,
  squaredLoss,
  stepError,
  structuredStart,
} from './linear-attention.mjs';

const { out, seeds, quick } = studyOptions(
  'in-context-regression',
  'Trains one linear attention layer on prompts of linear regression, and compares it with one step of gradient descent.',
);

/** Variances of x along their axes, which add up to their number; examples in a prompt of training; deviation of the noise. */
const settings = {
  variances: [2.4, 1.5, 0.9, 0.6, 0.36, 0.24],
  examples: 24,
  noise: 0.5,
  batch: 256,
  steps: quick ? 50 : 3000,
  rate: 0.01,
  tested: quick ? 200 : 2000,
};
const { variances, examples, noise, batch, steps, rate, tested } = settings;
const d = variances.length;
/** The second layer learns from prompts whose x are multiplied by up to this or divided by it. */
const WIDEST = 2;
const lengths = quick ? [6, 24] : [3, 6, 12, 24, 48, 96, 192];
const scales = quick ? [0.5, 2] : [0.25, 0.5, 0.71, 1, 1.41, 2, 2.83];
const problem = { variances, examples, noise };

const ofSeeds = await keptResults({ out, seeds }, settings);
const axes = orthonormalRows(d, d, random(0, 'axes'));
/** Means of c² and c³ for the variance c = scale², whose logarithm is drawn evenly from −2 log WIDEST to 2 log WIDEST. */
const moment = (/** @type {number} */ k) =>
  (WIDEST ** (2 * k) - WIDEST ** (-2 * k)) / (4 * k * Math.log(WIDEST));
const anyScale = (/** @type {import('lacuna/learning').Random} */ { uniform }) =>
  WIDEST ** (2 * uniform() - 1);
const layers = {
  fixed: {
    trainedOn: 'inputs of one scale',
    scale: () => 1,
    beta: bestPreconditioner(problem),
    drawn: false,
  },
  varied: {
    trainedOn: 'inputs of many scales',
    scale: anyScale,
    beta: bestPreconditioner(problem, [moment(2), moment(3)]),
    drawn: false,
  },
  drawn: {
    trainedOn: 'inputs of one scale, all entries drawn at the start',
    scale: () => 1,
    beta: bestPreconditioner(problem),
    drawn: true,
  },
};
const plain = variances.map(() => bestRate(problem));

/** Trains a layer: the entries of its two matrices. */
async function trainLayer(/** @type {keyof typeof layers} */ name, /** @type {number} */ seed) {
  const graph = promptGraph({ size: batch, examples, axes, variances, noise });
  const loss = squaredLoss(linearAttention(graph), graph.target);
  const trained = await train(loss, {
    steps,
    rate,
    seed,
    start: layers[name].drawn ? {} : structuredStart(d, random(seed, 'start')),
    feeds: (step) =>
      drawPrompts(
        { size: batch, examples, d, scale: layers[name].scale },
        random(seed, `${name} prompts`, step),
      ),
  });
  return Object.fromEntries(
    Object.entries(trained).map(([key, { data }]) => [key, Array.from(/** @type {Float32Array} */ (data))]),
  );
}

/** @typedef {{ examples: number, scale?: number, taskDeviation?: number, variances?: readonly number[], queryVariances?: readonly number[] }} Case */

/** Errors on new prompts, that of the prediction 0 being 1: of a layer, and of ridge regression on the same prompts. */
async function testLayer(
  /** @type {Record<string, number[]>} */ matrices,
  /** @type {Case} */ { examples: length, scale = 1, taskDeviation, ...own },
  /** @type {number} */ seed,
) {
  const size = Math.max(1, Math.min(tested, Math.floor(20_000 / length)));
  const graph = promptGraph({ size, examples: length, axes, variances, noise, ...own });
  const prediction = linearAttention(graph);
  let [error, ridged, nothing] = [0, 0, 0];
  for (let part = 0; part * size < tested; part++) {
    const prompts = drawPrompts(
      { size, examples: length, d, taskDeviation, scale: () => scale },
      random(seed, 'test prompts', length, part),
    );
    const parameters = Object.fromEntries(
      Object.entries(matrices).map(([key, values]) => [
        key,
        { dtype: /** @type {const} */ ('float32'), shape: [d + 1, d + 1], data: Float32Array.from(values) },
      ]),
    );
    const found = await evaluate('layer', { ...graph, prediction }, { ...prompts, ...parameters });
    const data = (/** @type {string} */ key) => /** @type {Float32Array} */ (found[key].data);
    for (let row = 0; row < size; row++) {
      const target = data('target')[row];
      const own = (/** @type {string} */ key, /** @type {number} */ count) =>
        data(key).subarray(row * count, (row + 1) * count);
      nothing += target ** 2;
      error += (data('prediction')[row] - target) ** 2;
      ridged += (ridge(own('x', length * d), own('y', length), own('query', d), noise ** 2) - target) ** 2;
    }
  }
  return { layer: error / nothing, ridge: ridged / nothing };
}

/** @type {Record<string, Record<string, number[]>[]>} */
const trained = {};
for (const name of /** @type {(keyof typeof layers)[]} */ (Object.keys(layers)))
  trained[name] = await ofSeeds(`${name} layer`, (seed) => trainLayer(name, seed));

console.log('What the layers learned\n');
/** @type {Record<string, number[][]>} */
const learned = {};
const read = [];
for (const [name, { trainedOn, beta }] of Object.entries(layers)) {
  const theory = alongAxes(beta, axes);
  const found = trained[name].map((matrices) =>
    readLayer(Float32Array.from(matrices['key-query']), Float32Array.from(matrices['projection-value']), d),
  );
  learned[name] = found.map(({ B }) => B);
  const differences = found.map(
    ({ B }) => Math.hypot(...B.map((value, i) => value - theory[i])) / Math.hypot(...theory),
  );
  const tests = await ofSeeds(`${name} layer, ${examples} examples`, (seed) =>
    testLayer(trained[name][seed], { examples }, seed),
  );
  const each = (/** @type {readonly number[]} */ values) => values.map((value) => fixed(value)).join(', ');
  read.push([
    trainedOn,
    each(differences),
    each(found.map(({ elsewhere }) => Math.max(...elsewhere))),
    each(tests.map(({ layer }) => layer)),
    fixed(stepError(beta, problem)),
  ]);
}
console.log(
  markdownTable([
    ['trained on', '‖B − theory‖ / ‖theory‖, by seed', 'entries that should be 0', 'error', 'theory'],
    ...read,
  ]),
);

console.log('\nError against the number of examples, of predicting 0 as 1\n');
const byLength = [];
for (const length of lengths) {
  const found = await ofSeeds(`${length} examples`, (seed) =>
    testLayer(trained.fixed[seed], { examples: length }, seed),
  );
  byLength.push({
    length,
    layer: found.map(({ layer }) => layer),
    ridge: found.map((one) => one.ridge),
    theory: stepError(layers.fixed.beta, { ...problem, examples: length }),
    plain: stepError(plain, { ...problem, examples: length }),
  });
}
console.log(
  markdownTable([
    ['examples', 'layer', 'preconditioned step, theory', 'plain step, theory', 'ridge'],
    ...byLength.map((row) => [
      String(row.length),
      interval(row.layer),
      fixed(row.theory),
      fixed(row.plain),
      interval(row.ridge),
    ]),
  ]),
);

const even = variances.map(() => 1);
const reversed = variances.toReversed();
const LONG = lengths[lengths.length - 1];
/** @type {readonly (readonly [string, Case])[]} */
const shifts = [
  ['none', { examples: LONG }],
  ['tasks three times as large', { examples: LONG, taskDeviation: 3 }],
  ['queries of equal variances', { examples: LONG, queryVariances: even }],
  ['queries of reversed variances', { examples: LONG, queryVariances: reversed }],
  ['all inputs of reversed variances', { examples: LONG, variances: reversed }],
];
console.log(`\nShifts, prompts of ${LONG} examples\n`);
const shifted = [];
for (const [name, shift] of shifts) {
  const found = await ofSeeds(`shift: ${name}`, (seed) => testLayer(trained.fixed[seed], shift, seed));
  const tested = { ...problem, ...shift };
  shifted.push([
    name,
    interval(found.map(({ layer }) => layer)),
    fixed(stepError(layers.fixed.beta, tested)),
    fixed(stepError(plain, tested)),
    interval(found.map((one) => one.ridge)),
  ]);
}
console.log(
  markdownTable([
    ['shift', 'layer', 'preconditioned step, theory', 'plain step, theory', 'ridge'],
    ...shifted,
  ]),
);

console.log(`\nAll inputs multiplied, prompts of ${LONG} examples\n`);
/** @type {{ scale: number; errors: Record<string, number[]>; theory: number; wide: number }[]} */
const byScale = [];
for (const scale of scales) {
  /** @type {Record<string, number[]>} */
  const errors = { ridge: [] };
  for (const name of ['fixed', 'varied']) {
    const found = await ofSeeds(`${name} layer, scale ${scale}`, (seed) =>
      testLayer(trained[name][seed], { examples: LONG, scale }, seed),
    );
    errors[name] = found.map(({ layer }) => layer);
    errors.ridge = found.map((one) => one.ridge);
  }
  const tested = { ...problem, examples: LONG, variances: variances.map((v) => v * scale ** 2) };
  byScale.push({
    scale,
    errors,
    theory: stepError(layers.fixed.beta, tested),
    wide: stepError(layers.varied.beta, tested),
  });
}
console.log(
  markdownTable([
    ['scale', 'layer', 'theory', 'layer, many scales', 'theory', 'ridge'],
    ...byScale.map(({ scale, errors, theory, wide }) => [
      String(scale),
      interval(errors.fixed),
      fixed(theory),
      interval(errors.varied),
      fixed(wide),
      interval(errors.ridge),
    ]),
  ]),
);

/** A square of numbers, coloured. */
const matrixPanel = (
  /** @type {string} */ title,
  /** @type {string} */ subtitle,
  /** @type {readonly number[]} */ values,
) => {
  const cells = {
    x: { field: 'column', type: 'ordinal', axis: null },
    y: { field: 'row', type: 'ordinal', axis: null },
  };
  const most = Math.max(...values.map(Math.abs));
  // Towards white by as much as a value is nearer to 0.
  const shade = (/** @type {number} */ value) => {
    const hue = PALETTE[value < 0 ? 1 : 4];
    const part = (/** @type {number} */ at) =>
      Math.round(255 + (Number.parseInt(hue.slice(at, at + 2), 16) - 255) * (Math.abs(value) / most));
    return `rgb(${part(1)}, ${part(3)}, ${part(5)})`;
  };
  return {
    title: heading(title, subtitle),
    width: 330,
    height: 260,
    data: {
      values: values.map((value, i) => ({
        row: Math.floor(i / d),
        column: i % d,
        value,
        text: fixed(value).slice(0, -1),
        shade: shade(value),
      })),
    },
    layer: [
      {
        mark: { type: 'rect' },
        encoding: {
          ...cells,
          color: { field: 'shade', type: 'nominal', scale: null },
        },
      },
      { mark: { type: 'text', fontSize: 12 }, encoding: { ...cells, text: { field: 'text' } } },
    ],
  };
};
const meanB = Array.from(
  { length: d * d },
  (_, i) => learned.fixed.reduce((sum, B) => sum + B[i], 0) / seeds,
);
const logarithmic = (/** @type {string} */ title, /** @type {readonly number[]} */ values) => ({
  title,
  scale: { type: 'log', nice: false },
  axis: { values, grid: false },
});
const logarithms = (/** @type {'fixed' | 'varied' | 'ridge'} */ of) =>
  byScale.map(({ scale, errors }) => point(scale, errors[of].map(Math.log10)));
await writeFigure(
  out,
  [
    matrixPanel('What the layer learned', 'B, mean over seeds', meanB),
    matrixPanel('What it should learn', 'B of the theory', alongAxes(layers.fixed.beta, axes)),
    linePanel(
      [
        line(
          'layer',
          0,
          byLength.map((row) => point(row.length, row.layer)),
        ),
        line(
          'its theory',
          0,
          byLength.map((row) => point(row.length, [row.theory])),
          true,
        ),
        line(
          'plain step',
          1,
          byLength.map((row) => point(row.length, [row.plain])),
          true,
        ),
        line(
          'ridge',
          2,
          byLength.map((row) => point(row.length, row.ridge)),
        ),
      ],
      {
        title: 'More examples than in training',
        width: 330,
        height: 260,
        x: logarithmic(`examples in a prompt (${examples} in training)`, lengths),
        y: 'squared error, of predicting 0 as 1',
      },
    ),
    linePanel(
      [
        line('layer', 0, logarithms('fixed')),
        line('many scales', 3, logarithms('varied')),
        line('ridge', 2, logarithms('ridge')),
      ],
      {
        title: 'Inputs of another scale',
        width: 330,
        height: 260,
        x: logarithmic('all inputs of a prompt multiplied by (1 in training)', scales),
        y: 'log₁₀ of the squared error, of predicting 0 as 1',
        level: { label: 'predicting 0', value: 0, style: { color: '#777777', hollow: true } },
      },
    ),
  ],
  2,
);
