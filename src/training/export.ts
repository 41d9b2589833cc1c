import type { Program } from '../graph/index.js';
import { encodeProgram } from '../onnx/encode.js';
import type { HostTensor } from '../tensor/tensor.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { version } from '../version.js';
import { writeFileAtomically } from './atomic-file.js';
import { encoderGraph, type ModelConfig } from './model.js';

/** The encoder for batches of any size: the tokens of a batch → `embedding` float32[batch, width] and all states. */
export function encoderProgram(model: Pick<ModelConfig, 'spec' | 'encoder'>): Program {
  const { pooled, states } = encoderGraph(model, 'batch', model.spec.maxTokens);
  return { name: 'encoder', outputs: { embedding: pooled, states } };
}

/** Writes the encoder with its parameters as an ONNX model, whose metadata says how records become its inputs. */
export async function writeEncoder(
  path: string,
  model: Pick<ModelConfig, 'spec' | 'encoder'>,
  tokenizer: Tokenizer,
  parameters: Readonly<Record<string, HostTensor>>,
): Promise<void> {
  const bytes = encodeProgram(encoderProgram(model), {
    parameters: (name) => parameters[name],
    metadata: {
      lacuna: version,
      tokenizer: JSON.stringify(tokenizer.toJSON()),
      specification: JSON.stringify(tokenizer.spec),
      encoder: JSON.stringify(model.encoder),
    },
  });
  await writeFileAtomically(path, [bytes]);
}
