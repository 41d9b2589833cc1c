import { InputError } from '../errors.js';
import {
  add,
  concatenate,
  logicalOr,
  matmul,
  multiply,
  parameter,
  reshape,
  scope,
  sigmoid,
  slice,
  staticSize,
  subtract,
  tanh,
  transpose,
  type Value,
} from '../graph/index.js';
import { linear } from '../layers/linear.js';
import { embedTokens } from '../layers/token-embedding.js';
import { type Encoder, refuseAttention, refuseDropout } from './encoder.js';
import { meanOf, readableOf } from './readable-states.js';

/** Steps of all layers that a program is made of at most: each is some twenty operations, and as many again for its gradient. */
const MOST_STEPS = 1024;

/**
 * Bidirectional LSTM (Hochreiter & Schmidhuber 1997; Graves & Schmidhuber 2005; the forget gate begins at 1, Jozefowicz et al. 2015),
 * as small corpora are learned from (Ezen-Can 2020 compares one with BERT): in each layer half of the channels read from the first token to the last, half the other way. Hidden
 * tokens and padding leave the state as it is, so neither influences a state that may be read.
 *
 * The program holds every step, both directions in one product. Steps follow one another, so that time grows with the
 * tokens where others do more at once: 8 · tokens · width · (embed_width + width / 2) products a layer and record.
 */
export const bidirectionalLstm: Encoder = {
  check({ width }) {
    if (width % 2 !== 0)
      throw new InputError(`encoder.width: expected an even number, half for each direction, got ${width}`);
  },
  encode(spec, tokens, config, options = {}) {
    refuseDropout(config, options);
    refuseAttention(config, options);
    const { hiding } = options;
    const { embedded, positions, table } = embedTokens(spec, tokens, config.embed_width, options);
    return scope('encoder', () => {
      const unreadable = hiding ? logicalOr(tokens.padding, hiding.choose(undefined)) : tokens.padding;
      const readable = readableOf(unreadable);
      const count = staticSize(unreadable.shape[1]);
      if (count * config.layers > MOST_STEPS)
        throw new InputError(
          `encoder bidirectional-lstm: ${config.layers} layers of ${count} tokens are ${count * config.layers} steps, at most ${MOST_STEPS} can be learned; take fewer layers, a smaller tokenizer.max_tokens, or --encoder convolution`,
        );
      let states = multiply(embedded, readable);
      for (let layer = 0; layer < config.layers; layer++)
        states = scope(`layers.${layer}`, () => bothWays(states, readable, config.width / 2));
      const pooled = meanOf(states, readable);
      return {
        embedded,
        states,
        tokenStates: hiding ? undefined : states,
        unreadable,
        pooled,
        positions,
        table,
      };
    });
  },
};

/** float32[batch, tokens, channels] and readable float32[batch, tokens, 1] → float32[batch, tokens, 2 · half]. */
function bothWays(x: Value, readable: Value, half: number): Value {
  const [batch] = x.shape;
  const count = staticSize(x.shape[1]);
  const recurrent = parameter('recurrent', [2, half, 4 * half], {
    kind: 'normal',
    deviation: 1 / Math.sqrt(half),
  });
  const forget = parameter('forget', [half], { kind: 'constant', value: 1 }, { decay: false });
  // One slice of [tokens, …] is one step.
  const perToken = (value: Value) => transpose(value, [1, 0, 2]);
  const inputs = ['forward', 'backward'].map((name) => perToken(linear(name, x, 4 * half)));
  const kept = perToken(readable);
  /** [2, batch, …]: what the one direction reads in a step, and the other. */
  const atStep = ([forward, backward]: readonly Value[], step: number) =>
    concatenate([slice(forward, 0, step, step + 1), slice(backward, 0, count - 1 - step, count - step)], 0);
  const steps: Value[] = [];
  let state: { readonly cell: Value; readonly output: Value } | undefined;
  for (let step = 0; step < count; step++) {
    const keep = atStep([kept, kept], step);
    const given = atStep(inputs, step);
    const gates = state ? add(given, matmul(state.output, recurrent)) : given;
    const part = (i: number) => slice(gates, 2, i * half, (i + 1) * half);
    const [enter, leave] = [sigmoid(part(0)), sigmoid(part(1))];
    const entering = multiply(enter, tanh(part(2)));
    const cell = state ? add(multiply(sigmoid(add(part(3), forget)), state.cell), entering) : entering;
    const output = multiply(leave, tanh(cell));
    // What is not readable leaves both as they were, which was zero at first.
    const unlessUnreadable = (fresh: Value, before: Value | undefined) =>
      before ? add(before, multiply(keep, subtract(fresh, before))) : multiply(keep, fresh);
    state = { cell: unlessUnreadable(cell, state?.cell), output: unlessUnreadable(output, state?.output) };
    steps.push(state.output);
  }
  const direction = (i: number) =>
    concatenate(
      (i === 0 ? steps : steps.toReversed()).map((output) => slice(output, 0, i, i + 1)),
      0,
    );
  return transpose(
    reshape(concatenate([direction(0), direction(1)], 2), [count, batch, 2 * half]),
    [1, 0, 2],
  );
}
