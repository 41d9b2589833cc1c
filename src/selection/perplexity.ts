import { type Selector, wantedOf } from './selector.js';

/**
 * The records that a model finds least surprising: POINTS (Liu et al. 2024) keeps the fifth of lowest perplexity of its
 * texts, exp of the mean loss of a token. Here the loss is that of hidden tokens, each hidden once with others.
 */
export const perplexity: Selector = {
  description: 'the records whose hidden tokens the run predicts best (perplexity, as POINTS filters)',
  value: 'perplexity',
  needs: 'errors',
  async select(pool) {
    const { errors } = pool;
    if (!errors) throw new Error('perplexity: no errors');
    const order = [...errors.keys()].sort((a, b) => errors[a] - errors[b] || a - b).slice(0, wantedOf(pool));
    return {
      records: Int32Array.from(order),
      values: Float64Array.from(order, (record) => Math.exp(errors[record])),
    };
  },
};
