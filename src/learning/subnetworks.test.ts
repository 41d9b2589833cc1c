import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EncoderPart } from '../encoders/encoder.js';
import type { Engine, HostTensors } from '../engine/engine.js';
import { nodeEngine } from '../engine/node.js';
import { packBatch } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { marginalPrediction } from './marginal.js';
import type { ModelConfig } from './model.js';
import { initializeParameters, parameterViews } from './parameters.js';
import { batchFeeds, pretrainingGraphFor } from './self-supervision.js';
import {
  checkSubnetworks,
  type Drawn,
  drawPart,
  savedOperations,
  shareAt,
  subnetworksOf,
  substituteOf,
} from './subnetworks.js';
import { type Substitute, Trainer } from './trainer.js';

const [SIZE, TOKENS] = [4, 12];
const model = {
  spec: { kind: 'discrete', vocabulary: 9, maxTokens: TOKENS },
  encoder: { kind: 'transformer', width: 8, embed_width: 8, layers: 4, heads: 4, widening: 2 },
  objective: { kind: 'random-masking', masking_ratio: 0.3, decoder_heads: 2, tied_output: true },
} as ModelConfig;

const source = random(3, 'tokens');
const block: TokenBlock = {
  count: SIZE,
  offsets: Int32Array.from({ length: SIZE + 1 }, (_, i) => i * TOKENS),
  ids: Int32Array.from({ length: SIZE * TOKENS }, () => 2 + source.integer(7)),
  rows: Int32Array.from({ length: SIZE }, (_, i) => i),
};

let engine: Engine;
let feeds: HostTensors;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
  const batch = packBatch(block, [0, 1, 2, 3], SIZE, TOKENS);
  feeds = {
    ...batchFeeds(model, batch, { seed: 1, purpose: 'training', step: 0, progress: 0 }),
    marginal: marginalPrediction(model.spec, block),
  };
});
const trainers: Trainer[] = [];
afterAll(async () => {
  for (const trainer of trainers) await trainer.release();
});

/** A trainer with given parameters, or drawn ones. */
function trainerWith(substitute?: Substitute, parameters?: Float32Array): Trainer {
  const trainer = new Trainer(
    engine,
    {
      build: (tokens) => pretrainingGraphFor(model, SIZE, tokens),
      weightDecay: 0,
      clipNorm: 1e9,
      ...(substitute && { substitute: () => substitute }),
    },
    TOKENS,
  );
  trainers.push(trainer);
  trainer.begin(parameters ?? initializeParameters(trainer.layout, 1));
  return trainer;
}

/** The loss and the gradient of a step that moves nothing. */
async function lossAndGradient(trainer: Trainer) {
  const { loss } = await trainer.step(TOKENS, feeds, { step: 1, learningRate: 0 });
  return { loss, gradient: trainer.state.gradient.slice() };
}

const substitute = (part: EncoderPart, drawn: Drawn): Substitute => substituteOf(model, part, drawn, SIZE);

