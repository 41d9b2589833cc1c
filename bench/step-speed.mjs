// Step time of a plain transformer against this machine's own matrix product: `npm run build && node bench/step-speed.mjs`.
// Prints medians of interleaved runs; the share is (floating-point operations of the step / its time) / the product's rate.
import { nodeEngine } from '../dist/engine/node.js';
import { input, matmul } from '../dist/graph/index.js';
import { random } from '../dist/tensor/random.js';
import { zeros } from '../dist/tensor/tensor.js';
import { adamW } from '../dist/training/adamw.js';
import {
  batchShape,
  gradientName,
  gradientProgram,
  objectiveOf,
  pretrainingGraph,
} from '../dist/training/model.js';
import { initializeParameters, parameterLayout, parameterViews } from '../dist/training/parameters.js';

const threads = Number(process.argv[2] ?? 2);
const profile = process.argv[3];
const [size, count, width, layers] = [8, 128, 256, 4];
const model = {
  spec: { kind: 'discrete', vocabulary: 26, maxTokens: count },
  encoder: {
    kind: 'transformer',
    latents: 0,
    width,
    embedWidth: width,
    layers,
    heads: 8,
    crossHeads: 1,
    widening: 4,
  },
  objective: {
    kind: 'random-masking',
    maskingRatio: 0.15,
    perQuery: 4,
    selectInitialRatio: null,
    scheduleFraction: 1,
    decoderHeads: 8,
    tiedOutput: true,
  },
};
const shape = batchShape(model, size, count);
const graph = pretrainingGraph(model, shape);
const layout = parameterLayout(graph.parameters);
const engine = await nodeEngine({ threads, ...(profile && { profilePrefix: profile }) });
const state = {
  parameters: initializeParameters(layout, 0),
  gradient: new Float32Array(layout.length),
  firstMoment: new Float32Array(layout.length),
  secondMoment: new Float32Array(layout.length),
};
const gradients = parameterViews(layout, state.gradient);
const program = gradientProgram('step', graph.loss, graph.parameters, {});
const started = performance.now();
const step = await engine.compile(program);
console.log(`compiled in ${(performance.now() - started).toFixed(0)} ms, ${layout.length} parameters`);
const update = await adamW(engine, layout, state, { weightDecay: 0.01 });

const batch = {
  rows: size,
  size,
  tokens: count,
  lengths: new Int32Array(size).fill(count),
  fileRows: new Int32Array(size),
};
const source = random(1, 'bench');
const ids = zeros('int32', [size, count]);
ids.data.forEach((_, i) => {
  ids.data[i] = 2 + source.integer(20);
});
const feeds = {
  ...parameterViews(layout, state.parameters),
  ids,
  lengths: { dtype: 'int32', shape: [size], data: batch.lengths },
  ...objectiveOf(model).draw(model.objective, model.spec, shape, batch, 1, (purpose, row) =>
    random(1, purpose, row),
  ),
};
const results = {
  loss: zeros('float32', []),
  ...Object.fromEntries(layout.slots.map(({ name }) => [gradientName(name), gradients[name]])),
};

const n = 2048;
const product = await engine.compile({
  name: 'product',
  outputs: { c: matmul(input('a', 'float32', [n, n]), input('b', 'float32', [n, n])) },
});
const [a, b, c] = [zeros('float32', [n, n]), zeros('float32', [n, n]), zeros('float32', [n, n])];
// Memory that was never written is mapped differently, and read at half the speed.
a.data.fill(0.5);
b.data.fill(0.25);
const timed = async (run) => {
  const t = performance.now();
  await run();
  return performance.now() - t;
};
const median = (values) => values.toSorted((x, y) => x - y)[values.length >> 1];
const times = { product: [], gradient: [], update: [] };
for (let i = 0; i < (profile ? 12 : 32); i++) {
  const productTime = await timed(() => product.run({ a, b }, { c }));
  const gradient = await timed(() => step.run(feeds, results));
  const updated = await timed(() => update.update(i + 1, 1e-3, 1));
  if (i < 4) continue;
  times.product.push(productTime);
  times.gradient.push(gradient);
  times.update.push(updated);
}
// Matrix products only: 12·width² parameters and 2·tokens·width for attention per token and layer, forward and twice backward.
const operations = 3 * 2 * size * count * layers * (12 * width * width + 2 * count * width);
const rate = (2 * n ** 3) / median(times.product) / 1e6;
const stepTime = median(times.gradient) + median(times.update);
console.log(
  JSON.stringify({
    threads,
    matmul_gflops: Math.round(rate),
    gradient_ms: +median(times.gradient).toFixed(1),
    update_ms: +median(times.update).toFixed(1),
    step_gflops: Math.round(operations / stepTime / 1e6),
    share: +(operations / stepTime / 1e6 / rate).toFixed(2),
    loss: results.loss.data[0],
  }),
);
await Promise.all([step, product, update].map((x) => x.release()));
