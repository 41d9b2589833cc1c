/** The entry point of the tokenize.js of an export: records in memory as what a model file is fed. */
import { tokenFeeds } from '../layers/token-embedding.js';
import { concatenateBlocks, packBatch } from '../records/batch.js';
import { parseSchema } from '../records/cells/schema.js';
import type { MemoryRecord } from '../records/memory-records.js';
import type { TokenBlock } from '../records/token-block.js';
import { restoreTokenizer } from '../tokenizers/index.js';
import { encodedMemory, type MemoryOptions, memoryOf } from './encoded-records.js';

/** An input of a model file, in the words of ONNX Runtime: `new Tensor(type, data, dims)`. */
export interface Feed {
  readonly type: 'int32' | 'float32';
  readonly data: Int32Array | Float32Array;
  readonly dims: readonly number[];
}

/**
 * From records to `ids` int32[records, maxTokens], `values` float32[records, maxTokens, channels], as far as the model has them,
 * and `lengths` int32[records]: the tokens that `load` reads, as one batch. Throws InputError that names the first bad record.
 */
export type Tokenize = (
  records: readonly MemoryRecord[],
  options?: MemoryOptions,
) => Promise<Readonly<Record<string, Feed>>>;

/**
 * Throws InputError for a kind of tokenizer that there is not.
 * @param tokenizer what tokenizer.json holds
 * @param schema what schema.json holds, where there is one
 */
export function openTokenizer(tokenizer: unknown, schema?: unknown): Tokenize {
  const restored = restoreTokenizer(tokenizer);
  const read = schema === undefined ? undefined : parseSchema(schema, 'schema.json');
  return async (records, options) => {
    const blocks: TokenBlock[] = [];
    const source = await memoryOf({ tokenizer: restored, schema: read }, records);
    for await (const { block } of encodedMemory(restored, source, options)) blocks.push(block);
    const block = concatenateBlocks(blocks);
    const places = Int32Array.from({ length: block.count }, (_, record) => record);
    const feeds = tokenFeeds(packBatch(block, places, block.count, restored.spec.maxTokens));
    return Object.fromEntries(
      Object.entries(feeds).map(([name, { dtype, data, shape }]) => [
        name,
        { type: dtype, data, dims: shape } as Feed,
      ]),
    );
  };
}
