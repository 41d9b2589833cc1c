import { expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from '../tensor/safetensors.js';
import { packData, unpackData } from './plain-data.js';

const value = {
  name: 'trees',
  parts: [
    { threshold: Float32Array.of(0.5, Number.NaN), left: Int32Array.of(1, 0), missing: Uint8Array.of(1) },
    { value: Float64Array.of(1 / 3, Number.NEGATIVE_INFINITY, -0), other: null, flag: true },
  ],
};

it('comes back from JSON and a file of tensors bit for bit', () => {
  const { json, tensors } = packData(value, 'model');
  const file = Buffer.concat(encodeSafetensors(tensors));
  const read = decodeSafetensors(file, 'models.safetensors').tensors;
  expect(unpackData(JSON.parse(JSON.stringify(json)), read)).toEqual(value);
});

it('refuses what lacks a tensor', () => {
  const { json, tensors } = packData(value, 'model');
  const { 'model.parts.0.left': _, ...others } = tensors;
  expect(() => unpackData(json, others)).toThrow('no tensor model.parts.0.left');
});
