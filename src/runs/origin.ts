/** Another run that a run starts from (`training.from`): its tokenizer, the sizes of its encoder, its parameters. */

import type { UserConfig } from '../config/schema.js';
import { InputError } from '../errors.js';
import { encoderLayout, type ModelConfig } from '../learning/model.js';
import { matchParameters, type ParameterLayout, parameterViews } from '../learning/parameters.js';
import { constantUntil } from '../learning/schedule.js';
import { checkpointPath, loadCheckpoint } from './checkpoints.js';
import { openRun, type Run } from './folder.js';

/**
 * The run that a configuration asks to start from, as its newest intact checkpoint left it. Between two runs of the infinite
 * schedule that is the checkpoint at the end of the constant phase, if there is one. Throws InputError when there is none.
 */
export async function openOrigin(
  { from, schedule }: NonNullable<UserConfig['training']>,
  report: (message: string) => void,
): Promise<Run | undefined> {
  if (from === undefined) return undefined;
  const run = await openRun(from, report);
  const constant = schedule === 'infinite' ? constantUntil(run.config.training) : undefined;
  if (constant === undefined || constant >= run.step) return run;
  const { step, tensors } = await loadCheckpoint(checkpointPath(from, constant)).catch((error: unknown) => {
    if (!(error instanceof InputError)) throw error;
    report(`${error.message}; starting from step ${run.step}, after the anneal`);
    return run;
  });
  return { ...run, step, tensors };
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/**
 * The user's configuration with what follows from the origin: its tokenizer and encoder, and for the infinite schedule its
 * rates, from the constant phase on. Throws InputError for keys that contradict it.
 */
export function configFrom(user: UserConfig, { folder, config, tokenizer }: Run): UserConfig {
  const contradiction = (key: string, kept: unknown, asked: unknown) =>
    new InputError(
      `training.from ${folder}: that run has ${key} = ${JSON.stringify(kept)}, not ${JSON.stringify(asked)}; leave the option out, or start without that run`,
    );
  // A run that says nothing of registers has none.
  const kept = { tokenizer: config.tokenizer, encoder: { registers: 0, ...config.encoder } };
  for (const section of ['tokenizer', 'encoder'] as const) {
    const values: Readonly<Record<string, unknown>> = kept[section];
    for (const [key, asked] of Object.entries(user[section] ?? {}))
      if (!same(values[key], asked)) throw contradiction(`${section}.${key}`, values[key], asked);
  }
  const { columns, ignore = [] } = user.data ?? {};
  if (columns && !same([...columns].sort(), [...tokenizer.columns].sort()))
    throw contradiction('data.columns', tokenizer.columns, columns);
  if (ignore.some((name) => tokenizer.columns.includes(name)))
    throw contradiction(
      'data.columns',
      tokenizer.columns,
      ignore.map((name) => `without ${name}`),
    );
  const { learning_rate, constant_rate } = config.training;
  return {
    ...user,
    tokenizer: config.tokenizer,
    encoder: config.encoder,
    training: {
      ...(user.training?.schedule === 'infinite' && {
        ...(config.training.schedule === 'infinite' && { learning_rate, constant_rate }),
        warmup_steps: 0,
        cooldown_steps: 0,
      }),
      ...user.training,
    },
  };
}

/**
 * Starting values: those of the origin where names and shapes are the same, else the fresh ones. Throws InputError listing what
 * differs in the encoder.
 */
export function parametersFrom(
  { tensors, folder }: Run,
  model: ModelConfig,
  layout: ParameterLayout,
  fresh: Float32Array,
): Float32Array {
  const { slots } = encoderLayout(model);
  const encoder = slots.flatMap(({ name }) => (Object.hasOwn(tensors, name) ? [[name, tensors[name]]] : []));
  matchParameters(slots, Object.fromEntries(encoder), folder);
  const start = fresh.slice();
  for (const [name, view] of Object.entries(parameterViews(layout, start))) {
    const found = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
    if (found?.dtype === 'float32' && same(found.shape, view.shape))
      view.data.set(found.data as Float32Array);
  }
  return start;
}
