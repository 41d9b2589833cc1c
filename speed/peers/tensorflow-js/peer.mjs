/** TensorFlow.js as a contender: `node peer.mjs FOLDER THREADS`; ../README.md has the conversation. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { tensorFlow } from './backend.mjs';
import { modelOf } from './model.mjs';

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

/** The starting weights as variables, which `variableGrads` tells apart by their names. */
async function startingWeights(trainable) {
  const weights = Object.entries(await read('weights'));
  return Object.fromEntries(
    weights.map(([name, { data, shape }]) => {
      const values = tf.tensor(data, shape);
      const variable = tf.variable(values, trainable, trainable ? name : undefined);
      values.dispose();
      return [name, variable];
    }),
  );
}

/** Gives a variable the value that `compute` returns, and lets go of all else. */
function replace(variable, compute) {
  const value = tf.tidy(compute);
  variable.assign(value);
  value.dispose();
}

/** AdamW over variables by name, which takes their gradients and how much to scale those by. */
function adamW(variables, decayed, { learningRate, beta1, beta2, epsilon, weightDecay }) {
  const decays = new Set(decayed);
  const moments = Object.fromEntries(
    Object.entries(variables).map(([name, values]) => {
      const [first, second] = [0, 1].map(() => tf.tidy(() => tf.variable(tf.zerosLike(values), false)));
      return [name, { first, second }];
    }),
  );
  return (step, gradients, scale) => {
    const rate = learningRate / (1 - beta1 ** step);
    const correction = 1 / Math.sqrt(1 - beta2 ** step);
    for (const [name, values] of Object.entries(variables)) {
      const { first, second } = moments[name];
      const gradient = gradients[name];
      const firstShare = (1 - beta1) * scale;
      const secondShare = (1 - beta2) * scale * scale;
      replace(first, () => tf.add(tf.mul(first, beta1), tf.mul(gradient, firstShare)));
      replace(second, () => tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), secondShare)));
      replace(values, () => {
        const size = tf.add(tf.mul(tf.sqrt(second), correction), epsilon);
        const kept = decays.has(name) ? tf.mul(values, 1 - learningRate * weightDecay) : values;
        return tf.sub(kept, tf.div(tf.mul(first, rate), size));
      });
    }
  };
}

/** The Euclidean norm of all tensors together. Rows are added up first, which loses less in single precision. */
const normOf = (tensors) =>
  Math.sqrt(tf.tidy(() => tf.addN(tensors.map((x) => tf.sum(tf.sum(tf.square(x), -1)))).dataSync()[0]));

async function trainer() {
  const variables = await startingWeights(true);
  const tensors = await read('batches');
  const batches = Array.from({ length: workload.batches }, (_, index) =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([name]) => name.startsWith(`${index}.`))
        .map(([name, { data }]) => [name.slice(`${index}.`.length), data]),
    ),
  );
  const { optimizer, decayed } = workload;
  const model = modelOf(tf, workload.model, variables);
  const update = adamW(variables, decayed, optimizer);
  const list = Object.values(variables);
  let step = 0;
  return (count) => {
    const reply = { milliseconds: [], losses: [] };
    for (let i = 0; i < count; i++) {
      const started = performance.now();
      const batch = batches[step % batches.length];
      const { value, grads } = tf.variableGrads(() => model.loss(batch), list);
      const norm = normOf(Object.values(grads));
      update(++step, grads, norm > optimizer.clipNorm ? optimizer.clipNorm / norm : 1);
      const [loss] = value.dataSync();
      tf.dispose([value, grads]);
      reply.milliseconds.push(performance.now() - started);
      reply.losses.push(loss);
    }
    return reply;
  };
}

async function embedder() {
  const model = modelOf(tf, workload.model, await startingWeights(false));
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
    train ??= await trainer();
    say(train(command.steps));
  } else {
    embed ??= await embedder();
    say(await embed(command.out));
  }
}
process.exit(0);
