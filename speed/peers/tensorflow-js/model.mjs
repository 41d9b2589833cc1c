/** The model of ../README.md in operators of TensorFlow.js. */

/** Added to a score that is not to get any weight. */
export const EXCLUDED = -1e30;

/** The id of a field that has no value. */
const MISSING_ID = 1;

/** Of each row the positions of the `k` largest scores among the first `lengths[row]`, then those after them in order. */
export function largest(scores, lengths, k) {
  const tokens = scores.length / lengths.length;
  const positions = new Int32Array(lengths.length * k);
  lengths.forEach((length, row) => {
    const own = scores.subarray(row * tokens, (row + 1) * tokens);
    const score = (i) => (i < length ? own[i] : -1);
    const order = Array.from(own.keys()).sort((i, j) => score(j) - score(i) || i - j);
    positions.set(order.slice(0, k), row * k);
  });
  return positions;
}

/** What is added to the scores of attention: 0 for the first `lengths[row]` tokens of each row, EXCLUDED for the rest. */
export function paddingMask(lengths, tokens) {
  const mask = new Float32Array(lengths.length * tokens).fill(EXCLUDED);
  lengths.forEach((length, row) => {
    mask.fill(0, row * tokens, row * tokens + length);
  });
  return mask;
}

/**
 * The model of a workload on parameters by name. Batches are given as typed arrays: `ids`, `lengths`, `values` and the
 * noise of the objective. Both functions leave the tensors of their computation to the caller's `tf.tidy`.
 */
