import { basename, dirname, join } from 'node:path';
import { modelOf, resolveConfig, trainingLength } from '../config/defaults.js';
import type { UserConfig } from '../config/schema.js';
import { fitSource } from '../datasets/token-plan.js';
import type { DeviceName } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { readListed } from '../files/manifest.js';
import type { ModelConfig } from '../learning/model.js';
import type { Hooks } from '../learning/progress-event.js';
import { ownOptions } from '../objectives/index.js';
import { type PretrainingResult, pretrainingSchema } from '../report/results.js';
import { hasConfig, openRun, type Run, runFile, writeJson } from '../runs/folder.js';
import { readMetrics } from '../runs/metrics-log.js';
import { openSource } from '../sources/open-source.js';
import { rememberSmall } from '../sources/remember.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { pretrain } from '../verbs/pretrain.js';
import { hashOf, hashText } from './files.js';
import { measured } from './measured.js';
import type { DataFolders, Pretraining, PretrainingChanges } from './suite.js';

/** Points of a learning curve that are kept. */
const CURVE_POINTS = 100;

/** The encoders of a benchmark, each pretrained once into a folder named after all that it depends on. */
export class Pretrainings {
  private readonly models = new Map<string, Promise<{ tokenizer: Tokenizer; model: ModelConfig }>>();
  private readonly runs = new Map<string, Promise<Run>>();

  constructor(
    private readonly options: {
      readonly folders: DataFolders;
      /** Keeps the runs. */
      readonly out: string;
      readonly threads?: number;
      readonly device?: DeviceName;
      /** Multiplies the steps. */
      readonly budget: number;
    },
    private readonly hooks: Hooks,
  ) {}

  /** The tokenizer that is fitted on the pretraining data, and the architecture on its tokens. */
  model(pretraining: Pretraining): Promise<{ tokenizer: Tokenizer; model: ModelConfig }> {
    const { dataset, config } = pretraining;
    const key = JSON.stringify([dataset.name, config.data, config.tokenizer, config.encoder]);
    return remember(this.models, key, async () => {
      const { path } = await dataset.open(this.options.folders);
      const source = rememberSmall(await openSource(path, { onBadRecord: 'skip' }));
      const heldOut = heldOutOf(config);
      const { tokenizer } = await fitSource(source, config, heldOut);
      const resolved = resolveConfig(
        { ...config, objective: {} },
        {
          path,
          format: source.format,
          hash: '',
          tokenizer,
          heldOut,
          records: 1,
          threads: 1,
          versions: {},
        },
      );
      return { tokenizer, model: modelOf(resolved, tokenizer.spec) };
    });
  }

  /** About the steps that a pretraining has where nobody says so. */
  private async usualSteps(pretraining: Pretraining, training: UserConfig['training']): Promise<number> {
    const { dataset, config } = pretraining;
    const { tokenizer } = await this.model(pretraining);
    const { path } = await dataset.open(this.options.folders);
    const source = await openSource(path, { onBadRecord: 'skip' });
    let records = 0;
    for await (const { rows } of source.read({ columns: tokenizer.columns })) records += rows.length;
    const { valid, test } = heldOutOf(config);
    return trainingLength(training ?? {}, records * (1 - valid - test), tokenizer.spec).steps;
  }

