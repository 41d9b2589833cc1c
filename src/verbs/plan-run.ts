/** What a pretraining run will do, decided before anything is read but the first records. */
import { HELD_OUT, type ResolveInputs, resolveConfig } from '../config/defaults.js';
import type { Config, UserConfig } from '../config/schema.js';
import type { SplitRule } from '../datasets/partition.js';
import type { SplitColumns } from '../datasets/split-columns.js';
import { planSplit, planTokens, type TokenWishes } from '../datasets/token-plan.js';
import { checkTokenizerColumns } from '../datasets/token-stream.js';
import { InputError } from '../errors.js';
import type { Schema } from '../records/cells/schema.js';
import type { SourceProfile } from '../records/profile.js';
import type { DataSource } from '../records/record-batch.js';
import { type Run, readRunConfig, readRunSchema, readTokenizer } from '../runs/folder.js';
import { configFrom } from '../runs/origin.js';
import type { Tokenizer, TokenizerChoice } from '../tokenizers/index.js';

/** A run that is gone on with, as its folder has it. */
export interface StoredRun {
  readonly folder: string;
  readonly config: Config;
  readonly tokenizer: Tokenizer;
  /** Runs of earlier versions have none. */
  readonly schema?: Schema;
}

/** The run of a folder that has got as far as its configuration. */
export const readStored = async (folder: string): Promise<StoredRun> => ({
  folder,
  config: await readRunConfig(folder),
  tokenizer: await readTokenizer(folder),
  schema: await readRunSchema(folder),
});

export interface PlanInputs {
  /** What the user asks for. */
  readonly asked: UserConfig;
  /** The run itself, where it is resumed. */
  readonly stored?: StoredRun;
  /** The run that it starts from, where it starts from one. */
  readonly origin?: Run;
  readonly source: DataSource;
  /** Of the first records; a resumed run has decided what it would tell. */
  readonly profile?: SourceProfile;
}

/** What only the records can tell. */
export type Read = Pick<ResolveInputs, 'tokenizer' | 'hash' | 'records' | 'threads' | 'versions'>;

export interface RunPlan {
  /** One that there is already, or what one is fitted with. */
  readonly tokenizer:
    | { readonly ready: Tokenizer }
    | { readonly choice: TokenizerChoice; readonly options: TokenWishes['tokenizer'] };
  /** Which records are learned from, validated on, and kept for a later test. */
  readonly rule: SplitRule;
  /** Where the parameters come from if there is no checkpoint yet. */
  readonly start: { readonly origin?: Run };
  /** The column of labels that the run is watched by. */
  readonly monitorTarget?: string;
  /** The duration is given in epochs, so all records have to be counted. */
  readonly counts: boolean;
  readonly messages: readonly { readonly type: 'info' | 'warning'; readonly message: string }[];
  /** The whole configuration. */
  readonly config: (read: Read) => Config;
}

/**
 * Decides from the stored run, else from the origin, else from the profile and what is asked for; what is asked for must
 * not contradict the first two. Throws InputError where it does, or where nothing can be learned from.
 */
export function planRun({ asked, stored, origin, source, profile }: PlanInputs): RunPlan {
  if (stored) return planResumed(stored, asked);
  if (profile === undefined) throw new Error('planRun: a new run is planned from the profile of its records');
  const user = origin ? configFrom(asked, origin) : asked;
  const info = (message: string) => ({ type: 'info' as const, message });
  const warning = (message: string) => ({ type: 'warning' as const, message });
  const { valid_fraction = HELD_OUT.pretrainingValid, test_fraction } = user.data ?? {};
  const rule = (split: SplitColumns, columns: readonly string[], test: number): SplitRule => ({
    ...split,
    columns,
    heldOut: { valid: valid_fraction, test },
  });
  const configOf =
    ({ column, validation, heldOut }: SplitRule) =>
    (read: Read): Config =>
      resolveConfig(user, {
        ...read,
        path: source.path,
        format: source.format,
        splitColumn: column,
        validationColumn: validation,
        heldOut,
      });
  const rest = {
    start: { origin },
    monitorTarget: user.training?.monitor_target,
    counts: user.training?.epochs !== undefined,
  };
  if (origin) {
    checkTokenizerColumns(source, origin.tokenizer);
    const { kind, columns } = origin.tokenizer;
    const { notes, ...told } = planSplit(source, profile, user);
    const test = testFraction(test_fraction, { column: told.column, kind, labels: labelsOf(profile) });
    const split = rule(told, columns, test.fraction);
    return {
      ...rest,
      tokenizer: { ready: origin.tokenizer },
      rule: split,
      messages: [
        info(`tokenizer and encoder of ${origin.folder}, as step ${origin.step} left it`),
        ...notes.map(warning),
        ...test.said.map(info),
      ],
      config: configOf(split),
    };
  }
  const { choice, split: told } = planTokens(source, profile, user);
  const test = testFraction(test_fraction, {
    column: told.column,
    kind: choice.kind,
    labels: labelsOf(profile),
  });
  const split = rule(told, choice.columns, test.fraction);
  const warned = new Set(choice.warned);
  const unused = choice.unused
    .filter((name) => !warned.has(name))
    .map((name) => `${name} (${choice.reasons[name]})`)
    .join(', ');
  return {
    ...rest,
    tokenizer: { choice, options: user.tokenizer },
    rule: split,
    messages: [
      info(`${choice.kind} tokenizer: ${choice.why}${unused && `; not used: ${unused}`}`),
      ...choice.warnings.map(warning),
      ...test.said.map(info),
    ],
    config: configOf(split),
  };
}

