/** Whether training on a GPU agrees with training on the CPU: `npm run speed -- agreement --help` lists the options. */
import { parseArgs } from 'node:util';
import { encoderNamed, encoders } from '../dist/encoders/index.js';
import { nodeEngine } from '../dist/engine/node.js';
import { webgpuEngine } from '../dist/engine/webgpu.js';
import { InputError } from '../dist/errors.js';
import { DeviceTrainer } from '../dist/learning/device-trainer.js';
import { objectiveOf } from '../dist/learning/model.js';
import { initializeParameters } from '../dist/learning/parameters.js';
import { batchFeeds, pretrainingGraphFor } from '../dist/learning/self-supervision.js';
import { Trainer } from '../dist/learning/trainer.js';
import { objectiveNamed, objectives } from '../dist/objectives/index.js';
import { MISSING_ID, PRESENT_ID } from '../dist/records/token-block.js';
import { random } from '../dist/tensor/random.js';
import { describeMachine, thisMachine } from './machine.mjs';
import { markdownTable } from './table.mjs';
import { writeResults } from './written-results.mjs';

const HELP = `npm run speed -- agreement [options]

Trains small models of all objectives, encoders and kinds of tokens on the CPU and on the GPU, step by step from the same
parameters, and prints how far losses and gradient norms are apart. Ends with 1 where one is further off than a thousandth.

  --steps N     steps of each model, 20 by default
  --seconds N   begins no model later than this
  --json FILE   write all numbers there, after each model`;

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '20' },
    seconds: { type: 'string', default: 'Infinity' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

/**
 * @typedef {import('../dist/records/token-block.js').TokenSpec} TokenSpec
 * @typedef {import('../dist/learning/model.js').ModelConfig} ModelConfig
 * @typedef {import('../dist/objectives/index.js').ObjectiveKind} ObjectiveKind
 * @typedef {import('../dist/encoders/index.js').EncoderKind} EncoderKind
 * @typedef {{
 *   objective: string, encoder: string, tokens: string, parameters?: number, steps: number, loss?: number, norm?: number,
 *   error?: string,
 * }} Agreement largest relative differences of the loss and of the gradient's norm
 */

const RECORDS = 8;
const CATEGORIES = 5;
/** A difference beyond it is not rounding. */
const TOLERANCE = 1e-3;

/** @type {Readonly<Record<string, TokenSpec>>} */
const tokenSpecs = {
  letters: { kind: 'discrete', vocabulary: 26, maxTokens: 24 },
  table: {
    kind: 'fields',
    maxTokens: 12,
    vocabulary: 2 + 4 * CATEGORIES,
    fields: Array.from({ length: 12 }, (_, i) =>
      i % 3 === 0
        ? { name: `${i}`, type: 'categorical', firstId: 2 + (i / 3) * CATEGORIES, size: CATEGORIES }
        : { name: `${i}`, type: 'numeric', firstId: 0, size: 0 },
    ),
  },
  image: {
    kind: 'continuous',
    channels: 16,
    maxTokens: 25,
    grid: { rows: 5, columns: 5, patch: 4 },
  },
  series: { kind: 'continuous', channels: 4, maxTokens: 20, patch: 4 },
};

/** Random records of these tokens; texts and series of 60 to 100 % of the longest, a tenth of the table's cells missing. */
function randomBatch(/** @type {TokenSpec} */ spec) {
  const { maxTokens } = spec;
  const source = random(1, `agreement ${spec.kind}`);
  const channels = spec.kind === 'continuous' ? spec.channels : 1;
  const lengths = new Int32Array(RECORDS).fill(maxTokens);
  const ids = new Int32Array(RECORDS * maxTokens);
  const values = new Float32Array(RECORDS * maxTokens * channels);
  const varies = spec.kind === 'discrete' || (spec.kind === 'continuous' && !spec.grid);
  for (let row = 0; row < RECORDS; row++) {
    if (varies) lengths[row] = Math.round(maxTokens * (0.6 + 0.4 * source.uniform()));
    for (let token = 0; token < lengths[row]; token++) {
      const place = row * maxTokens + token;
      const field = spec.kind === 'fields' ? spec.fields[token] : undefined;
      if (spec.kind === 'discrete') ids[place] = 4 + source.integer(spec.vocabulary - 4);
      else if (field && source.uniform() < 0.1) ids[place] = MISSING_ID;
      else if (field?.type === 'categorical') ids[place] = field.firstId + source.integer(field.size);
      else {
        ids[place] = PRESENT_ID;
        for (let channel = 0; channel < channels; channel++)
          values[place * channels + channel] = source.normal();
      }
    }
  }
  return {
    size: RECORDS,
    tokens: maxTokens,
    rows: RECORDS,
    lengths,
    fileRows: new Int32Array(RECORDS),
    ...(spec.kind !== 'continuous' && { ids }),
    ...(spec.kind !== 'discrete' && { values }),
  };
}

/** @returns {ModelConfig} */
function smallModel(
  /** @type {ObjectiveKind} */ kind,
  /** @type {EncoderKind} */ encoderKind,
  /** @type {TokenSpec} */ spec,
) {
  const sizes = {
    kind: encoderKind,
    latents: 8,
    width: 32,
    embed_width: 32,
    layers: 2,
    heads: 2,
    cross_heads: 1,
    widening: 2,
  };
  const encoder = { ...sizes, ...encoderNamed(encoderKind).defaults?.(spec, sizes, {}) };
  return { spec, encoder, objective: { kind, ...objectiveNamed(kind).defaults(spec, encoder, {}) } };
}

/** Both trainers on the same batch, from the same parameters. Throws InputError where objective, encoder and tokens do not go together. */
async function compare(/** @type {ModelConfig} */ model, /** @type {Agreement} */ agreement) {
  const { maxTokens } = model.spec;
  const settings = {
    build: (/** @type {number} */ tokens) => pretrainingGraphFor(model, RECORDS, tokens),
    weightDecay: 0.01,
    clipNorm: 1,
  };
  const cpu = await nodeEngine({ threads: 1 });
  const expected = new Trainer(cpu, settings, maxTokens);
  const found = new DeviceTrainer(await webgpuEngine(), cpu, settings, maxTokens);
  for (const trainer of [expected, found]) trainer.begin(initializeParameters(trainer.layout, 0));
  agreement.parameters = expected.layout.length;
  const batch = randomBatch(model.spec);
  const { momentum } = objectiveOf(model);
  const apart = (/** @type {number} */ a, /** @type {number} */ b) => Math.abs(a - b) / Math.abs(b);
  for (let step = 1; step <= Number(options.steps); step++) {
    const progress = (step - 1) / Number(options.steps);
    const feeds = batchFeeds(model, batch, { seed: 1, purpose: 'agreement', step, progress });
    const taken = { step, learningRate: 1e-3, momentum: momentum?.(model.objective, progress) };
    const onCpu = await expected.step(maxTokens, feeds, taken);
    const onDevice = await found.step(maxTokens, feeds, taken);
    agreement.loss = Math.max(agreement.loss ?? 0, apart(onDevice.loss, onCpu.loss));
    agreement.norm = Math.max(agreement.norm ?? 0, apart(onDevice.norm, onCpu.norm));
    agreement.steps = step;
  }
  await found.release();
  await expected.release();
}

const encoderKinds = /** @type {EncoderKind[]} */ (Object.keys(encoders));
const pairs = Object.keys(tokenSpecs).flatMap((tokens) =>
  encoderKinds.map((encoder) => ({ encoder, tokens })),
);
// Every objective comes once before one comes twice, each time with another encoder or other tokens.
const combinations = pairs.flatMap((_, shift) =>
  Object.keys(objectives).map((objective, i) => ({ objective, ...pairs[(5 * i + shift) % pairs.length] })),
);

const machine = thisMachine('webgpu');
console.log(describeMachine(machine));
// Where no GPU answers, all would say the same.
await webgpuEngine().catch(({ message }) => {
  console.error(message);
  process.exit(1);
});
/** @type {Agreement[]} */
const agreements = [];
const started = performance.now();
for (const { objective, encoder, tokens } of combinations) {
  if (performance.now() - started > 1000 * Number(options.seconds)) break;
  process.stderr.write(`\r\x1b[K${agreements.length + 1}: ${objective}, ${encoder}, ${tokens}`);
  /** @type {Agreement} */
  const agreement = { objective, encoder, tokens, steps: 0 };
  try {
    await compare(
      smallModel(
        /** @type {ObjectiveKind} */ (objective),
        /** @type {EncoderKind} */ (encoder),
        tokenSpecs[tokens],
      ),
      agreement,
    );
  } catch (error) {
    // What does not go together is refused before anything is trained, and is no disagreement.
    if (error instanceof InputError && agreement.parameters === undefined) continue;
    agreement.error = /** @type {Error} */ (error).message;
  }
  agreements.push(agreement);
  await writeResults(options.json, 1, agreements, machine);
}
process.stderr.write('\r\x1b[K');
const agrees = (/** @type {Agreement} */ { error, loss = 0, norm = 0 }) =>
  error === undefined && loss <= TOLERANCE && norm <= TOLERANCE;
const shown = (/** @type {number | undefined} */ value) => value?.toExponential(1) ?? '';
const rows = agreements.map(({ objective, encoder, tokens, steps, loss, norm, error }) => [
  objective,
  encoder,
  tokens,
  String(steps),
  error ?? shown(loss),
  shown(norm),
]);
console.log(
  `\n${markdownTable([['objective', 'encoder', 'tokens', 'steps', 'loss differs by', 'norm differs by'], ...rows])}`,
);
const wrong = agreements.filter((agreement) => !agrees(agreement)).length;
console.log(`\n${agreements.length - wrong} of ${agreements.length} models agree`);
process.exit(wrong > 0 ? 1 : 0);
