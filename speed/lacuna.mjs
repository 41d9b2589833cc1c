/** Lacuna as a contender: `node speed/lacuna.mjs FOLDER THREADS [recompute | webgpu]`; peers/README.md has the conversation. */
import { writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { nodeEngine } from '../dist/engine/node.js';
import { webgpuEngine } from '../dist/engine/webgpu.js';
import { Embedder, encoderParameters } from '../dist/finetuning/frozen-encoder.js';
import { version } from '../dist/version.js';
import { batchOfWorkload, trainerOf } from './trainer.mjs';
import { readWorkload } from './workload.mjs';

const [folder, threads, variant] = process.argv.slice(2);
const files = await readWorkload(folder);
const { workload, weights, batches, records } = files;
const { model, optimizer } = workload;
const { maxTokens } = model.spec;
const engine = await nodeEngine({ threads: Number(threads) });

/** @typedef {{ milliseconds: number[], losses?: number[] }} Reply */

async function trainer() {
  const trainer = trainerOf(files, engine, {
    recompute: variant === 'recompute',
    device: variant === 'webgpu' ? await webgpuEngine() : undefined,
  });
  const feeds = Array.from({ length: workload.batches }, (_, index) => batchOfWorkload(batches, index));
  let step = 0;
  return async (/** @type {number} */ count) => {
    /** @type {Required<Reply>} */
    const reply = { milliseconds: [], losses: [] };
    for (let i = 0; i < count; i++) {
      const started = performance.now();
      const batch = feeds[step % feeds.length];
      const { loss } = await trainer.step(maxTokens, batch, {
        step: ++step,
        learningRate: optimizer.learningRate,
      });
      reply.milliseconds.push(performance.now() - started);
      reply.losses.push(loss);
    }
    return reply;
  };
}

function embedder() {
  const embedder = new Embedder(engine, model, encoderParameters(model, weights, 'weights.safetensors'));
  const lengths = /** @type {Int32Array} */ (records.lengths.data);
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, i) => {
    offsets[i + 1] = offsets[i] + length;
  });
  const packed = (/** @type {Int32Array | Float32Array} */ data) => {
    const result = new /** @type {any} */ (data.constructor)(offsets[lengths.length]);
    lengths.forEach((length, i) => {
      result.set(data.subarray(i * maxTokens, i * maxTokens + length), offsets[i]);
    });
    return result;
  };
  const block = {
    count: lengths.length,
    offsets,
    ids: packed(/** @type {Int32Array} */ (records.ids.data)),
    values: records.values && packed(/** @type {Float32Array} */ (records.values.data)),
    rows: Int32Array.from(lengths, (_, i) => i),
  };
  return async (/** @type {string} */ out) => {
    const started = performance.now();
    const embeddings = await embedder.embed(block);
    const milliseconds = performance.now() - started;
    await writeFile(out, embeddings);
    return { milliseconds: [milliseconds] };
  };
}

/** @type {Awaited<ReturnType<typeof trainer>> | undefined} */
let train;
/** @type {ReturnType<typeof embedder> | undefined} */
let embed;
const say = (/** @type {object} */ message) => process.stdout.write(`${JSON.stringify(message)}\n`);
say({ version: `lacuna ${version}, node ${process.versions.node}` });
try {
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    if (command.do === 'train') {
      train ??= await trainer();
      say(await train(command.steps));
    } else {
      embed ??= embedder();
      say(await embed(command.out));
    }
  }
} catch (error) {
  console.error(/** @type {Error} */ (error).message);
  process.exit(1);
}
process.exit(0);