export function modelOf(tf, { spec, encoder, objective }, parameters) {
  if (spec.kind === 'continuous') {
    throw new Error(`expected tokens of kind discrete or fields, got ${spec.kind}; leave this peer out`);
  }
  if (objective.select_initial_ratio !== undefined) {
    throw new Error(
      `expected no select_initial_ratio, got ${objective.select_initial_ratio}; this peer has no schedule`,
    );
  }

  /** `tf.customGrad`, which would keep all that a gradient computes on its way until the last gradient is there. */
  const operator = (compute) =>
    tf.customGrad((...inputs) => {
      const { value, gradFunc } = compute(...inputs);
      return { value, gradFunc: (slope, saved) => tf.tidy(() => gradFunc(slope, saved)) };
    });

  /** [batch, rows, columns, width] → [batch, columns, width], the mean of the rows: pooling takes several at a time. */
  function meanOfRows(x) {
    const [batch, rows, columns, width] = x.shape;
    const mean = rows === 1 ? x : tf.avgPool(x, [rows, 1], 1, 'valid');
    return tf.reshape(mean, [batch, columns, width]);
  }

  /** [rows, …, width] → […, width], the sum over rows. */
  function sumOfRows(x) {
    const [rows, ...rest] = x.shape;
    const mean = meanOfRows(tf.reshape(x, [1, rows, -1, rest.at(-1)]));
    return tf.reshape(tf.mul(mean, rows), rest);
  }

  /** [1, …] → [batch, …], the same for each. */
  function spread(x, batch) {
    if (x.shape[0] === batch) return x;
    const [, ...rest] = x.shape;
    return operator((one) => ({
      value: tf.add(tf.zeros([batch, ...rest.map(() => 1)]), one),
      gradFunc: (slope) => tf.reshape(sumOfRows(slope), one.shape),
    }))(x);
  }

  function layerNorm(x, name, epsilon = 1e-5) {
    const normalize = operator((input, scale, bias, save) => {
      const centred = tf.sub(input, tf.mean(input, -1, true));
      const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
      const normal = tf.mul(centred, inverse);
      save([normal, inverse, scale]);
      const gradFunc = (slope, [normal, inverse, scale]) => {
        const flat = [-1, scale.size];
        const scaled = tf.mul(slope, scale);
        const along = tf.mul(normal, tf.mean(tf.mul(scaled, normal), -1, true));
        return [
          tf.mul(inverse, tf.sub(tf.sub(scaled, tf.mean(scaled, -1, true)), along)),
          sumOfRows(tf.reshape(tf.mul(slope, normal), flat)),
          sumOfRows(tf.reshape(slope, flat)),
        ];
      };
      return { value: tf.add(tf.mul(normal, scale), bias), gradFunc };
    });
    return normalize(x, parameters[`${name}.scale`], parameters[`${name}.bias`]);
  }

  function linear(x, name) {
    const weight = parameters[`${name}.weight`];
    const bias = parameters[`${name}.bias`];
    const [inputs, width] = weight.shape;
    const product = tf.matMul(tf.reshape(x, [-1, inputs]), weight);
    return tf.reshape(bias ? tf.add(product, bias) : product, [...x.shape.slice(0, -1), width]);
  }

  /** Rows of a table as a product with ones and zeros, whose gradient is a product too. */
  function lookUp(table, indices) {
    const [rows] = table.shape;
    const chosen = new Float32Array(indices.length * rows);
    indices.forEach((index, i) => {
      chosen[i * rows + index] = 1;
    });
    return tf.matMul(tf.tensor(chosen, [indices.length, rows]), table);
  }

  /** softmax(q · k + mask) · v of each head. One operator, because a gradient keeps all that goes between operators. */
  const mix = operator((q, k, v, mask, save) => {
    const weights = tf.softmax(tf.add(tf.matMul(q, k), mask));
    save([q, k, v, weights, mask]);
    const gradFunc = (slope, [q, k, v, weights, mask]) => {
      const share = tf.mul(weights, tf.matMul(slope, v, false, true));
      const scores = tf.sub(share, tf.mul(weights, tf.sum(share, -1, true)));
      return [
        tf.matMul(scores, k, false, true),
        tf.matMul(q, scores, true, false),
        tf.matMul(weights, slope, true, false),
        tf.zerosLike(mask),
      ];
    };
    return { value: tf.matMul(weights, v), gradFunc };
  });

  /** `excluded` is a mask of the source; `hide` may add to it after it has seen the weights that attention would give. */
  function attention(queries, source, name, { heads, excluded, hide }) {
    const [batch, tokens] = source.shape;
    const inHeads = (x, axes) => {
      const [rows, count, width] = x.shape;
      return tf.transpose(tf.reshape(x, [rows, count, heads, width / heads]), axes);
    };
    const query = linear(queries, `${name}.query`);
    const scaled = tf.mul(query, 1 / Math.sqrt(query.shape[2] / heads));
    const q = spread(inHeads(scaled, [0, 2, 1, 3]), batch);
    const k = inHeads(linear(source, `${name}.key`), [0, 2, 3, 1]);
    const v = inHeads(linear(source, `${name}.value`), [0, 2, 1, 3]);
    let mask = excluded ? tf.tensor(excluded, [batch, 1, 1, tokens]) : tf.zeros([1, 1, 1, 1]);
    if (hide) {
      const hidden = hide(() => tf.softmax(tf.add(tf.matMul(q, k), mask)));
      mask = tf.add(mask, tf.tensor(hidden, [batch, 1, 1, tokens]));
    }
    const mixed = mix(q, k, v, mask);
    const joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch, queries.shape[1], -1]);
    return linear(joined, `${name}.output`);
  }

  /** GELU(x · W) · W' on rows, one operator as well. */
  const widened = operator((x, expand, contract, save) => {
    const inner = tf.matMul(x, expand);
    const share = tf.add(tf.mul(tf.erf(tf.mul(inner, Math.SQRT1_2)), 0.5), 0.5);
    save([x, expand, contract, inner, share]);
    const gradFunc = (slope, [x, expand, contract, inner, share]) => {
      // e^z as σ(z) / σ(-z): the backend computes the logistic function several numbers at a time, the exponential not.
      const z = tf.mul(tf.square(inner), -0.5);
      const density = tf.div(tf.sigmoid(z), tf.mul(tf.sigmoid(tf.neg(z)), Math.sqrt(2 * Math.PI)));
      const steepness = tf.add(share, tf.mul(inner, density));
      const innerSlope = tf.mul(tf.matMul(slope, contract, false, true), steepness);
      return [
        tf.matMul(innerSlope, expand, false, true),
        tf.matMul(x, innerSlope, true, false),
        tf.matMul(tf.mul(inner, share), slope, true, false),
      ];
    };
    return { value: tf.matMul(tf.mul(inner, share), contract), gradFunc };
  });

  function mlp(x, name) {
    const rows = tf.reshape(x, [-1, x.shape.at(-1)]);
    const [expand, contract] = ['expand', 'contract'].map((part) => parameters[`${name}.${part}.weight`]);
    return tf.reshape(widened(rows, expand, contract), x.shape);
  }

  function block(states, name, { source, residual = true, ...options }) {
    // Of what is computed inside, only what the gradient needs is kept.
    return tf.tidy(() => {
      const queries = layerNorm(states, `${name}.attention_norm`);
      const attended = attention(queries, source ?? queries, `${name}.attention`, options);
      const mixed = residual ? tf.add(attended, spread(states, attended.shape[0])) : attended;
      return tf.add(mlp(layerNorm(mixed, `${name}.mlp_norm`), `${name}.mlp`), mixed);
    });
  }

  function embedTokens({ ids, values, lengths }) {
    const batch = lengths.length;
    const tokens = ids.length / batch;
    const positions = parameters['embedding.positions'];
    const [most, width] = positions.shape;
    const first = tokens === most ? positions : tf.slice(positions, 0, tokens);
    const shape = [batch, tokens, width];
    const read = tf.reshape(lookUp(parameters['embedding.tokens'], ids), shape);
    let total = tf.add(read, spread(tf.reshape(first, [1, tokens, width]), batch));
    if (values) {
      total = tf.add(total, linear(tf.tensor(values, [batch, tokens, 1]), 'embedding.projection'));
    }
    return layerNorm(total, 'embedding.norm', 1e-12);
  }

  /** The states, and the mask of those that are not to be read, where there is one. */
  function encode(batch, hide) {
    const { lengths, ids } = batch;
    const embedded = embedTokens(batch);
    const padding = paddingMask(lengths, ids.length / lengths.length);
    const { heads } = encoder;
    if (encoder.kind === 'perceiver') {
      const latents = tf.expandDims(parameters['encoder.latents'], 0);
      const cross = { source: embedded, heads: encoder.cross_heads, excluded: padding, hide };
      let states = block(latents, 'encoder.cross_attention', cross);
      for (let layer = 0; layer < encoder.layers; layer++) {
        states = block(states, `encoder.layers.${layer}`, { heads });
      }
      return { states };
    }
    if (encoder.kind !== 'transformer') {
      throw new Error(`expected an encoder of kind perceiver or transformer, got ${encoder.kind}`);
    }
    let states = 'encoder.input.weight' in parameters ? linear(embedded, 'encoder.input') : embedded;
    let excluded = padding;
    const hideFirst =
      hide &&
      ((attention) => {
        const hidden = hide(attention);
        excluded = padding.map((value, i) => Math.min(value, hidden[i]));
        return hidden;
      });
    for (let layer = 0; layer < encoder.layers; layer++) {
      // Keys and values of the first layer are the tokens as embedded.
      const [name, first] =
        layer === 0 ? ['first_layer', { source: states, hide: hideFirst }] : [`layers.${layer}`, {}];
      states = block(states, `encoder.${name}`, { heads, excluded, ...first });
    }
    return { states, unreadable: excluded };
  }

  /** Of each row the positions to hide, most wanted first. */
  function select(batch, attention) {
    const { lengths } = batch;
    const k = batch.used.length / lengths.length;
    if (objective.kind === 'random-masking') return largest(batch.scores, lengths, k);
    if (objective.kind !== 'sma') {
      throw new Error(`expected an objective of kind sma or random-masking, got ${objective.kind}`);
    }
    const map = attention();
    const [size, heads, queries, tokens] = map.shape;
    const chosen = tf.tensor(batch.chosen_queries, [size, 1, 1, queries]);
    const sums = tf.matMul(tf.add(tf.zeros([1, heads, 1, 1]), chosen), map).dataSync();
    const attended = new Float32Array(size * tokens);
    for (let i = 0; i < sums.length; i++) {
      attended[Math.floor(i / (heads * tokens)) * tokens + (i % tokens)] += sums[i] / heads;
    }
    return largest(attended, lengths, k);
  }

  function decode({ states, unreadable }, positions) {
    const batch = states.shape[0];
    const asked = lookUp(parameters['embedding.positions'], positions);
    const queries = tf.reshape(asked, [batch, positions.length / batch, -1]);
    const decoded = block(queries, 'decoder.cross_attention', {
      source: layerNorm(states, 'decoder.states_norm'),
      heads: objective.decoder_heads,
      excluded: unreadable,
      residual: false,
    });
    const normal = layerNorm(decoded, 'decoder.output_norm', 1e-12);
    const flat = tf.reshape(normal, [positions.length, -1]);
    if ('decoder.output.weight' in parameters) return linear(flat, 'decoder.output');
    return tf.add(
      tf.matMul(flat, parameters['embedding.tokens'], false, true),
      parameters['decoder.output_bias'],
    );
  }

  /** -Σ weights · log softmax(logits) */
  const crossEntropy = (logits, weights) => tf.neg(tf.sum(tf.mul(weights, tf.logSoftmax(logits))));

  /** The loss of predictions [batch · k, outputs] at the positions, averaged over those that are used and not missing. */
  function score(predicted, { ids, values, used, lengths }, positions) {
    const [places, outputs] = predicted.shape;
    const tokens = ids.length / lengths.length;
    const k = places / lengths.length;
    const tokenAt = (place) => Math.floor(place / k) * tokens + positions[place];
    const fields = spec.kind === 'fields';
    const weights = used.map((value, place) => (fields && ids[tokenAt(place)] === MISSING_ID ? 0 : value));
    const total = weights.reduce((sum, weight) => sum + weight, 0) || 1;
    // One row of outputs per place: of numbers the first counts, of categories one of those that the field has.
    const classes = new Float32Array(places * outputs);
    const numbers = new Float32Array(places * outputs);
    const targets = new Float32Array(places * outputs);
    const outside = new Float32Array(places * outputs);
    for (let place = 0; place < places; place++) {
      const start = place * outputs;
      const field = fields ? spec.fields[positions[place]] : undefined;
      const weight = weights[place] / total;
      if (field?.type === 'numeric') {
        numbers[start] = weight;
        targets[start] = values[tokenAt(place)];
      } else {
        classes[start + (fields ? 1 : 0) + ids[tokenAt(place)]] = weight;
        if (field) {
          const own = start + 1 + field.firstId;
          outside.fill(-1e9, start, start + outputs).fill(0, own, own + field.size);
        }
      }
    }
    const tensor = (data) => tf.tensor(data, [places, outputs]);
    if (!fields) return crossEntropy(predicted, tensor(classes));
    const numeric = tf.sum(tf.mul(tensor(numbers), tf.square(tf.sub(predicted, tensor(targets)))));
    if (spec.fields.every(({ type }) => type === 'numeric')) return numeric;
    return tf.add(numeric, crossEntropy(tf.add(predicted, tensor(outside)), tensor(classes)));
  }

  return {
    /** The loss of a batch, a number that gradients can be taken of. */
    loss(batch) {
      let positions;
      const encoding = encode(batch, (attention) => {
        positions = select(batch, attention);
        const k = positions.length / batch.lengths.length;
        const tokens = batch.ids.length / batch.lengths.length;
        const hidden = new Float32Array(batch.ids.length);
        positions.forEach((position, place) => {
          if (batch.used[place] > 0) hidden[Math.floor(place / k) * tokens + position] = EXCLUDED;
        });
        return hidden;
      });
      return score(decode(encoding, positions), batch, positions);
    },

    /** The mean of the states of each row, [batch, width]. */
    embed(batch) {
      const { states, unreadable } = encode(batch);
      if (!unreadable) return meanOfRows(tf.expandDims(states, 2));
      const [size, tokens] = states.shape;
      const readable = tf.tensor(
        unreadable.map((value, i) => (value === 0 ? tokens / batch.lengths[Math.floor(i / tokens)] : 0)),
        [size, tokens, 1],
      );
      return meanOfRows(tf.expandDims(tf.mul(states, readable), 2));
    },
  };
}
