import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { mapSome, readSome } from './decoder.js';

describe('files that are read a few at a time', () => {
  it('are found in their order, and the fault told is of the first, whichever ends first', async () => {
    const files = ['a', 'b', 'c', 'd', 'e', 'f'];
    const read = async (file: unknown) => {
      await setTimeout(file === 'b' ? 30 : 1);
      if (file === 'b' || file === 'd') throw new Error(`no image ${String(file)}`);
      return file;
    };
    expect(await readSome(files, read)).toEqual({ found: ['a', 'c', 'e', 'f'], fault: 'b: no image b' });
    expect(await readSome([new Uint8Array(1)], () => Promise.reject(new Error('broken')))).toEqual({
      found: [],
      fault: 'broken',
    });
    expect(await mapSome(files, async (file) => file)).toEqual(files);
  });
});
