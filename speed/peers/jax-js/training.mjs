/** The model of ../README.md and its training in jax-js: one compiled function for a step. */
import { EXCLUDED, largest, paddingMask } from '../tensorflow-js/model.mjs';

/**
 * What is given of a batch: ids and positions of hidden tokens as rows of ones and zeros, what is added to the scores of
 * attention, and weights of the predictions.
 */
function givenOf(np, { spec }, { ids, lengths, used, scores }) {
  const batch = lengths.length;
  const tokens = ids.length / batch;
  const k = used.length / batch;
  const positions = largest(scores, lengths, k);
  const excluded = paddingMask(lengths, tokens);
  positions.forEach((position, place) => {
    if (used[place] > 0) excluded[Math.floor(place / k) * tokens + position] = EXCLUDED;
  });
  const total = used.reduce((sum, weight) => sum + weight, 0) || 1;
  const rowsOf = (indices, size, weight = () => 1) => {
    const rows = new Float32Array(indices.length * size);
    indices.forEach((index, i) => {
      rows[i * size + index] = weight(i);
    });
    return np.array(rows, { shape: [indices.length, size] });
  };
  const hidden = positions.map((position, place) => ids[Math.floor(place / k) * tokens + position]);
  return {
    tokens: rowsOf(ids, spec.vocabulary),
    asked: rowsOf(positions, tokens),
    excluded: np.array(excluded, { shape: [batch, 1, 1, tokens] }),
    targets: rowsOf(hidden, spec.vocabulary, (place) => used[place] / total),
  };
}

/** The loss of the transformer with random masking. Arrays are used up by what takes them, but for `.ref`. */
function lossOf({ numpy: np, lax, nn }, { encoder, objective }) {
  if (encoder.kind !== 'transformer' || objective.kind !== 'random-masking')
    throw new Error(`expected a transformer with random-masking, got ${encoder.kind}, ${objective.kind}`);
  return (weights, given) => {
    const weight = (name) => weights[name].ref;
    const layerNorm = (x, name, epsilon = 1e-5) => {
      const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
      const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
      const normal = centred.div(np.sqrt(variance.add(epsilon)));
      return normal.mul(weight(`${name}.scale`)).add(weight(`${name}.bias`));
    };
    const linear = (x, name) => {
      const shape = [...x.shape.slice(0, -1), -1];
      return np.matmul(x.reshape([-1, x.shape.at(-1)]), weight(`${name}.weight`)).reshape(shape);
    };
    const attention = (queries, source, name, heads) => {
      const inHeads = (x, axes) => {
        const [rows, count, width] = x.shape;
        return np.transpose(x.reshape([rows, count, heads, width / heads]), axes);
      };
      const [batch, count, width] = queries.shape;
      const q = inHeads(linear(queries, `${name}.query`).mul(1 / Math.sqrt(width / heads)), [0, 2, 1, 3]);
      const k = inHeads(linear(source.ref, `${name}.key`), [0, 2, 3, 1]);
      const v = inHeads(linear(source, `${name}.value`), [0, 2, 1, 3]);
      const share = nn.softmax(np.matmul(q, k).add(given.excluded.ref), -1);
      const mixed = np.transpose(np.matmul(share, v), [0, 2, 1, 3]);
      return linear(mixed.reshape([batch, count, width]), `${name}.output`);
    };
    const gelu = (x) => x.ref.mul(lax.erf(x.mul(Math.SQRT1_2)).add(1).mul(0.5));
    const block = (states, name, { source, residual = true, heads = encoder.heads } = {}) => {
      const queries = layerNorm(states.ref, `${name}.attention_norm`);
      const attended = attention(queries.ref, source ?? queries.ref, `${name}.attention`, heads);
      queries.dispose();
      const mixed = residual ? attended.add(states.ref) : attended;
      states.dispose();
      const wide = gelu(linear(layerNorm(mixed.ref, `${name}.mlp_norm`), `${name}.mlp.expand`));
      return linear(wide, `${name}.mlp.contract`).add(mixed);
    };
    const [batch, , , tokens] = given.excluded.shape;
    const read = np.matmul(given.tokens.ref, weight('embedding.tokens')).reshape([batch, tokens, -1]);
    const embedded = layerNorm(read.add(weight('embedding.positions')), 'embedding.norm', 1e-12);
    let states = block(embedded.ref, 'encoder.first_layer', { source: embedded });
    for (let layer = 1; layer < encoder.layers; layer++) states = block(states, `encoder.layers.${layer}`);
    const asked = np
      .matmul(given.asked.ref, weight('embedding.positions'))
      .reshape([batch, -1, encoder.width]);
    const decoded = block(asked, 'decoder.cross_attention', {
      source: layerNorm(states, 'decoder.states_norm'),
      residual: false,
      heads: objective.decoder_heads,
    });
    const normal = layerNorm(decoded, 'decoder.output_norm', 1e-12).reshape([-1, encoder.width]);
    const logits = np
      .matmul(normal, np.transpose(weight('embedding.tokens')))
      .add(weight('decoder.output_bias'));
    return np.sum(nn.logSoftmax(logits, -1).mul(given.targets.ref)).mul(-1);
  };
}

