/** A training step of each objective beside the passes of the encoder that it needs: `npm run speed -- objectives FILE…`. */
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { modelOf, resolveConfig } from '../dist/config/defaults.js';
import { parseConfig } from '../dist/config/parse.js';
import { fitSource } from '../dist/datasets/token-plan.js';
import { trainingBlocks } from '../dist/datasets/token-stream.js';
import { nodeEngine } from '../dist/engine/node.js';
import { InputError } from '../dist/errors.js';
import { staticSize } from '../dist/graph/index.js';
import { productOperations } from '../dist/graph/operations.js';
import { batchShape, gradientProgram, objectiveOf, pretrainingGraph } from '../dist/learning/model.js';
import { initializeParameters, targetViews } from '../dist/learning/parameters.js';
import { batchFeeds, pretrainingGraphFor } from '../dist/learning/self-supervision.js';
import { Trainer } from '../dist/learning/trainer.js';
import { objectives } from '../dist/objectives/index.js';
import { blockLengths, bucketLengths, epochOrder, packBatch } from '../dist/records/batch.js';
import { openSource } from '../dist/sources/open-source.js';
import { zeros } from '../dist/tensor/tensor.js';
import { encoderPasses, passCounts } from './passes.mjs';
import { markdownTable, number, spread, summary } from './table.mjs';
import { writeResults } from './written-results.mjs';

const HELP = `npm run speed -- objectives FILE… [options]

Trains each objective on the records of each file, with the model that a run on it has by default, in turns with the
passes of the encoder that the objective needs, alone.

  --threads N     as many as cores by default
  --repeats N     turns, 7 by default
  --only NAMES    these objectives, separated by commas
  --encoder NAME  perceiver by default
  --json FILE     write all numbers there`;

/**
 * @typedef {import('../dist/objectives/index.js').ObjectiveKind} ObjectiveKind
 * @typedef {import('../dist/records/token-block.js').TokenBlock} TokenBlock
 * @typedef {import('./table.mjs').Summary} Summary
 * @typedef {{
 *   objective: string, error?: string, encoded?: { backward: number, forward: number }, step?: Summary, input?: Summary,
 *   update?: Summary, passes?: Summary, ratio?: number, ratios?: Summary, products?: number,
 * }} ObjectiveRow
 * @typedef {{ file: string, model: string, threads: number, load: number[], rows: ObjectiveRow[] }} Measured
 * @typedef {{ threads: number, repeats: number, only?: readonly string[], encoder?: string }} MeasureOptions
 */

/** Batches that are trained on in turn, of one length. */
const BATCHES = 4;
const WARM_UP_TURNS = 2;
/** Where in the run the steps are taken: what begins late, such as MYOW's mined views, has begun. */
const PROGRESS = 0.5;
const LEARNING_RATE = 1e-4;

/** The training records of a file, in memory, and how a run would cut them into tokens. */
async function readRecords(/** @type {string} */ path) {
  const source = await openSource(path);
  const { tokenizer, rule, parts } = await fitSource(source, {}, { valid: 0.05, test: 0 });
  const stream = trainingBlocks({ source, tokenizer, rule, parts, reject: () => {}, capacity: 1 << 25 });
  for await (const block of stream) return { tokenizer, block };
  throw new InputError(`${path}: no training record is left to learn from`);
}

/** The first batches of one length in the order of the first epoch. */
function firstBatches(
  /** @type {TokenBlock} */ block,
  /** @type {number} */ size,
  /** @type {number} */ maxTokens,
) {
  const buckets = bucketLengths(blockLengths(block), maxTokens);
  const order = { seed: 0, epoch: 0, blockIndex: 0, batchSize: size, buckets, dropLast: true };
  const plans = epochOrder(block, order);
  return plans.filter(({ tokens }) => tokens === plans[0].tokens).slice(0, BATCHES);
}

/** Runs the work and adds the milliseconds it took to `times`. @template T */
async function timed(/** @type {number[]} */ times, /** @type {() => T | Promise<T>} */ work) {
  const started = performance.now();
  const result = await work();
  times.push(performance.now() - started);
  return result;
}

