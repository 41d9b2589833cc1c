import type { Engine, HostTensors } from '../../engine/engine.js';
import type { TokenStates } from '../../finetuning/token-states.js';
import {
  add,
  constant,
  divide,
  input,
  matmul,
  maximum,
  mean,
  multiply,
  parameter,
  parametersOf,
  relu,
  reshape,
  scalar,
  sharingLeaves,
  sqrt,
  subtract,
  sum,
  sumAll,
  type Value,
} from '../../graph/index.js';
import { crossEntropy } from '../../layers/losses.js';
import { initializeParameters } from '../../learning/parameters.js';
import { learningRateAt } from '../../learning/schedule.js';
import { trainingSteps } from '../../learning/steps.js';
import { Trainer } from '../../learning/trainer.js';
import { takeRecords } from '../../records/batch.js';
import type { TokenBlock } from '../../records/token-block.js';
import { centredSpace, place } from '../../search/vector-space.js';
import { permutation, random } from '../../tensor/random.js';
import { hostTensor } from '../../tensor/tensor.js';
import type { AnomalyMeasure } from './measure.js';
import { type AdaptRows, memoryOfParts } from './part-distance.js';

/** Normal records that the adapter learns from, and a step of its training: records, and parts of each. */
const LEARNED = 500;
const STEP = { records: 16, parts: 16 };
const TRAINING = { steps: 200, learningRate: 0.002, weightDecay: 0.01, clipNorm: 1 };
const TEMPERATURE = 0.1;

/**
 * The memory of normal parts after an adapter that was trained on normal records, locally and globally: z + relu(z A) B, with B
 * 0 at first. After LSFA (Tu et al., ECCV 2024), of which colours and depths are two views; a reconstruction for data of one
 * kind, from the abstract and its figures. Here the views are states for which another fifth of the record is not read. The loss is the
 * sum of three: a part is told from all other parts of the batch by its other view (local), and so is the mean of a
 * record's parts from other records' (global); and each part is drawn to the most similar part of another record (compactness, 1 − cosine).
 */
export const adaptedPartDistance: AnomalyMeasure = {
  description: 'the same after an adapter that was trained on normal records (after LSFA)',
  fit: (model, normal, signal) =>
    memoryOfParts(model, normal, {
      adapter: (states, records, own) => trainedAdapter(model.engine, states, records, own),
      signal,
    }),
};

/** float32[n, n]: 1 where a row is of the record of a column. */
function sameRecord(records: number, parts: number): Value {
  const n = records * parts;
  const same = (i: number) => Math.floor(Math.floor(i / n) / parts) === Math.floor((i % n) / parts);
  return constant(
    hostTensor(
      'float32',
      [n, n],
      Float32Array.from({ length: n * n }, (_, i) => Number(same(i))),
    ),
  );
}

const unit = (rows: Value): Value =>
  divide(rows, sqrt(add(sum(multiply(rows, rows), [1], { keepSizes: true }), scalar(1e-12))));

/** The mean cross-entropy of telling each row's other view among all others, from cosines / temperature. */
function contrast(first: Value, second: Value, count: number): Value {
  const own = constant(
    hostTensor(
      'int32',
      [count],
      Int32Array.from({ length: count }, (_, i) => i),
    ),
  );
  const loss = (a: Value, b: Value) =>
    crossEntropy(multiply(matmul(a, b, { transposeB: true }), scalar(1 / TEMPERATURE)), own);
  return multiply(sumAll(add(loss(first, second), loss(second, first))), scalar(0.5 / count));
}

/**
 * The loss of states float32[records · parts, width] under two views, `first` and `second`, after the adapter.
 * @internal
 */
