import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { onInterrupt } from './interrupt.js';

describe('onInterrupt', () => {
  it.each(['SIGINT', 'SIGTERM'])('asks to stop at the first %s and leaves at the second', (name) => {
    const source = new EventEmitter();
    const codes: number[] = [];
    let announced = 0;
    const interrupt = onInterrupt(
      () => announced++,
      source,
      (code) => codes.push(code),
    );
    source.emit(name);
    expect(interrupt.signal.aborted).toBe(true);
    expect([announced, codes]).toEqual([1, []]);
    source.emit(name);
    expect(codes).toEqual([130]);
    interrupt.dispose();
    expect(source.listenerCount(name)).toBe(0);
  });
});
