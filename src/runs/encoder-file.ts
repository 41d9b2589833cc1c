/** A trained encoder as one ONNX model. */
import type { Program } from '../graph/index.js';
import { encoderGraph, type ModelConfig } from '../learning/model.js';
import { encodeProgram } from '../onnx/encode.js';
import type { HostTensor } from '../tensor/tensor.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { version } from '../version.js';

/** The encoder for batches of any size: the tokens of a batch → `embedding` float32[batch, width] and all states. */
function encoderProgram(model: Pick<ModelConfig, 'spec' | 'encoder'>): Program {
  const { pooled, states } = encoderGraph(model, 'batch', model.spec.maxTokens);
  return { name: 'encoder', outputs: { embedding: pooled, states } };
}

/** What a model file says of itself. */
export const metadataOf = ({ encoder }: Pick<ModelConfig, 'encoder'>, tokenizer: Tokenizer) => ({
  lacuna: version,
  tokenizer: JSON.stringify(tokenizer.toJSON()),
  specification: JSON.stringify(tokenizer.spec),
  encoder: JSON.stringify(encoder),
});

/** The encoder with its parameters as the bytes of an ONNX model, whose metadata says how records become its inputs. */
export const encoderBytes = (
  model: Pick<ModelConfig, 'spec' | 'encoder'>,
  tokenizer: Tokenizer,
  parameters: Readonly<Record<string, HostTensor>>,
): Uint8Array =>
  encodeProgram(encoderProgram(model), {
    parameters: (name) => parameters[name],
    metadata: metadataOf(model, tokenizer),
  });
