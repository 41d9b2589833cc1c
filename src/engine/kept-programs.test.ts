import { describe, expect, it } from 'vitest';
import { KeptPrograms } from './kept-programs.js';

describe('kept programs', () => {
  it('are made once for each key and freed once', async () => {
    const freed: number[] = [];
    const kept = new KeptPrograms<number>(async (value) => void freed.push(value));
    let made = 0;
    const make = async () => ++made;
    expect(await Promise.all([kept.of('a', make), kept.of('a', make), kept.of('b', make)])).toEqual([
      1, 1, 2,
    ]);
    await kept.release();
    await kept.release();
    expect(freed).toEqual([1, 2]);
  });

  it('that could not be made are tried again, and do not keep others from being freed', async () => {
    const freed: string[] = [];
    const kept = new KeptPrograms<string>(async (value) => void freed.push(value));
    const fail = async (): Promise<string> => {
      throw new Error('no memory');
    };
    await expect(kept.of('a', fail)).rejects.toThrow('no memory');
    expect(await kept.of('a', async () => 'second')).toBe('second');
    const failing = kept.of('b', fail).catch((error: Error) => error.message);
    await kept.release();
    expect([await failing, ...freed]).toEqual(['no memory', 'second']);
  });
});
