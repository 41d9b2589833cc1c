import { Inflate } from 'fflate';
import { pushThrough } from './push-through.js';

const PUSHED_BYTES = 1 << 16;

/** What was deflated, as a stream. Throws what fflate throws for a stream that is truncated or corrupt. */
export const inflated = (stored: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> =>
  pushThrough(stored, PUSHED_BYTES, (give) => new Inflate((data) => give(data)));
