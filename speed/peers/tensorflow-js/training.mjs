/** Steps of training in TensorFlow.js, in Node and in a page. */
import { modelOf } from './model.mjs';

/** The starting weights as variables, which `variableGrads` tells apart by their names. */
export function startingWeights(tf, weights, trainable) {
  return Object.fromEntries(
    Object.entries(weights).map(([name, { data, shape }]) => {
      const values = tf.tensor(data, shape);
      const variable = tf.variable(values, trainable, trainable ? name : undefined);
      values.dispose();
      return [name, variable];
    }),
  );
}

/** Gives a variable the value that `compute` returns, and lets go of all else. */
function replace(tf, variable, compute) {
  const value = tf.tidy(compute);
  variable.assign(value);
  value.dispose();
}

/** AdamW over variables by name, which takes their gradients and how much to scale those by. */
function adamW(tf, variables, decayed, { learningRate, beta1, beta2, epsilon, weightDecay }) {
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
      replace(tf, first, () => tf.add(tf.mul(first, beta1), tf.mul(gradient, firstShare)));
      replace(tf, second, () => tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), secondShare)));
      replace(tf, values, () => {
        const size = tf.add(tf.mul(tf.sqrt(second), correction), epsilon);
        const kept = decays.has(name) ? tf.mul(values, 1 - learningRate * weightDecay) : values;
        return tf.sub(kept, tf.div(tf.mul(first, rate), size));
      });
    }
  };
}

/** The Euclidean norm of all tensors together. Rows are added up first, which loses less in single precision. */
const normOf = (tf, tensors) =>
  Math.sqrt(tf.tidy(() => tf.addN(tensors.map((x) => tf.sum(tf.sum(tf.square(x), -1)))).dataSync()[0]));

/** Takes steps from the starting weights, `count` at a time; step n (from 0) is on batch n mod `batches`. */
export function trainer(tf, { workload, weights, batches: tensors }) {
  const variables = startingWeights(tf, weights, true);
  const batches = Array.from({ length: workload.batches }, (_, index) =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([name]) => name.startsWith(`${index}.`))
        .map(([name, { data }]) => [name.slice(`${index}.`.length), data]),
    ),
  );
  const { optimizer, decayed } = workload;
  const model = modelOf(tf, workload.model, variables);
  const update = adamW(tf, variables, decayed, optimizer);
  const list = Object.values(variables);
  let step = 0;
  return (count) => {
    const reply = { milliseconds: [], losses: [] };
    for (let i = 0; i < count; i++) {
      const started = performance.now();
      const batch = batches[step % batches.length];
      const { value, grads } = tf.variableGrads(() => model.loss(batch), list);
      const norm = normOf(tf, Object.values(grads));
      update(++step, grads, norm > optimizer.clipNorm ? optimizer.clipNorm / norm : 1);
      const [loss] = value.dataSync();
      tf.dispose([value, grads]);
      reply.milliseconds.push(performance.now() - started);
      reply.losses.push(loss);
    }
    return reply;
  };
}
