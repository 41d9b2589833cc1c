/** The types that a program has which installed the package: compiled by `.ci/install` in an empty project. */
import { type PretrainOptions, pretrain } from 'lacuna';
import type { Encoder } from 'lacuna/encoders';
import { type HostTensor, hostTensor } from 'lacuna/engine';
import { subtract, sumAll, type Value } from 'lacuna/graph';
import { linear } from 'lacuna/layers';
import { type TrainableGraph, Trainer, trainingSteps } from 'lacuna/learning';
import type { Objective } from 'lacuna/objectives';
import { type LabelSpec, scoreTargets } from 'lacuna/scoring';
import type { Tokenizer } from 'lacuna/tokenizers';

export const options: PretrainOptions = {
  data: 'numbers.csv',
  out: 'run',
  config: { training: { steps: 3 } },
};
export const tensor: HostTensor<'float32'> = hostTensor('float32', [1], Float32Array.of(1));
export const project = (x: Value): Value => linear('projector', x, 8, { bias: true });

/** An objective of one's own: the mean embedding is pulled to zero. */
export const toZero: Objective<{ readonly weight: number }> = {
  paper: 'none',
  options: {
    weight: { type: undefined as never, description: 'weight of the loss', example: 1 },
  },
  defaults: (_spec, _encoder, { weight = 1 }) => ({ weight }),
  noise: () => ({}),
  draw: () => ({}),
  build(_options, { encode, rows }) {
    const { pooled } = encode();
    return { loss: sumAll(subtract(pooled, pooled)), weight: sumAll(rows) };
  },
};

export type Uses = [Encoder, TrainableGraph, LabelSpec, Tokenizer];
export const functions = [pretrain, Trainer, trainingSteps, scoreTargets];
