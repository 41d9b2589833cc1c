import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import * as g from '../graph/index.js';
import { hostTensor } from '../tensor/tensor.js';
import { encodeProgram } from './encode.js';

const open = (bytes: Uint8Array) => ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });

/** A program with every dtype: picks a row of a table by id, keeps it where it is positive, scales it. */
function everyDtype() {
  const ids = g.input('ids', 'int32', ['batch']);
  const wide = g.input('wide', 'int64', ['batch']);
  const keep = g.input('keep', 'bool', ['batch', 1]);
  const table = g.scope('layer', () => g.parameter('table', [4, 3], { kind: 'constant', value: 0 }));
  const row = g.gather(table, ids);
  const kept = g.where(keep, row, g.scalar(-1));
  const scaled = g.multiply(kept, g.reshape(g.cast(wide, 'float32'), ['batch', 1]));
  return {
    name: 'every_dtype',
    outputs: {
      scaled,
      positive: g.less(g.scalar(0), scaled),
      truncated: g.cast(scaled, 'int32'),
      best: g.topK(scaled, 1).indices,
    },
  };
}
const table = hostTensor('float32', [4, 3], Float32Array.of(0, 1, 2, 3, -4, 5, 6, 7.5, 8, 9, 10, 11));

describe('an encoded program', () => {
  it('runs at any batch size in plain ONNX Runtime, with every dtype and the parameters inside', async () => {
    const session = await open(encodeProgram(everyDtype(), { parameters: () => table }));
    expect([...session.inputNames].sort()).toEqual(['ids', 'keep', 'wide']);
    expect([...session.outputNames]).toEqual(['scaled', 'positive', 'truncated', 'best']);
    for (const batch of [1, 2, 5]) {
      const rows = Array.from({ length: batch }, (_, i) => (i * 3 + 1) % 4);
      const { scaled, positive, truncated, best } = await session.run({
        ids: new ort.Tensor('int32', Int32Array.from(rows), [batch]),
        wide: new ort.Tensor(
          'int64',
          BigInt64Array.from(rows, (_, i) => BigInt(i - 1)),
          [batch],
        ),
        keep: new ort.Tensor(
          'bool',
          Uint8Array.from(rows, (_, i) => Number(i % 3 !== 2)),
          [batch, 1],
        ),
      });
      const expected = rows.flatMap((row, i) =>
        [0, 1, 2].map((column) => (i % 3 === 2 ? -1 : table.data[row * 3 + column]) * (i - 1)),
      );
      expect(scaled.dims).toEqual([batch, 3]);
      expect(Array.from(scaled.data, Number)).toEqual(expected);
      expect(Array.from(positive.data, Number)).toEqual(expected.map((value) => Number(value > 0)));
      expect(Array.from(truncated.data, Number)).toEqual(expected.map((value) => Math.trunc(value) + 0));
      expect(best.dims).toEqual([batch, 1]);
    }
    await session.release();
  });

  it('has parameters as inputs when it is given none', async () => {
    const session = await open(encodeProgram(everyDtype()));
    expect([...session.inputNames].sort()).toEqual(['ids', 'keep', 'layer.table', 'wide']);
    await session.release();
  });

  it('carries metadata, the opset and named dimensions as text that any reader of the format finds', () => {
    const bytes = encodeProgram(everyDtype(), { metadata: { tokenizer: '{"größe":1}', empty: '' } });
    const fields = readFields(bytes);
    const text = (value: Uint8Array | number) => new TextDecoder().decode(value as Uint8Array);
    const metadata = fields
      .filter(({ field }) => field === 14)
      .map(({ value }) => readFields(value as Uint8Array).map((part) => text(part.value)));
    expect(metadata).toEqual([
      ['tokenizer', '{"größe":1}'],
      ['empty', ''],
    ]);
    expect(fields.find(({ field }) => field === 1)?.value).toBe(10);
    const [set] = fields.filter(({ field }) => field === 8);
    expect(readFields(set.value as Uint8Array).find(({ field }) => field === 2)?.value).toBe(21);
    expect(text(bytes)).toContain('batch');
  });

  it('may give one value twice, an input, a parameter or a constant', async () => {
    const x = g.input('x', 'float32', [2]);
    const w = g.parameter('w', [2], { kind: 'constant', value: 0 });
    const double = g.add(x, x);
    const outputs = { a: double, b: double, again: x, weight: w, one: g.scalar(1) };
    const bytes = encodeProgram(
      { name: 'passing', outputs },
      { parameters: () => hostTensor('float32', [2], Float32Array.of(5, 6)) },
    );
    const session = await open(bytes);
    const results = await session.run({ x: new ort.Tensor('float32', Float32Array.of(1, -2), [2]) });
    const read = (name: string) => Array.from(results[name].data, Number);
    expect([read('a'), read('b'), read('again')]).toEqual([
      [2, -4],
      [2, -4],
      [1, -2],
    ]);
    expect([read('weight'), read('one')]).toEqual([[5, 6], [1]]);
    await session.release();
  });

  it('takes products with a transposed operand as ONNX does, or as the CPU kernels of ONNX Runtime, with one result', async () => {
    const random = (seed: number) => Float32Array.from({ length: 24 }, (_, i) => Math.sin(seed + i));
    const a = g.input('a', 'float32', [2, 4, 3]);
    const b = g.input('b', 'float32', [2, 4, 3]);
    const outputs = {
      rows: g.matmul(a, b, { transposeB: true }),
      columns: g.matmul(a, b, { transposeA: true }),
    };
    const feeds = {
      a: new ort.Tensor('float32', random(1), [2, 4, 3]),
      b: new ort.Tensor('float32', random(2), [2, 4, 3]),
    };
    const results: number[][] = [];
    for (const [device, ownOperators] of [
      ['any', false],
      ['cpu', true],
    ] as const) {
      const bytes = encodeProgram({ name: 'products', outputs }, { device });
      expect(Buffer.from(bytes).includes('com.microsoft')).toBe(ownOperators);
      const session = await open(bytes);
      const { rows, columns } = await session.run(feeds);
      results.push([...Array.from(rows.data, Number), ...Array.from(columns.data, Number)]);
      await session.release();
    }
    expect(results[0]).toHaveLength(2 * (16 + 9));
    results[0].forEach((value, i) => {
      expect(results[1][i]).toBeCloseTo(value, 6);
    });
  });

  it('is the same bytes for the same graph', () => {
    const digest = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
    expect(digest(encodeProgram(everyDtype()))).toBe(digest(encodeProgram(everyDtype())));
  });
});

/** The fields of one protobuf message: numbers for varints, bytes for the rest. */
function readFields(bytes: Uint8Array): { field: number; value: number | Uint8Array }[] {
  const fields: { field: number; value: number | Uint8Array }[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const kind = key & 7;
    if (kind === 0) fields.push({ field: key >> 3, value: varint() });
    else {
      const length = kind === 2 ? varint() : 4;
      fields.push({ field: key >> 3, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return fields;
}
