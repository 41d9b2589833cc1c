/** The states that stand for something visible, and their mean. */
import { cast, divide, logicalNot, multiply, reshape, sum, type Value } from '../graph/index.js';

/** float32[batch, n, 1]: 0 where bool[batch, n] `unreadable` is true, else 1. */
export const readableOf = (unreadable: Value): Value =>
  reshape(cast(logicalNot(unreadable), 'float32'), [...unreadable.shape, 1]);

/** The mean of states float32[batch, n, width] that `readable`, see {@link readableOf}, tells: float32[batch, width]. */
export const meanOf = (states: Value, readable: Value): Value =>
  divide(sum(multiply(states, readable), [1]), sum(readable, [1]));
