/** The verb `probe`: how much a frozen encoder's embeddings say about labels, beside the same encoder untrained. */

import { parseConfig } from '../config/parse.js';
import type { ProbeOptions } from '../config/schema.js';
import { readLabelledFor } from '../datasets/labelled-data.js';
import type { HostTensors } from '../engine/engine.js';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { Embedder, encoderParameters, untrainedParameters } from '../finetuning/frozen-encoder.js';
import type { Hooks } from '../learning/progress-event.js';
import { type ProbeName, probes } from '../probes/index.js';
import { openRun } from '../runs/folder.js';
import { type MethodScores, type Scores, writeScores } from '../runs/scores.js';
import type { Task } from '../scoring/metrics.js';
import { chooseMetric, metrics } from '../scoring/metrics.js';
import { summarize } from '../scoring/statistics.js';

/** What `probe` is given. */
export interface ProbeVerbOptions {
  /** Folder of a pretrained run. */
  readonly run: string;
  /** A file with labels. */
  readonly data: string;
  /** The columns to predict. */
  readonly targets: readonly string[];
  readonly config?: ProbeOptions;
}

/** Untrained encoders to compare with. */
const UNTRAINED_SEEDS = 3;

/** Probes that have no meaning for a task. */
const senseless: Readonly<Partial<Record<Task, readonly ProbeName[]>>> = {
  regression: ['nearest-class-mean'],
};

/**
 * Embeds the labelled records once per encoder and runs every probe, or the one asked for, on the embeddings. Writes
 * scores.json into the run. A run has one set of pretrained parameters and a probe has no randomness, so the
 * pretrained encoder has one score and no interval; the untrained encoder has one score per seed.
 * Throws InputError for data or options that do not fit.
 */
export async function probe(
  { run: folder, data, targets, ...options }: ProbeVerbOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<Scores> {
  const config = parseConfig({ probe: options.config ?? {} }, 'config').probe ?? {};
  const run = await openRun(folder, (message) => onEvent({ type: 'warning', message }));
  const labelled = await readLabelledFor(run, data, targets, config);
  const { block, labels, part, spec, counts, splitBy } = labelled;
  if (spec.task === 'per-token') {
    throw new InputError(
      `${data}: ${spec.reason}, and a probe has one embedding for each record; use finetune, or name another --task`,
    );
  }
  const metric = chooseMetric(spec.task, config.metric);
  const kinds = config.kind ? [config.kind] : fittingProbes(spec.task);
  const rejected = labelled.rejected.summary();
  if (rejected) onEvent({ type: 'warning', message: rejected });
  onEvent({
    type: 'info',
    message: `${spec.task}: ${spec.reason}; split by ${splitBy}: ${counts.train} train, ${counts.valid} valid, ${counts.test} test`,
  });

  const engine = await nodeEngine({ threads: config.threads ?? defaultThreads() });
  const embedWith = async (parameters: HostTensors): Promise<Float32Array> => {
    const embedder = new Embedder(engine, run.model, parameters);
    try {
      return await embedder.embed(block, signal);
    } finally {
      await embedder.release();
    }
  };
  const encoders: [name: string, parameters: HostTensors[]][] = [
    [run.config.objective.kind, [encoderParameters(run.model, run.tensors, folder)]],
    ['untrained', Array.from({ length: UNTRAINED_SEEDS }, (_, seed) => untrainedParameters(run.model, seed))],
  ];

  const methods: MethodScores[] = [];
  for (const [name, starts] of encoders) {
    const perSeed = kinds.map((): number[] => []);
    const seconds = kinds.map(() => 0);
    for (const [seed, parameters] of starts.entries()) {
      const features = await embedWith(parameters);
      const probed = { features, dimension: run.model.encoder.width, labels, part };
      for (const [i, kind] of kinds.entries()) {
        signal?.throwIfAborted();
        const started = performance.now();
        const { test } = await probes[kind](probed, spec, metric, engine);
        perSeed[i].push(test);
        seconds[i] += (performance.now() - started) / 1000;
        const method = methodName(name, kind);
        onEvent({ type: 'seed', method, seed, seeds: starts.length, metric, value: test });
      }
    }
    for (const [i, kind] of kinds.entries()) {
      methods.push({
        method: methodName(name, kind),
        metric,
        perSeed: perSeed[i],
        ...summarize(perSeed[i]),
        seconds: seconds[i],
      });
    }
  }
  return writeScores(folder, {
    task: spec.task,
    targets: spec.columns,
    metric,
    higherIsBetter: metrics[metric].higherIsBetter,
    split: { by: splitBy, ...counts },
    methods,
  });
}

const methodName = (encoder: string, kind: ProbeName) => `${encoder}, ${kind}`;

function fittingProbes(task: Task): ProbeName[] {
  return (Object.keys(probes) as ProbeName[]).filter((kind) => !senseless[task]?.includes(kind));
}
