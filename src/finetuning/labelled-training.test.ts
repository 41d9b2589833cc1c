import { afterEach, describe, expect, it } from 'vitest';
import type { EncoderKind } from '../encoders/index.js';
import { floats } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import { initializeParameters } from '../learning/parameters.js';
import { Trainer } from '../learning/trainer.js';
import { smallModel } from '../objectives/objective.case.js';
import { packBatch } from '../records/batch.js';
import type { LabelSpec } from '../scoring/labels.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { encoderNetwork, layerRate } from './labelled-training.js';

const engine = await nodeEngine({ threads: 1 });
const { tokenizer, block } = (await realRecords()).discrete;
const { spec } = tokenizer;

const trainers: Trainer[] = [];
afterEach(async () => {
  for (const trainer of trainers.splice(0)) await trainer.release();
});

const acid: LabelSpec = {
  task: 'binary',
  columns: ['acid'],
  targets: 1,
  outputs: 1,
  classes: [['0', '1']],
  reason: '',
};

describe.each(['perceiver', 'transformer'] as const)(
  'the rates of the layers of a %s',
  (kind: EncoderKind) => {
    const layers = 3;
    /** By how much the parameter that moves most, of those that have a name, moves in the first step at rate 0.01. */
    async function movements(layerDecay: number): Promise<Map<string, number>> {
      const small = smallModel(spec, 'random-masking', {}, kind);
      const network = encoderNetwork({ spec, encoder: { ...small.encoder, layers } });
      expect([network.layers, network.maxTokens]).toEqual([layers, spec.maxTokens]);
      const trainer = new Trainer(
        engine,
        {
          build: (tokens) => network.build(acid, 4, tokens),
          weightDecay: 0.01,
          clipNorm: 1,
          rateOf: (name) => layerRate(name, network.layers, layerDecay),
        },
        40,
      );
      trainers.push(trainer);
      trainer.begin(initializeParameters(trainer.layout, 1));
      const before = trainer.state.parameters.slice();
      const feeds = {
        ...tokenFeeds(packBatch(block, [0, 3, 7, 9], 4, 40)),
        labels: floats([4, 1], [1, 1, 0, 0]),
        label_weights: floats([4, 1], [1, 1, 1, 1]),
      };
      await trainer.gradient(40, feeds);
      // Long enough that the epsilon of AdamW is nothing beside it, in every layer.
      const { gradient, parameters } = trainer.state;
      for (let i = 0; i < gradient.length; i++) gradient[i] = gradient[i] < 0 ? -1 : 1;
      await trainer.update(1, 0.01, 1);
      return new Map(
        trainer.layout.slots.map(({ name, offset, length }) => {
          const moved = Array.from({ length }, (_, i) =>
            Math.abs(parameters[offset + i] - before[offset + i]),
          );
          return [name, moved.sort((a, b) => a - b)[length >> 1]];
        }),
      );
    }

    it('fall from the head down to the embedding, each layer by the decay', async () => {
      const expected = (name: string) => {
        if (name.startsWith('head.')) return 0.01;
        const layer = name.startsWith('encoder.first_layer.')
          ? '0'
          : /^encoder\.layers\.(\d)\./.exec(name)?.[1];
        // Of three layers the last is one below the head; the embedding is below the first.
        return 0.01 * (layer === undefined ? 0.5 ** 4 : 0.5 ** [3, 2, 1][Number(layer)]);
      };
      const found = await movements(0.5);
      for (const part of [
        'head.',
        kind === 'transformer' ? 'encoder.first_layer.' : 'encoder.layers.0.',
        'encoder.layers.1.',
        'encoder.layers.2.',
        'embedding.',
      ])
        expect(
          [...found.keys()].some((name) => name.startsWith(part)),
          part,
        ).toBe(true);
      for (const [name, moved] of found) expect(moved / expected(name), name).toBeCloseTo(1, 1);
    });

    it('are all the same without a decay', async () => {
      for (const [name, moved] of await movements(1)) expect(moved / 0.01, name).toBeCloseTo(1, 1);
    });
  },
);