/** Takes steps from the starting weights, `count` at a time; step n (from 0) is on batch n mod `batches`. */
export function trainer(jax, { workload, weights: starting, batches: tensors }) {
  const { numpy: np, jit, valueAndGrad, tree } = jax;
  const { model, optimizer, decayed } = workload;
  const { learningRate, beta1, beta2, epsilon, weightDecay, clipNorm } = optimizer;
  const decays = new Set(decayed);
  const lossAndGradient = valueAndGrad(lossOf(jax, model));

  /** AdamW after clipping by the norm of all gradients; `corrections` are those of both moments. */
  const step = jit((weights, first, second, given, corrections) => {
    const [loss, gradients] = lossAndGradient(tree.ref(weights), given);
    const names = Object.keys(gradients);
    const squares = names.map((name) => np.sum(np.square(gradients[name].ref)));
    const norm = np.sqrt(squares.reduce((sum, square) => sum.add(square)));
    const scale = np.minimum(np.array(1), np.array(clipNorm).div(norm));
    const next = { weights: {}, first: {}, second: {} };
    for (const name of names) {
      const gradient = gradients[name].mul(scale.ref);
      const m = first[name].mul(beta1).add(gradient.ref.mul(1 - beta1));
      const v = second[name].mul(beta2).add(np.square(gradient).mul(1 - beta2));
      const size = np.sqrt(v.ref.mul(corrections.ref.slice(1))).add(epsilon);
      const update = m.ref.mul(corrections.ref.slice(0)).div(size);
      const kept = decays.has(name) ? weights[name].mul(1 - learningRate * weightDecay) : weights[name];
      next.weights[name] = kept.sub(update.mul(learningRate));
      next.first[name] = m;
      next.second[name] = v;
    }
    return [loss, next];
  });

  let state = { weights: {}, first: {}, second: {} };
  for (const [name, { data, shape }] of Object.entries(starting)) {
    state.weights[name] = np.array(data, { shape });
    state.first[name] = np.zeros(shape);
    state.second[name] = np.zeros(shape);
  }
  const givens = Array.from({ length: workload.batches }, (_, index) => {
    const own = Object.entries(tensors).filter(([name]) => name.startsWith(`${index}.`));
    return Object.fromEntries(own.map(([name, { data }]) => [name.slice(`${index}.`.length), data]));
  });
  let taken = 0;
  return async (count) => {
    const reply = { milliseconds: [], losses: [] };
    for (let i = 0; i < count; i++) {
      const started = performance.now();
      const given = givenOf(np, model, givens[taken % givens.length]);
      taken++;
      const corrections = np.array([1 / (1 - beta1 ** taken), 1 / (1 - beta2 ** taken)]);
      const [loss, next] = step(state.weights, state.first, state.second, given, corrections);
      state = next;
      const [value] = await loss.data();
      await jax.blockUntilReady(state.weights);
      reply.milliseconds.push(performance.now() - started);
      reply.losses.push(value);
    }
    return reply;
  };
}
