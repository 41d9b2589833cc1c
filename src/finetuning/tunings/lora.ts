import { z } from 'zod';
import { InputError } from '../../errors.js';
import {
  add,
  matmul,
  multiply,
  type ParameterNode,
  parameter,
  scalar,
  staticSize,
} from '../../graph/index.js';
import { AUXILIARY, type Tuning } from './tuning.js';

/** α / r: what the product of the two factors is multiplied by. */
const SCALE = 2;

const [DOWN, UP] = ['down', 'up'].map((part) => `${AUXILIARY}${part}.`);

/** The linear layers of an encoder: matrices that have weight decay. */
const adapts = ({ name, decay, outputs: [{ shape }] }: ParameterNode): boolean =>
  name.startsWith('encoder.') && decay && shape.length === 2;

/**
 * Low-rank adaptation (Hu et al., ICLR 2022): a linear layer's weights W float32[n, m] are fixed, and W + 2 · A · B with
 * A float32[n, r] and B float32[r, m] stands for them. A starts with deviation 1/√n and B at 0, so that training begins
 * with the pretrained network. Departure: all linear layers of attention and MLP have factors, not queries and values alone.
 */
export const lora: Tuning = {
  paper: 'Hu et al., ICLR 2022',
  options: {
    lora_rank: {
      type: z.int().min(1),
      description: 'rank of what is added to the weights of each linear layer (tuning lora)',
      example: 8,
    },
  },
  defaults: { lora_rank: 8 },
  learningRate: 0.003,
  moves: () => false,
  instead(node, fixed, { lora_rank: rank = 8 }) {
    if (!adapts(node)) return fixed;
    const [inputs, width] = node.outputs[0].shape.map(staticSize);
    if (rank > Math.min(inputs, width))
      throw new InputError(
        `finetune.lora_rank: expected at most ${Math.min(inputs, width)}, the smaller side of ${node.name}, got ${rank}`,
      );
    const down = parameter(`${DOWN}${node.name}`, [inputs, rank], {
      kind: 'normal',
      deviation: 1 / Math.sqrt(inputs),
    });
    const up = parameter(`${UP}${node.name}`, [rank, width], { kind: 'constant', value: 0 });
    return add(fixed, multiply(matmul(down, up), scalar(SCALE)));
  },
  merge(parameters) {
    for (const [name, { shape, data: up }] of Object.entries(parameters)) {
      if (!name.startsWith(UP)) continue;
      const own = name.slice(UP.length);
      const { data: down } = parameters[`${DOWN}${own}`];
      const [rank, width] = shape;
      parameters[own].data.forEach((value, at, weight) => {
        const [row, column] = [Math.floor(at / width), at % width];
        let product = 0;
        for (let k = 0; k < rank; k++) product += down[row * rank + k] * up[k * width + column];
        weight[at] = value + SCALE * product;
      });
      up.fill(0);
    }
  },
};
