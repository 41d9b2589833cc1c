import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { onInterrupt } from './interrupt.js';

describe('onInterrupt', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'])(
    'asks to stop at the first %s and leaves at the second',
    (name) => {
      const source = new EventEmitter();
      const ends: string[] = [];
      let announced = 0;
      const interrupt = onInterrupt(
        () => announced++,
        source,
        (signal) => ends.push(signal),
      );
      source.emit(name);
      expect(interrupt.signal.aborted).toBe(true);
      expect([announced, ends]).toEqual([1, []]);
      source.emit(name);
      expect(ends).toEqual([name]);
      interrupt.dispose();
      expect(source.listenerCount(name)).toBe(0);
    },
  );
});
