import { expect, it } from 'vitest';
import { fitGraph } from './fit-graph.js';
import type { SavedFit } from './saved-fit.js';

it('refuses trees that no ONNX file can hold, and says what to try', () => {
  // Only the lengths are looked at.
  const ensemble = { left: { length: 2 ** 26 }, value: { length: 2 ** 26 } };
  const model = { kind: 'trees', parts: [{ columns: [0], ensemble }] };
  const fit = {
    folder: 'forest',
    parts: [{ name: 'trees', weight: 1, features: ['values'], models: [model] }],
  };
  expect(() => fitGraph(fit as unknown as SavedFit)).toThrow(
    /^forest: its trees have 67,108,864 nodes, .* --folds 1$/,
  );
});
