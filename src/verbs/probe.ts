/** The verb `probe`: how much a frozen encoder's embeddings say about labels, beside the same encoder untrained. */
import { basename } from 'node:path';
import { parseConfig } from '../config/parse.js';
import type { ProbeOptions } from '../config/schema.js';
import type { LabelledData } from '../datasets/labelled-data.js';
import type { HostTensors } from '../engine/engine.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError } from '../errors.js';
import { holdFolder } from '../files/hold-folder.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { Embedder, encoderParameters, untrainedParameters } from '../finetuning/frozen-encoder.js';
import { encoderWork } from '../learning/model.js';
import type { Hooks } from '../learning/progress-event.js';
import { type ProtocolName, protocols } from '../probes/index.js';
import type { Domains, Protocol, Represented } from '../probes/protocol.js';
import type { TokenBlock } from '../records/token-block.js';
import { hasConfig, openRun, type Run, runFile } from '../runs/folder.js';
import { ScoreRows, scoresOf, UNTRAINED } from '../runs/score-rows.js';
import { type Scores, writeScores } from '../runs/scores.js';
import { chooseMetric } from '../scoring/metrics.js';
import { type Parts, splitParts } from '../scoring/parts.js';
import { inputFiles } from '../sources/data-files.js';
import { type Draw, drawsOf } from './draws.js';
import { describeRecords, type LabelledFile, readingOf, readLabelledFile } from './labelled-file.js';

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

/** Untrained encoders to compare with, and draws of shots, where nothing is said. */
const SEEDS = 3;

/**
 * Embeds the labelled records once per encoder and runs every protocol, or the one asked for, on the embeddings. Writes
 * scores.json into the run. A run has one set of pretrained parameters and a probe has no randomness, so the
 * pretrained encoder has one score and no interval, but with several splits or shots, which are drawn anew; the untrained
 * encoder has one score per seed.
 * Throws InputError for data or options that do not fit.
 */
export async function probe(options: ProbeVerbOptions, hooks: Hooks = {}): Promise<Scores> {
  // A folder that is not there is no run, and is not made.
  if (!(await hasConfig(options.run))) await openRun(options.run);
  return holdFolder(options.run, () => probeInto(options, hooks));
}

async function probeInto(
  { run: folder, data, targets, ...options }: ProbeVerbOptions,
  hooks: Hooks,
): Promise<Scores> {
  const { onEvent = () => {} } = hooks;
  const config = parseConfig({ probe: options.config ?? {} }, 'config').probe ?? {};
  await refuseOverwrite(await inputFiles(data, config.format), runFile(folder, 'scores'));
  const run = await openRun(folder, (message) => onEvent({ type: 'warning', message }));
  const { file, kinds } = await readAsked(run, { data, targets, config });
  const { labelled, warnings } = file;
  const { spec, unlabelledBlock } = labelled;
  const metric = chooseMetric(spec.task, config.metric);
  // With shots a seed draws them, for the pretrained encoder too.
  const { seeds: count = SEEDS, shots, domain } = config;
  const { draws, defined } = drawsOf(labelled, { shots, seeds: count, metric });
  for (const message of [...warnings, ...defined.notes]) onEvent({ type: 'warning', message });
  onEvent({ type: 'info', message: `${spec.task}: ${spec.reason}; ${describeRecords(labelled)}` });

  const engine = await openEngine({
    ...config,
    work: () => encoderWork(run.model, { passes: 1 }),
    report: (message) => onEvent({ type: 'info', message }),
  });
  const rows = new ScoreRows();
  /** Runs protocols on what represents all records, by the parts of one draw. */
  const judge = async (draw: Draw, { name, kinds: own, seed, of, embedded }: Representation) => {
    const drawn = draw.records(seed);
    const { all, dimension, unlabelled } = embedded;
    const represented: Represented = {
      parts: representedParts(drawn, all, dimension),
      ...(unlabelled && { unlabelled }),
      ...(domain !== undefined && { domains: domainsOf(drawn, labelled.texts!, domain) }),
      dimension,
      spec,
      metric,
      engine,
    };
    for (const kind of own) {
      hooks.signal?.throwIfAborted();
      const method = `${name}, ${kind}`;
      let started = performance.now();
      for await (const [measure, value] of protocolNamed(kind).run(represented)) {
        const seconds = (performance.now() - started) / 1000;
        rows.add({ method, metric: measure, shots: draw.shots }, { split: draw.split, value, seconds });
        onEvent({ type: 'seed', method, seed, seeds: of, context: draw.context, metric: measure, value });
        started = performance.now();
      }
    }
  };

  const seeds = Array.from({ length: count }, (_, seed) => seed);
  const pretrained = encoderParameters(run.model, run.tensors, folder);
  const encoders: [name: string, parameters: ((seed: number) => HostTensors)[]][] = [
    [run.config.objective.kind, [() => pretrained]],
    [UNTRAINED, seeds.map((seed) => () => untrainedParameters(run.model, seed))],
  ];
  for (const [name, starts] of encoders) {
    let embedded: Embedded | undefined;
    // An encoder embeds the records once, whatever their parts; scores come by seed, then by split.
    for (const seed of shots ? seeds : starts.keys()) {
      const parameters = starts[seed]?.(seed);
      if (parameters) {
        const embedder = new Embedder(engine, run.model, parameters);
        embedded = await embedAll(embedder, labelled.block, unlabelledBlock, hooks.signal);
      }
      const of = shots ? count : starts.length;
      for (const draw of draws) await judge(draw, { name, kinds, seed, of, embedded: embedded! });
    }
  }
  if (config.features) {
    // A page loads them where they are asked for.
    const { ownFeatures } = await import('./own-features.js');
    const drawing = shots ? seeds : [0];
    for (const { name, forLinearModels, of: featuresOf } of await ownFeatures(labelled, run.tokenizer.spec)) {
      const own = kinds.filter(
        (kind) => !protocolNamed(kind).unlabelled && (!forLinearModels || kind === 'linear'),
      );
      for (const seed of drawing)
        for (const draw of draws) {
          const embedded = await featuresOf(draw.records(seed));
          await judge(draw, { name, kinds: own, seed, of: drawing.length, embedded });
        }
    }
  }
  return writeScores(folder, scoresOf(rows, { data: basename(data), file, metric, defined, engine }));
}

