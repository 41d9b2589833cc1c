/** TensorFlow.js as a contender: `node peer.mjs FOLDER THREADS`; ../README.md has the conversation. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { tensorFlow } from './backend.mjs';
import { modelOf } from './model.mjs';
import { startingWeights, trainer } from './training.mjs';

/** Records embedded at a time. */
const EMBEDDED = 16;

/** The tensors of a file, by name. */
async function readSafetensors(path) {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const { __metadata__, ...header } = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
  return Object.fromEntries(
    Object.entries(header).map(([name, { dtype, shape, data_offsets: offsets }]) => {
      const [start, end] = offsets.map((offset) => 8 + length + offset);
      // Copied, because it may lie at an address that no typed array can begin at.
      const own = bytes.slice(start, end);
      if (dtype === 'F32') return [name, { shape, data: new Float32Array(own) }];
      if (dtype === 'I32') return [name, { shape, data: new Int32Array(own) }];
      throw new Error(
        `${path}: expected tensors of type F32 or I32, but ${name} is ${dtype}; write the workload anew`,
      );
    }),
  );
}

const [folder, threads, kernels] = process.argv.slice(2);
if (folder === undefined || !(Number(threads) >= 1)) {
  throw new Error(`expected a folder and a number of threads, got ${process.argv.slice(2).join(' ')}`);
}
const { tf, version } = await tensorFlow(Number(threads), kernels === 'own-kernels');
const workload = JSON.parse(await readFile(join(folder, 'workload.json'), 'utf8'));
const read = (name) => readSafetensors(join(folder, `${name}.safetensors`));

async function embedder() {
  const model = modelOf(tf, workload.model, startingWeights(tf, await read('weights'), false));
  const { ids, lengths, values } = await read('records');
  const { maxTokens } = workload.model.spec;
  const count = lengths.data.length;
  /** The rows' first `tokens` tokens. */
  const packed = (data, rows, tokens) => {
    const result = new data.constructor(rows.length * tokens);
    rows.forEach((row, i) => {
      result.set(data.subarray(row * maxTokens, row * maxTokens + tokens), i * tokens);
    });
    return result;
  };
  return async (out) => {
    const started = performance.now();
    // By length, so that little of a batch is padding.
    const order = Array.from(lengths.data.keys()).sort((i, j) => lengths.data[i] - lengths.data[j]);
    const { width } = workload.model.encoder;
    const embeddings = new Float32Array(count * width);
    for (let start = 0; start < count; start += EMBEDDED) {
      const rows = order.slice(start, start + EMBEDDED);
      const own = Int32Array.from(rows, (row) => lengths.data[row]);
      const tokens = Math.max(...own);
      const batch = {
        lengths: own,
        ids: packed(ids.data, rows, tokens),
        values: values && packed(values.data, rows, tokens),
      };
      const embedded = tf.tidy(() => model.embed(batch).dataSync());
      rows.forEach((row, i) => {
        embeddings.set(embedded.subarray(i * width, (i + 1) * width), row * width);
      });
    }
    const milliseconds = performance.now() - started;
    await writeFile(out, embeddings);
    return { milliseconds: [milliseconds] };
  };
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
say({ version });
let train;
let embed;
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.do === 'train') {
    train ??= trainer(tf, { workload, weights: await read('weights'), batches: await read('batches') });
    say(train(command.steps));
  } else {
    embed ??= await embedder();
    say(await embed(command.out));
  }
}
process.exit(0);
