import { availableParallelism, cpus } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import * as g from '../graph/index.js';
import { hostTensor } from '../tensor/tensor.js';
import { defaultThreads, nodeEngine } from './node.js';

const engine = await nodeEngine({ threads: 1 });

describe('the threads of a process', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('are the cores that it has, shared with the others that a launcher started on the machine', () => {
    expect(defaultThreads()).toBe(availableParallelism());
    vi.stubEnv('OMPI_COMM_WORLD_RANK', '0');
    vi.stubEnv('OMPI_COMM_WORLD_SIZE', '8');
    vi.stubEnv('OMPI_COMM_WORLD_LOCAL_SIZE', '2');
    expect(defaultThreads()).toBe(
      Math.min(availableParallelism(), Math.max(1, Math.floor(cpus().length / 2))),
    );
    vi.stubEnv('OMPI_COMM_WORLD_LOCAL_SIZE', '4096');
    expect(defaultThreads()).toBe(1);
  });
});

describe('the engine for Node', () => {
  it('writes outputs into the tensors it is given, which may be views, and touches nothing else', async () => {
    const x = g.input('x', 'float32', [3]);
    const executable = await engine.compile({ name: 'square', outputs: { y: g.multiply(x, x) } });
    const flat = new Float32Array(9).fill(-7);
    flat.set([1, 2, 3]);
    const feeds = { x: hostTensor('float32', [3], flat.subarray(0, 3)) };
    const results = { y: hostTensor('float32', [3], flat.subarray(4, 7)) };
    await executable.run(feeds, results);
    expect([...flat]).toEqual([1, 2, 3, -7, 1, 4, 9, -7, -7]);
    // The view is described once; what is written into it later is read.
    flat[0] = 10;
    await executable.run(feeds, results);
    expect(flat[4]).toBe(100);
    await executable.release();
  });

  it('updates in place where each element is read no later than it is written', async () => {
    const x = g.input('x', 'float32', ['n']);
    const executable = await engine.compile({
      name: 'decay',
      outputs: { y: g.add(g.multiply(x, g.scalar(0.5)), g.scalar(1)) },
    });
    for (const length of [1, 7, 100_000]) {
      const state = hostTensor(
        'float32',
        [length],
        Float32Array.from({ length }, (_, i) => i),
      );
      for (let step = 0; step < 3; step++) await executable.run({ x: state }, { y: state });
      expect(state.data.every((value, i) => Math.abs(value - (i / 8 + 1.75)) < 1e-2)).toBe(true);
    }
    await executable.release();
  });

  it('names a feed or a result that is missing, and those there are', async () => {
    const x = g.input('x', 'float32', [1]);
    const y = g.input('y', 'float32', [1]);
    const executable = await engine.compile({ name: 'sum', outputs: { total: g.add(x, y) } });
    const one = hostTensor('float32', [1], Float32Array.of(1));
    await expect(executable.run({ x: one, z: one }, { total: one })).rejects.toThrow(
      'sum: input "y" is missing; given are x, z',
    );
    await expect(executable.run({ x: one, y: one }, {})).rejects.toThrow('sum: output "total" is missing');
    await executable.release();
  });

  it('gives the same bits at every run, with one thread and with two', async () => {
    const a = g.input('a', 'float32', [64, 96]);
    const outputs = { y: g.softmax(g.matmul(a, a, { transposeB: true })) };
    const data = Float32Array.from({ length: 64 * 96 }, (_, i) => Math.sin(i * 0.7));
    for (const threads of [1, 2]) {
      const threaded = await nodeEngine({ threads });
      const executable = await threaded.compile({ name: 'product', outputs });
      const runs: string[] = [];
      for (let run = 0; run < 3; run++) {
        const y = hostTensor('float32', [64, 64], new Float32Array(64 * 64));
        await executable.run({ a: hostTensor('float32', [64, 96], data) }, { y });
        runs.push(Buffer.from(y.data.buffer).toString('base64'));
      }
      expect(new Set(runs).size).toBe(1);
      await executable.release();
    }
  });
});