describe('a part of a network', () => {
  const part: EncoderPart = { layers: 2, heads: 2, hidden: 8 };

  it('is the whole network in which all that was not drawn adds nothing', async () => {
    const drawn = drawPart(model, part, 5, 7);
    const { loss, gradient } = await lossAndGradient(trainerWith(substitute(part, drawn)));

    const whole = trainerWith();
    const parameters = whole.state.parameters.slice();
    const views = parameterViews(whole.layout, parameters);
    // float32[parameters]: 0 for what was not drawn, 1 for the rest.
    const factors = parameterViews(whole.layout, new Float32Array(parameters.length).fill(1));
    const rows = (layer: number, name: string, each: number, kept: readonly number[] | undefined) => {
      const key = `encoder.layers.${layer}.${name}`;
      const [count, width] = views[key].shape;
      for (let row = 0; row < count; row++) {
        const factor = kept?.includes(Math.floor(row / each)) ? 1 : 0;
        views[key].data.subarray(row * width, (row + 1) * width).forEach((value, i) => {
          views[key].data[row * width + i] = factor * value;
          factors[key].data[row * width + i] = factor;
        });
      }
    };
    for (const layer of [1, 2, 3]) {
      const kept = drawn.layers.find((own) => own.layer === layer);
      rows(layer, 'attention.output.weight', 2, kept?.heads);
      rows(layer, 'mlp.contract.weight', 1, kept?.hidden);
    }
    const masked = await lossAndGradient(trainerWith(undefined, parameters));
    expect(loss).toBeCloseTo(masked.loss, 5);
    const ofMasked = parameterViews(whole.layout, masked.gradient);
    const ofPart = parameterViews(whole.layout, gradient);
    for (const [name, { data }] of Object.entries(ofPart)) {
      data.forEach((value, i) => {
        expect(value, name).toBeCloseTo(factors[name].data[i] * ofMasked[name].data[i], 5);
      });
    }
  });

  it('is the whole network where everything is drawn', async () => {
    const all: EncoderPart = { layers: 3, heads: 4, hidden: 16 };
    const whole = await lossAndGradient(trainerWith());
    const same = await lossAndGradient(trainerWith(substitute(all, drawPart(model, all, 0, 1))));
    expect(same.loss).toBeCloseTo(whole.loss, 6);
    same.gradient.forEach((value, i) => {
      expect(value).toBeCloseTo(whole.gradient[i], 6);
    });
  });

  it('is drawn evenly, and anew for each step', () => {
    const counts = new Float64Array(4);
    for (let step = 1; step <= 400; step++)
      for (const { layer, heads, hidden } of drawPart(model, part, 0, step).layers) {
        expect([...heads].sort((a, b) => a - b)).toEqual(heads);
        expect(new Set(hidden).size).toBe(8);
        counts[layer] += 1 / 400;
      }
    for (const layer of [1, 2, 3]) expect(counts[layer]).toBeCloseTo(2 / 3, 1);
    expect(drawPart(model, part, 0, 1)).toEqual(drawPart(model, part, 0, 1));
    expect(drawPart(model, part, 0, 1)).not.toEqual(drawPart(model, part, 0, 2));
  });
});

describe('subnetworks', () => {
  it('grow in three stages to the whole', () => {
    expect([0, 33, 34, 66, 67, 99].map((step) => shareAt(step, 100, 0.5))).toEqual([
      0.5, 0.5, 0.75, 0.75, 1, 1,
    ]);
    const of = subnetworksOf(model, { subnetworks: 0.5, steps: 9, seed: 0 }, SIZE);
    expect([1, 3, 4, 6, 7, 9].map((step) => of(step)?.key)).toEqual([
      'part 2 2 8',
      'part 2 2 8',
      'part 2 3 12',
      'part 2 3 12',
      undefined,
      undefined,
    ]);
  });

  it('save operations, more of them the smaller the parts', () => {
    const saved = (share: number) => savedOperations(model, { subnetworks: share }, SIZE, TOKENS);
    expect(saved(0.5)).toBeGreaterThan(0.1);
    expect(saved(0.25)).toBeGreaterThan(saved(0.5));
    expect(saved(0.25)).toBeLessThan(2 / 3);
  });

  it('learn: the loss of the whole falls', async () => {
    const of = subnetworksOf(model, { subnetworks: 0.5, steps: 40, seed: 0 }, SIZE);
    const trainer = new Trainer(
      engine,
      {
        build: (tokens) => pretrainingGraphFor(model, SIZE, tokens),
        weightDecay: 0,
        clipNorm: 1,
        substitute: of,
      },
      TOKENS,
    );
    trainers.push(trainer);
    trainer.begin(initializeParameters(trainer.layout, 1));
    const loss = async () => Number((await trainer.evaluate(TOKENS, feeds)).loss.data[0]);
    const before = await loss();
    for (let step = 1; step <= 25; step++) await trainer.step(TOKENS, feeds, { step, learningRate: 0.01 });
    expect(await loss()).toBeLessThan(before - 0.2);
  });

  it('are refused where there are none, and on a device', () => {
    const of = (encoder: object, objective: object = {}) =>
      ({
        ...model,
        encoder: { ...model.encoder, ...encoder },
        objective: { ...model.objective, ...objective },
      }) as ModelConfig;
    expect(() => checkSubnetworks(model)).not.toThrow();
    expect(() => checkSubnetworks(of({ kind: 'convolution' }))).toThrow('this one is convolution of 4');
    expect(() => checkSubnetworks(of({ layers: 1 }))).toThrow(
      'needs --encoder transformer of at least two layers',
    );
    expect(() => checkSubnetworks(of({}, { kind: 'byol' }))).toThrow('byol has a target network');
    expect(() => checkSubnetworks(model, { device: 'webgpu' })).toThrow('training.device is webgpu');
  });
});