  /** The run of an objective, which goes on or starts where it is not done. Throws the signal's reason when stopped. */
  async run(pretraining: Pretraining, changes: PretrainingChanges): Promise<Run> {
    const { dataset, config: base } = pretraining;
    const { threads, device, budget } = this.options;
    const { objective, training: changedTraining, ...encoder } = changed(base, changes);
    const { kind = 'sma' } = objective;
    const config: UserConfig = {
      ...base,
      ...encoder,
      data: {
        ...base.data,
        valid_fraction: heldOutOf(base).valid,
        test_fraction: heldOutOf(base).test,
        on_bad_record: 'skip',
      },
      objective,
      training: { ...changedTraining, ...(threads && { threads }), ...(device && { device }) },
    };
    // The objectives of a comparison share a base; each is given what concerns it.
    const own = { ...ownOptions(kind, base.objective ?? {}), ...changes.objective };
    if (budget !== 1) {
      const steps = config.training?.steps ?? (await this.usualSteps(pretraining, config.training));
      config.training = { ...config.training, steps: scaledCount(steps, budget, 20) };
    }
    const { path, removed } = await dataset.open(this.options.folders);
    const { threads: _, device: __, ...training } = config.training ?? {};
    const hash = hashText(JSON.stringify([await hashOf(path), { ...config, training }])).slice(0, 8);
    const name = `${dataset.name}-${kind}-${hash}`;
    return remember(this.runs, name, async () => {
      const { signal, onEvent = () => {} } = this.hooks;
      const out = join(this.options.out, name);
      const record = `${out}.json`;
      const before = await readRecord(record);
      const resume = await hasConfig(out);
      if (before?.result && resume) return openRun(out);
      onEvent({ type: 'info', message: `pretraining ${name}` });
      const { result: summary, seconds } = await measured(() =>
        pretrain({ data: path, out, config: { ...config, objective: own }, resume }, { signal, onEvent }),
      );
      const spent = (resume ? (before?.seconds ?? 0) : 0) + seconds;
      if (summary.interrupted) {
        await writeJson(record, { seconds: spent });
        throw signal?.reason;
      }
      const run = await openRun(out);
      const { objective: resolved, training: ownTraining } = run.config;
      const result: PretrainingResult = {
        name,
        objective: resolved.kind,
        masking_ratio: resolved.masking_ratio,
        per_query: resolved.per_query,
        feature_targets: ownTraining.feature_targets,
        steps: summary.steps,
        batch_size: ownTraining.batch_size,
        records: summary.rows,
        parameters: summary.parameters,
        tokens: await meanTokens(run, path),
        ...(removed && { removed }),
        val_loss: summary.val_loss,
        val_loss_marginal: summary.val_loss_marginal,
        seconds: spent,
        curve: await learningCurve(out),
      };
      await writeJson(record, { seconds: spent, result });
      return run;
    });
  }

  /** What the runs of these names left. */
  async results(names: Iterable<string>): Promise<PretrainingResult[]> {
    const results: PretrainingResult[] = [];
    for (const name of [...names].sort()) {
      const record = await readRecord(`${join(this.options.out, name)}.json`);
      if (record?.result) results.push(record.result);
    }
    return results;
  }
}

/** Tokens of a record of the first batch, in the mean. */
async function meanTokens({ tokenizer }: Pick<Run, 'tokenizer'>, path: string): Promise<number> {
  const source = await openSource(path, { onBadRecord: 'skip' });
  for await (const batch of source.read({ columns: tokenizer.columns })) {
    const { count, offsets } = tokenizer.encode(batch);
    return offsets[count] / count;
  }
  throw new Error(`${path}: no record`);
}

/** What the tasks test on is not in the data; see the suites. */
const PRETRAINING_HELD_OUT = { valid: 0.02, test: 0 };

const heldOutOf = ({ data }: Pretraining['config']) => ({
  valid: data?.valid_fraction ?? PRETRAINING_HELD_OUT.valid,
  test: data?.test_fraction ?? PRETRAINING_HELD_OUT.test,
});

/** The objective and the training of a pretraining that a method changes, and the encoder where it is another. */
export const changed = (
  { objective, training }: Pretraining['config'],
  { encoder, ...changes }: PretrainingChanges,
) => ({
  objective: { ...objective, ...changes.objective },
  training: { ...training, ...changes.training },
  ...(encoder && { encoder }),
});

/** `count` times `budget`, but at least so many of them as there are and `least`. */
export const scaledCount = (count: number, budget: number, least: number): number =>
  Math.max(Math.min(count, least), Math.round(budget * count));

function remember<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    known.set(key, value);
  }
  return value;
}

async function readRecord(
  path: string,
): Promise<{ seconds: number; result?: PretrainingResult } | undefined> {
  const bytes = await readListed(dirname(path), basename(path)).catch((error) => {
    if (error instanceof InputError) throw error;
    return undefined;
  });
  if (bytes === undefined) return undefined;
  const { seconds, result } = JSON.parse(new TextDecoder().decode(bytes));
  return { seconds: Number(seconds), result: result && pretrainingSchema.parse(result) };
}

async function learningCurve(run: string): Promise<PretrainingResult['curve']> {
  const lines = (await readMetrics(runFile(run, 'metrics'))).filter(
    ({ val_loss }) => typeof val_loss === 'number',
  );
  const every = Math.ceil(lines.length / CURVE_POINTS);
  return lines
    .filter((_, i) => (lines.length - 1 - i) % every === 0)
    .map(({ step, val_loss }) => ({ step, val_loss: Number(val_loss) }));
}