/** Steps of all objectives on one file, each in turn with its passes. @returns {Promise<Measured>} */
async function measureObjectives(
  /** @type {string} */ file,
  /** @type {MeasureOptions} */ { threads, repeats, only, encoder },
) {
  const asked = parseConfig(encoder === undefined ? {} : { encoder: { kind: encoder } }, '--encoder');
  const { tokenizer, block } = await readRecords(file);
  const { spec } = tokenizer;
  const engine = await nodeEngine({ threads });
  const configOf = (/** @type {ObjectiveKind} */ kind) =>
    resolveConfig(
      {
        ...asked,
        objective: { kind },
        // Only so that an objective which goes on from another run does not refuse; the parameters are fresh.
        training: { from: 'another run' },
      },
      {
        path: file,
        format: 'csv',
        hash: '',
        tokenizer,
        heldOut: { valid: 0.05, test: 0 },
        records: block.count,
        threads,
        versions: {},
      },
    );

  /** @returns {Promise<ObjectiveRow>} */
  const measure = async (/** @type {ObjectiveKind} */ kind) => {
    const { encoder, objective, training } = configOf(kind);
    const model = modelOf({ encoder, objective }, spec);
    const { batch_size: size, weight_decay: weightDecay, clip_norm: clipNorm } = training;
    const plans = firstBatches(block, size, spec.maxTokens);
    const [{ tokens }] = plans;
    const graph = pretrainingGraph(model, batchShape(model, size, tokens));
    const trainer = new Trainer(
      engine,
      { build: (count) => pretrainingGraphFor(model, size, count), weightDecay, clipNorm },
      tokens,
    );
    trainer.begin(initializeParameters(trainer.layout, 0));
    const { average } = trainer.state;
    const parameters = {
      ...trainer.parameters,
      ...(average && targetViews(trainer.layout, graph.targets, average)),
    };
    const passes = encoderPasses(graph);
    const compiled = await Promise.all(
      passes.map(async ({ program }) => ({
        executable: await engine.compile(program),
        results: Object.fromEntries(
          Object.entries(program.outputs).map(([name, { dtype, shape }]) => [
            name,
            zeros(dtype, shape.map(staticSize)),
          ]),
        ),
      })),
    );
    /** @type {Record<'step' | 'input' | 'update' | 'passes', number[]>} */
    const times = { step: [], input: [], update: [], passes: [] };
    const { momentum } = objectiveOf(model);
    for (let turn = 0; turn < WARM_UP_TURNS + repeats; turn++) {
      const feeds = await timed(times.step, async () => {
        const feeds = await timed(times.input, () => {
          const batch = packBatch(block, plans[turn % plans.length].records, size, tokens);
          return batchFeeds(model, batch, { seed: 0, purpose: 'speed', step: turn, progress: PROGRESS });
        });
        await trainer.gradient(tokens, feeds);
        const norm = trainer.gradientNorm();
        await timed(times.update, async () => {
          await trainer.update(turn + 1, LEARNING_RATE, norm);
          if (momentum) trainer.follow(momentum(model.objective, PROGRESS));
        });
        return feeds;
      });
      await timed(times.passes, async () => {
        for (const { executable, results } of compiled)
          await executable.run({ ...parameters, ...feeds }, results);
      });
    }
    for (const { executable } of compiled) await executable.release();
    await trainer.release();
    const after = (/** @type {number[]} */ values) => values.slice(WARM_UP_TURNS);
    const [steps, alone] = [after(times.step), after(times.passes)];
    const products = (/** @type {import('../dist/graph/index.js').Program} */ { outputs }) =>
      productOperations(Object.values(outputs));
    const whole = products(gradientProgram('step', graph.loss, graph.parameters, {}));
    return {
      objective: kind,
      encoded: passCounts(passes, size),
      step: summary(steps),
      input: summary(after(times.input)),
      update: summary(after(times.update)),
      passes: summary(alone),
      ratio: summary(steps).median / summary(alone).median,
      ratios: summary(steps.map((milliseconds, turn) => milliseconds / alone[turn])),
      products: whole / passes.reduce((sum, { program }) => sum + products(program), 0),
    };
  };

  const kinds = /** @type {ObjectiveKind[]} */ (Object.keys(objectives)).filter(
    (kind) => !only || only.includes(kind),
  );
  /** @type {ObjectiveRow[]} */
  const rows = [];
  for (const kind of kinds) {
    process.stderr.write(`\r\x1b[K${file}: ${kind} `);
    rows.push(
      await measure(kind).catch((error) => {
        if (error instanceof InputError) return { objective: kind, error: error.message };
        throw error;
      }),
    );
  }
  process.stderr.write('\r\x1b[K');
  const { encoder: shape, training } = configOf('random-masking');
  const [{ tokens }] = firstBatches(block, training.batch_size, spec.maxTokens);
  const model = `${shape.kind}, width ${shape.width}, ${shape.layers} layers; ${training.batch_size} records of ${tokens} tokens`;
  return { file, model, threads, load: loadavg(), rows };
}

function printObjectives(/** @type {Measured} */ { file, model, threads, load, rows }) {
  const head = [
    'objective',
    'passes with + without gradient',
    'step, ms (quartiles)',
    'of which input and noise',
    'of which update',
    'passes, ms (quartiles)',
    'step ÷ passes',
    'turn by turn (quartiles)',
    'products ÷ products',
  ];
  const body = rows.map(
    ({ objective, error, encoded, step, input, update, passes, ratio, ratios, products }) => [
      objective,
      encoded ? `${encoded.backward} + ${encoded.forward}` : '',
      error ?? spread(step),
      number(input?.median),
      number(update?.median),
      spread(passes),
      number(ratio, 2),
      spread(ratios, 2),
      number(products, 2),
    ],
  );
  console.log(
    `\n${file}: ${model}; ${threads} threads, load ${load[0].toFixed(1)}\n\n${markdownTable([head, ...body])}`,
  );
}

const { values: options, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: String(availableParallelism()) },
    repeats: { type: 'string', default: '7' },
    only: { type: 'string' },
    encoder: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help || files.length === 0) {
  console.log(HELP);
  process.exit(options.help ? 0 : 2);
}
const repeats = Number(options.repeats);
/** @type {Record<string, Measured>} */
const results = {};
for (const file of files) {
  const measured = await measureObjectives(file, {
    threads: Number(options.threads),
    repeats,
    only: options.only?.split(','),
    encoder: options.encoder,
  }).catch((error) => {
    if (!(error instanceof InputError)) throw error;
    console.error(error.message);
    process.exit(error.exitCode);
  });
  results[file] = measured;
  printObjectives(measured);
  await writeResults(options.json, repeats, results);
}
process.exit(0);
