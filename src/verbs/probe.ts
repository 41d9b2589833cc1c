/** The verb `probe`: how much a frozen encoder's embeddings say about labels, beside the same encoder untrained. */
import { parseConfig } from '../config/parse.js';
import type { ProbeOptions } from '../config/schema.js';
import type { HostTensors } from '../engine/engine.js';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { Embedder, encoderParameters, untrainedParameters } from '../finetuning/frozen-encoder.js';
import type { Hooks } from '../learning/progress-event.js';
import { type ProtocolName, protocols } from '../probes/index.js';
import type { Protocol, Represented } from '../probes/protocol.js';
import type { TokenBlock } from '../records/token-block.js';
import { openRun, runFile } from '../runs/folder.js';
import { describeParts, type MethodScores, type Scores, writeScores } from '../runs/scores.js';
import { boundsOf, chooseMetric, metrics, type Task } from '../scoring/metrics.js';
import { convertParts, splitParts } from '../scoring/parts.js';
import { summarize } from '../scoring/statistics.js';
import { checkDefined, undefinedByPredictions } from '../scoring/undefined-scores.js';
import { inputFiles } from '../sources/data-files.js';
import { describeRecords, readingOf, readLabelledFile } from './labelled-file.js';

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

/**
 * Embeds the labelled records once per encoder and runs every protocol, or the one asked for, on the embeddings. Writes
 * scores.json into the run. A run has one set of pretrained parameters and a probe has no randomness, so the
 * pretrained encoder has one score and no interval; the untrained encoder has one score per seed.
 * Throws InputError for data or options that do not fit.
 */
export async function probe(
  { run: folder, data, targets, ...options }: ProbeVerbOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<Scores> {
  const config = parseConfig({ probe: options.config ?? {} }, 'config').probe ?? {};
  await refuseOverwrite(await inputFiles(data, config.format), runFile(folder, 'scores'));
  const run = await openRun(folder, (message) => onEvent({ type: 'warning', message }));
  const asked = config.kind ? [protocols[config.kind]] : Object.values(protocols);
  const keepUnlabelled = asked.some(({ unlabelled }: Protocol) => unlabelled);
  const file = await readLabelledFile(readingOf([run]), data, targets, config, { keepUnlabelled });
  const { labelled, warnings, learned } = file;
  const { spec, unlabelledBlock } = labelled;
  if (spec.task === 'per-token') {
    throw new InputError(
      `${data}: ${spec.reason}, and a probe has one embedding for each record; use finetune, or name another --task`,
    );
  }
  const metric = chooseMetric(spec.task, config.metric);
  const kinds = config.kind ? [config.kind] : protocolsOf(spec.task);
  const defined = checkDefined(labelled, metric);
  for (const message of [...warnings, ...defined.notes]) onEvent({ type: 'warning', message });
  onEvent({
    type: 'info',
    message: `${spec.task}: ${spec.reason}; ${describeRecords(labelled)}`,
  });

  const engine = await nodeEngine({ threads: config.threads ?? defaultThreads() });
  const parts = splitParts(labelled);
  const represent = async (parameters: HostTensors): Promise<Represented> => {
    const embedder = new Embedder(engine, run.model, parameters);
    const embed = (block: TokenBlock) => embedder.embed(block, signal);
    try {
      return {
        parts: await convertParts(parts, embed),
        ...(unlabelledBlock && { unlabelled: await embed(unlabelledBlock) }),
        dimension: embedder.width,
        spec,
        metric,
        engine,
      };
    } finally {
      await embedder.release();
    }
  };
  const encoders: [name: string, parameters: HostTensors[]][] = [
    [run.config.objective.kind, [encoderParameters(run.model, run.tensors, folder)]],
    ['untrained', Array.from({ length: UNTRAINED_SEEDS }, (_, seed) => untrainedParameters(run.model, seed))],
  ];

  const methods: MethodScores[] = [];
  for (const [encoder, starts] of encoders) {
    const rows = new Rows();
    for (const [seed, parameters] of starts.entries()) {
      const represented = await represent(parameters);
      for (const kind of kinds) {
        signal?.throwIfAborted();
        const method = `${encoder}, ${kind}`;
        let started = performance.now();
        for await (const [name, value] of protocols[kind].run(represented)) {
          rows.add(method, name, value, (performance.now() - started) / 1000);
          onEvent({ type: 'seed', method, seed, seeds: starts.length, metric: name, value });
          started = performance.now();
        }
      }
    }
    methods.push(...rows.summarized(metric, defined.test));
  }
  return writeScores(folder, {
    task: spec.task,
    targets: spec.columns,
    metric,
    higherIsBetter: metrics[metric].higherIsBetter,
    split: describeParts(labelled, learned),
    methods,
  });
}

/** The values of each method under each name, in the order in which they came. */
class Rows {
  private readonly rows = new Map<
    string,
    { method: string; metric: string; values: number[]; seconds: number }
  >();

  add(method: string, metric: string, value: number, seconds: number): void {
    const key = JSON.stringify([method, metric]);
    const row = this.rows.get(key) ?? { method, metric, values: [], seconds: 0 };
    row.values.push(value);
    row.seconds += seconds;
    this.rows.set(key, row);
  }

  /** `reason` is why no score by the metric that was asked for is defined, where that is so. */
  summarized(asked: string, reason: string | undefined): MethodScores[] {
    return [...this.rows.values()].map(({ method, metric, values, seconds }) => ({
      method,
      metric,
      perSeed: values,
      ...summarize(values, boundsOf(metric)),
      ...(values.some(Number.isNaN) && {
        reason: (metric === asked ? reason : undefined) ?? undefinedByPredictions(metric),
      }),
      seconds,
    }));
  }
}

function protocolsOf(task: Task): ProtocolName[] {
  return (Object.keys(protocols) as ProtocolName[]).filter((kind) => {
    const { tasks }: Protocol = protocols[kind];
    return tasks?.includes(task) ?? true;
  });
}