export function adapterLoss(width: number, { records, parts } = STEP): Value {
  const n = records * parts;
  const down = parameter('down', [width, width], { kind: 'normal', deviation: 1 / Math.sqrt(width) });
  const up = parameter('up', [width, width], { kind: 'constant', value: 0 });
  const adapted = (name: string) => {
    const states = input(name, 'float32', [n, width]);
    return add(states, matmul(relu(matmul(states, down)), up));
  };
  const [a, b] = [adapted('first'), adapted('second')];
  const ofRecords = (rows: Value) => unit(mean(reshape(rows, [records, parts, width]), [1]));
  const [first, second] = [unit(a), unit(b)];
  const others = subtract(
    matmul(first, second, { transposeB: true }),
    multiply(sameRecord(records, parts), scalar(1e9)),
  );
  const compactness = subtract(scalar(1), multiply(sumAll(maximum(others, [1])), scalar(1 / n)));
  const local = contrast(first, second, n);
  const global = contrast(ofRecords(a), ofRecords(b), records);
  return add(add(local, global), compactness);
}

async function trainedAdapter(
  engine: Engine,
  states: TokenStates,
  normal: TokenBlock,
  signal?: AbortSignal,
): Promise<AdaptRows> {
  const { width } = states;
  const some = takeRecords(
    normal,
    Int32Array.from({ length: Math.min(LEARNED, normal.count) }, (_, i) => i),
  );
  const views = await Promise.all([1, 2].map((view) => states.of(some, view, signal)));
  // What states have in common says nothing of a part, and their size is the encoder's.
  const space = centredSpace(views[0], width);
  const placed = views.map((rows) => place(space, rows));
  const deviation = Math.sqrt(
    placed[0].reduce((total, value) => total + value * value, 0) / placed[0].length || 1,
  );
  const scaled = placed.map((rows) => rows.map((value) => value / deviation));
  const loss = sharingLeaves(() => adapterLoss(width));
  const graph = { loss, parameters: parametersOf([loss]), metrics: {}, evaluation: { loss } };
  const trainer = new Trainer(engine, { build: () => graph, ...TRAINING }, 0);
  try {
    trainer.begin(initializeParameters(trainer.layout, 0));
    const steps = trainingSteps(trainer, {
      batches: drawnParts(some, scaled, width),
      steps: TRAINING.steps,
      rate: (step) => learningRateAt(step, TRAINING.steps, 0, TRAINING.learningRate),
      signal,
    });
    for await (const _ of steps);
    signal?.throwIfAborted();
    await trainer.fetchState();
    const [down, up] = ['down', 'up'].map((name) => trainer.parameters[name].data.slice());
    return (rows) => {
      const out = place(space, rows).map((value) => value / deviation);
      adaptInPlace(out, { width, down, up });
      return out;
    };
  } finally {
    await trainer.release();
  }
}

/** z + relu(z A) B for each row. */
function adaptInPlace(
  rows: Float32Array,
  { width, down, up }: { width: number; down: Float32Array; up: Float32Array },
): void {
  const inner = new Float64Array(width);
  for (let start = 0; start < rows.length; start += width) {
    inner.fill(0);
    for (let i = 0; i < width; i++)
      for (let k = 0; k < width; k++) inner[k] += rows[start + i] * down[i * width + k];
    for (let k = 0; k < width; k++)
      if (inner[k] > 0) for (let j = 0; j < width; j++) rows[start + j] += inner[k] * up[k * width + j];
  }
}

/** Parts of records drawn at random, under both views, without end. */
function* drawnParts(
  { count, offsets }: TokenBlock,
  [first, second]: readonly Float32Array[],
  width: number,
): Generator<{ tokens: number; feeds: HostTensors }> {
  const shape = [STEP.records * STEP.parts, width];
  const size = STEP.records * STEP.parts * width;
  for (let step = 0; ; step++) {
    const source = random(0, 'parts of a step', step);
    const order = permutation(count, source);
    const taken = [new Float32Array(size), new Float32Array(size)];
    for (let i = 0; i < STEP.records * STEP.parts; i++) {
      const record = order[Math.floor(i / STEP.parts) % count];
      const token = offsets[record] + source.integer(offsets[record + 1] - offsets[record]);
      [first, second].forEach((rows, view) => {
        taken[view].set(rows.subarray(token * width, (token + 1) * width), i * width);
      });
    }
    yield {
      tokens: 0,
      feeds: {
        first: hostTensor('float32', shape, taken[0]),
        second: hostTensor('float32', shape, taken[1]),
      },
    };
  }
}
