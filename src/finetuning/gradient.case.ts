/** The gradient of a fine-tuning's loss, for tests. */
import { expect } from 'vitest';
import type { Engine } from '../engine/engine.js';
import { evaluate, floats, normals, ordinaryParameters } from '../engine/evaluate.case.js';
import { trackedOf } from '../graph/index.js';
import { gradientName, gradientProgram } from '../learning/model.js';
import type { TrainableGraph } from '../learning/trainer.js';
import type { HostTensor } from '../tensor/tensor.js';

/**
 * The derivative along a random direction is that of the gradient, of which tracked parameters and those that are `still`
 * have none.
 */
export async function expectGradient(
  engine: Engine,
  graph: TrainableGraph,
  feeds: Record<string, HostTensor>,
  still: (name: string) => boolean = () => false,
): Promise<void> {
  const parameters = ordinaryParameters([graph.loss]);
  const along = Object.keys(parameters).map((name) =>
    normals(`along ${name}`, parameters[name].data.length, still(name) ? 0 : 1),
  );
  const moved = (by: number) =>
    Object.fromEntries(
      Object.entries(parameters).map(([name, tensor], i) => [
        name,
        floats(
          tensor.shape,
          tensor.data.map((value, k) => value + by * along[i][k]),
        ),
      ]),
    );
  const program = gradientProgram('gradient', graph.loss, graph.parameters, {});
  const found = await evaluate(engine, program.outputs, { ...feeds, ...parameters });
  const tracked = new Set(trackedOf([graph.loss]).map(({ name }) => name));
  let slope = 0;
  Object.keys(parameters).forEach((name, i) => {
    const own = found[gradientName(name)];
    expect(
      own.some((value) => value !== 0),
      name,
    ).toBe(!tracked.has(name) && !still(name));
    for (let k = 0; k < own.length; k++) slope += own[k] * along[i][k];
  });
  // Small, so that no difference of two states changes its sign on the way.
  const h = 1e-4;
  const lossAt = async (by: number) =>
    (await evaluate(engine, { loss: graph.loss }, { ...feeds, ...moved(by) })).loss[0];
  const measured = ((await lossAt(h)) - (await lossAt(-h))) / (2 * h);
  expect(Math.abs(measured - slope)).toBeLessThan(0.005 * Math.abs(slope) + 1e-3);
}
