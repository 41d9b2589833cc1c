import { expect, it } from 'vitest';
import { evaluate, floats, largestDifference, normals, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { parametersOf } from '../graph/index.js';
import { tokenInputs } from '../layers/token-embedding.js';
import type { EncoderConfig } from './encoder.js';
import { transformer } from './transformer.js';

const engine = await nodeEngine({ threads: 1 });
const spec = { kind: 'continuous', channels: 2, maxTokens: 5 } as const;
const config: EncoderConfig = {
  kind: 'transformer',
  width: 8,
  embed_width: 8,
  layers: 2,
  heads: 2,
  widening: 2,
};
const encode = (registers?: number) =>
  transformer.encode(spec, tokenInputs(spec, 2, 5), { ...config, registers });
const namesOf = (registers?: number) => parametersOf([encode(registers).pooled]).map(({ name }) => name);

it('has registers only where it is told, with nothing else changed', () => {
  expect(namesOf(0)).toEqual(namesOf());
  expect(namesOf(3).filter((name) => !namesOf().includes(name))).toEqual(['encoder.registers']);
  expect(encode(3).states.shape).toEqual(encode().states.shape);
});

it('reads its registers as if they were tokens of every record that have no state of their own', async () => {
  // With weights in which a register is the input of a token, one more token at its place gives the same.
  const [short, long] = [{ ...spec, maxTokens: 3 }, spec];
  const feeds = {
    values: floats([1, 5, 2], normals('values', 10)),
    lengths: { dtype: 'int32', shape: [1], data: Int32Array.of(5) },
  } as const;
  const whole = transformer.encode(long, tokenInputs(long, 1, 5), config);
  const parameters = ordinaryParameters([whole.pooled]);
  const { embedded, states } = await evaluate(
    engine,
    { embedded: whole.embedded, states: whole.states },
    { ...feeds, ...parameters },
  );
  const some = transformer.encode(short, tokenInputs(short, 1, 3), { ...config, registers: 2 });
  const given = {
    ...parameters,
    'embedding.positions': floats([3, 8], parameters['embedding.positions'].data.slice(0, 24)),
    'encoder.registers': floats([2, 8], embedded.slice(24)),
    values: floats([1, 3, 2], normals('values', 10).slice(0, 6)),
    lengths: { dtype: 'int32', shape: [1], data: Int32Array.of(3) },
  } as const;
  const read = await evaluate(engine, { states: some.states, pooled: some.pooled }, given);
  expect(largestDifference(read.states, states.slice(0, 24))).toBeLessThan(1e-5);
  const mean = Array.from({ length: 8 }, (_, c) => (states[c] + states[8 + c] + states[16 + c]) / 3);
  expect(largestDifference(read.pooled, mean)).toBeLessThan(1e-5);
});