/** The columns that look like labels, whether or not they are learned from. */
const labelsOf = ({ columns }: SourceProfile): string[] =>
  columns.filter(({ looksLikeLabel }) => looksLikeLabel !== undefined).map(({ name }) => name);

/** Which part is held out for a later test, and what to say of it. */
function testFraction(
  asked: number | undefined,
  { column, kind, labels }: { column?: string; kind: Tokenizer['kind']; labels: readonly string[] },
): { fraction: number; said: readonly string[] } {
  if (column !== undefined) {
    const said = asked
      ? [`the column ${column} says which records are held out, so --test-fraction is not used`]
      : [];
    return { fraction: 0, said };
  }
  const usual = (kind === 'fields' || kind === 'sequence' || kind === 'byte-pairs') && labels.length > 0;
  const fraction = asked ?? (usual ? HELD_OUT.laterTest : 0);
  if (fraction === 0) return { fraction, said: [] };
  const reason = asked === undefined ? `, since ${labels.join(', ')} may be predicted later` : '';
  return {
    fraction,
    said: [
      `${Number((100 * fraction).toPrecision(3))} % of the records are held out for a later test${reason}; --test-fraction 0 learns from all`,
    ],
  };
}

/** Which records a run learns from and which it holds out. Throws InputError for a run of an early version. */
export function ruleOf({
  folder,
  config,
  tokenizer,
}: Pick<StoredRun, 'folder' | 'config' | 'tokenizer'>): SplitRule {
  const {
    split_column: column,
    validation_column: validation,
    valid_fraction: valid,
    test_fraction: test,
  } = config.data;
  if (column === undefined && test === undefined) {
    throw new InputError(
      `${folder}: was begun by an earlier version, which drew validation records by their place in the file; start a new run`,
    );
  }
  return { column, validation, columns: tokenizer.columns, heldOut: { valid, test: test ?? 0 } };
}

/** A run that is resumed does what it did. */
function planResumed(stored: StoredRun, asked: UserConfig): RunPlan {
  const { folder, config, tokenizer } = stored;
  checkSameConfig(asked, config, folder);
  return {
    tokenizer: { ready: tokenizer },
    rule: ruleOf(stored),
    start: {},
    monitorTarget: config.training.monitor_target,
    counts: false,
    messages: [],
    config: () => {
      const { device } = asked.training ?? {};
      return device === undefined ? config : { ...config, training: { ...config.training, device } };
    },
  };
}

/** Lists are of columns, whose order says nothing. */
const canonical = (value: unknown) => JSON.stringify(Array.isArray(value) ? [...value].sort() : value);

/** A run keeps its configuration: what is asked for again must be what it has. */
function checkSameConfig(user: UserConfig, stored: Config, out: string): void {
  const { plugins: _, ...sections } = user;
  for (const [section, values] of Object.entries(sections)) {
    // A file of several commands' keys has sections that are not this run's.
    if (!(section in stored)) continue;
    for (const [key, asked] of Object.entries(values ?? {})) {
      const kept = (stored as unknown as Record<string, Record<string, unknown> | undefined>)[section]?.[key];
      // Another device computes the same run, up to rounding; a column of parts leaves no fraction to draw.
      if (key === 'device' || (key === 'test_fraction' && stored.data.split_column !== undefined)) continue;
      if (canonical(kept) !== canonical(asked)) {
        throw new InputError(
          `${out}: the run has ${section}.${key} = ${JSON.stringify(kept)}, not ${JSON.stringify(asked)}; a resumed run keeps its configuration, so leave the option out or start a new run`,
        );
      }
    }
  }
}