/**
 * The labelled records, and the protocols that are asked for and have a meaning in their task. Throws InputError for a column that two
 * options would read, for labels of tokens, and where no protocol is left.
 */
async function readAsked(
  run: Run,
  { data, targets, config }: Pick<ProbeVerbOptions, 'data' | 'targets'> & { readonly config: ProbeOptions },
): Promise<{ file: LabelledFile; kinds: readonly ProtocolName[] }> {
  const { domain } = config;
  const asked = askedFor(config);
  const keepUnlabelled = asked.some((name) => protocolNamed(name).unlabelled);
  const text = config.features ? run.tokenizer.text?.column : undefined;
  if (text !== undefined && domain !== undefined)
    throw new InputError(
      `--features: reads the text of "${text}", and --domain that of another column; leave one of them out`,
    );
  const textColumn = domain ?? text;
  const file = await readLabelledFile(readingOf([run]), data, targets, config, {
    keepUnlabelled,
    textColumn,
  });
  const { spec } = file.labelled;
  if (spec.task === 'per-token')
    throw new InputError(
      `${data}: ${spec.reason}, and a probe has one embedding for each record; use finetune, or name another --task`,
    );
  const kinds = asked.filter((name) => protocolNamed(name).tasks?.includes(spec.task) ?? true);
  if (kinds.length === 0)
    throw new InputError(
      `${data}: ${spec.reason}, and ${config.kind} has no meaning in a ${spec.task} task; choose another --probe or --task`,
    );
  return { file, kinds };
}

/** Embeds all records, and those without labels where a protocol wants them; the embedder is released. */
async function embedAll(
  embedder: Embedder,
  records: TokenBlock,
  unlabelled: TokenBlock | undefined,
  signal: AbortSignal | undefined,
): Promise<Embedded> {
  try {
    return {
      all: await embedder.embed(records, signal),
      ...(unlabelled && { unlabelled: await embedder.embed(unlabelled, signal) }),
      dimension: embedder.width,
    };
  } finally {
    await embedder.release();
  }
}

/**
 * The protocol that is asked for, or all that need no more than labels. Throws InputError where domains are named for none, or for
 * one that asks for them are not.
 */
function askedFor({ kind, domain }: ProbeOptions): readonly ProtocolName[] {
  const asked = (Object.keys(protocols) as ProtocolName[]).filter((name) => {
    const { onRequest, domains } = protocolNamed(name);
    return kind ? name === kind : !onRequest && (domain !== undefined || !domains);
  });
  const wantsDomains = asked.some((name) => protocolNamed(name).domains);
  if (wantsDomains !== (domain !== undefined))
    throw new InputError(
      wantsDomains
        ? `${kind} learns from the domains of records: name the column that says them with --domain`
        : `--domain ${domain}: no protocol that was asked for looks at domains; ask for one, such as --probe latent-label-shift`,
    );
  return asked;
}

const protocolNamed = (name: ProtocolName): Protocol => protocols[name];

/** What represents all records, float32[all, dimension]. */
interface Embedded {
  readonly all: Float32Array;
  readonly dimension: number;
  readonly unlabelled?: Float32Array;
}

/** The same with its name, the protocols that judge it, and its seed of how many. */
interface Representation {
  readonly name: string;
  readonly kinds: readonly ProtocolName[];
  readonly seed: number;
  readonly of: number;
  readonly embedded: Embedded;
}

/** The domains of a column, in the order of their names. Throws InputError for a record without one, and where all are of one. */
function domainsOf({ members }: LabelledData, texts: readonly string[], column: string): Domains {
  const names = [...new Set(texts)].sort();
  if (names.length < 2 || names[0] === '')
    throw new InputError(
      `column "${column}": expected the domain of each record, of at least two, ${names[0] === '' ? 'and some cells are missing; leave those records out, or name their domain' : `and all are of ${names[0]}`}`,
    );
  const numbers = new Map(names.map((name, number) => [name, number]));
  const of = (records: Int32Array) => records.map((record) => numbers.get(texts[record])!);
  return { names, train: of(members.train), valid: of(members.valid), test: of(members.test) };
}

/** The parts of records whose embeddings are float32[block.count, dimension]. */
function representedParts(labelled: LabelledData, all: Float32Array, dimension: number): Parts<Float32Array> {
  const { train, valid, test } = splitParts(labelled);
  const { members } = labelled;
  const rows = (records: Int32Array) => {
    const taken = new Float32Array(records.length * dimension);
    for (const [row, record] of records.entries())
      taken.set(all.subarray(record * dimension, (record + 1) * dimension), row * dimension);
    return taken;
  };
  return {
    train: { ...train, records: rows(members.train) },
    valid: { ...valid, records: rows(members.valid) },
    test: test.as(rows(members.test)),
  };
}
