/** Every trial resolved as its run will be, before the first one starts. */
import { modelOf } from '../config/defaults.js';
import type { Config, ParsedConfig, UserConfig } from '../config/schema.js';
import { fitTokenizer, PLANNING_RECORDS } from '../datasets/token-plan.js';
import { InputError } from '../errors.js';
import { objectiveOf } from '../learning/model.js';
import { schemaOf } from '../records/cells/schema.js';
import { profileSource } from '../records/profile.js';
import { openOrigin } from '../runs/origin.js';
import { rememberSmall } from '../sources/remember.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { openData } from '../verbs/open-data.js';
import { planRun } from '../verbs/plan-run.js';
import { type JudgeOptions, readJudged } from './judge.js';

/** Records that a file is taken to have which has more than are looked at: only sizes that follow from few depend on it. */
const MANY = 1_000_000;

/**
 * The configuration of each trial, or why there can be none: keys that contradict each other. Throws InputError for data
 * that cannot be read or learned from, for labels that the judge cannot score, and where no trial can be run.
 */
export async function resolveTrials(
  data: string,
  trials: readonly (ParsedConfig | InputError)[],
  judge: Omit<JudgeOptions, 'config'>,
): Promise<(Config | InputError)[]> {
  const reading = trials.flatMap((trial) => (trial instanceof InputError ? [] : [trial]))[0]?.data ?? {};
  const source = rememberSmall(await openData(data, reading, { report: () => {} }));
  const profile = await profileSource(source, { rows: PLANNING_RECORDS });
  if (profile.rowsRead === 0) throw new InputError(`${data}: no record could be read`);
  const records = profile.rowsRead < PLANNING_RECORDS ? profile.rowsRead : MANY;
  let checked = false;
  const tokenizers = new Map<string, Promise<Tokenizer>>();
  const resolve = async (asked: ParsedConfig): Promise<Config> => {
    const user = asked as UserConfig;
    const origin = await openOrigin(user.training ?? {}, () => {});
    const plan = planRun({ asked: user, origin, source, profile });
    const { tokenizer } = plan;
    const name = JSON.stringify(asked.tokenizer ?? {});
    if (!tokenizers.has(name)) {
      tokenizers.set(
        name,
        'ready' in tokenizer
          ? Promise.resolve(tokenizer.ready)
          : fitTokenizer(source, tokenizer.choice, plan.rule, tokenizer.options).then(
              (fitted) => fitted.tokenizer,
            ),
      );
    }
    const fitted = await tokenizers.get(name)!;
    const config = plan.config({ tokenizer: fitted, hash: '', records, threads: 1, versions: {} });
    objectiveOf(modelOf(config, fitted.spec));
    return config;
  };
  const resolved: (Config | InputError)[] = [];
  for (const trial of trials) {
    const one =
      trial instanceof InputError
        ? trial
        : await resolve(trial).catch((error) => {
            if (error instanceof InputError) return error;
            throw error;
          });
    resolved.push(one);
    if (judge.labels === undefined || trial instanceof InputError || one instanceof InputError || checked)
      continue;
    checked = true;
    const tokenizer = (await tokenizers.get(JSON.stringify(trial.tokenizer ?? {})))!;
    const reading = {
      tokenizer,
      schema: schemaOf(source),
      pretrainedSplit: one.data.split_column,
      folders: [],
    };
    await readJudged(reading, judge.labels, { ...judge, config: trial });
  }
  const [first] = resolved;
  if (first instanceof InputError && resolved.every((trial) => trial instanceof InputError)) throw first;
  return resolved;
}
