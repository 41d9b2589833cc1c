/**
 * The models of a fine-tuning: each is one training, or several where others teach it or are averaged with it, and is kept
 * as a piece of the work so that a stopped fine-tuning goes on from it.
 */

import type { FinetuningSettings } from '../config/defaults.js';
import type { LabelledTrainer } from '../finetuning/labelled-training.js';
import { pseudoLabelled } from '../finetuning/self-training.js';
import type { Start, Trained, TrainingState } from '../finetuning/train-to-best.js';
import { weightSoup } from '../finetuning/weight-soup.js';
import type { Run } from '../runs/folder.js';
import type { KeptWork } from '../runs/kept-work.js';
import type { LabelSpec } from '../scoring/labels.js';
import { isBetter, type MetricName } from '../scoring/metrics.js';

/** Which training of those that make one model. */
export interface Training {
  /** Of a soup. */
  readonly ingredient?: number;
  /** Before the one on the true labels. */
  readonly stage?: 'teacher' | 'pseudo-labels';
}

/** A model that was trained, in seconds of all calls that took part. */
interface TrainedModel {
  readonly trained: Trained;
  readonly seconds: number;
}

/** Trains one model: each training with the stages before it, and several for a soup. */
export async function trainModel(
  train: (trainer: LabelledTrainer, of: Training, start: Start | undefined) => Promise<TrainedModel>,
  {
    trainer,
    task,
    settings: { selfTraining, soup },
    start,
    run,
    spec,
    metric,
  }: {
    trainer: LabelledTrainer;
    task: () => Parameters<LabelledTrainer['on']>[0];
    settings: FinetuningSettings;
    start: Start | undefined;
    run: Run;
    spec: LabelSpec;
    metric: MetricName;
  },
): Promise<TrainedModel> {
  let seconds = 0;
  const once = async (...of: Parameters<typeof train>) => {
    const model = await train(...of);
    seconds += model.seconds;
    return model.trained;
  };
  const throughStages = async (ingredient?: number): Promise<Trained> => {
    if (selfTraining !== 'pseudo-labels') return once(trainer, { ingredient }, start);
    const teacher = await once(trainer, { ingredient, stage: 'teacher' }, start);
    const { unlabelled, ...parts } = task();
    if (!unlabelled) throw new Error('pseudo-labels: no record is without a label');
    const labels = pseudoLabelled(unlabelled, await trainer.predictWith(teacher, unlabelled), spec);
    const stage = trainer.on({ ...parts, trainingRecords: undefined, train: labels });
    const student = await once(stage, { ingredient, stage: 'pseudo-labels' }, start);
    return once(trainer, { ingredient }, trainer.startOf(student, run.folder));
  };
  if (!soup) {
    const trained = await throughStages();
    return { trained, seconds };
  }
  const ingredients: Trained[] = [];
  for (let i = 0; i < soup.ingredients; i++) ingredients.push(await throughStages(i));
  const trained = await weightSoup(soup.kind, ingredients, {
    validate: (parameters) => trainer.scoreValid(parameters),
    isBetter: (value, best) => isBetter(metric, value, best),
  });
  return { trained, seconds };
}

/** One that was scored. */
interface ScoredModel extends TrainedModel {
  readonly value: number;
  readonly perTarget: readonly number[];
}

/** JSON has no NaN, and typed arrays have. */
interface PackedTrained extends Omit<Trained, 'valid'> {
  readonly valid: Float64Array;
}
const pack = (trained: Trained): PackedTrained => ({ ...trained, valid: Float64Array.of(trained.valid) });
const unpack = (packed: PackedTrained): Trained => ({ ...packed, valid: packed.valid[0] });

/** The file of the training that is under way. */
const UNDER_WAY = 'under way';

/** One model among the pieces of a fine-tuning, trained and scored unless it is there. */
export async function keptScores(
  work: KeptWork,
  of: { split: number; shots?: number; method: string; seed: number },
  {
    train,
    score,
  }: {
    train: () => Promise<TrainedModel>;
    score: (trained: Trained) => Promise<{ value: number; perTarget: readonly number[] }>;
  },
): Promise<ScoredModel> {
  const name = JSON.stringify(of);
  const piece = (await work.read(name)) as
    | { trained: PackedTrained; scores: Float64Array; seconds: number }
    | undefined;
  if (piece) {
    const [value, ...perTarget] = piece.scores;
    return { trained: unpack(piece.trained), value, perTarget, seconds: piece.seconds };
  }
  const { trained, seconds: spent } = await train();
  const started = performance.now();
  const { value, perTarget } = await score(trained);
  const seconds = spent + (performance.now() - started) / 1000;
  await work.write(name, { trained: pack(trained), scores: Float64Array.of(value, ...perTarget), seconds });
  return { trained, value, perTarget, seconds };
}

/** One training among the pieces of a fine-tuning, gone on with from where it was left; kept as a `whole` where asked for. */
export async function keptTraining(
  work: KeptWork,
  of: Training & { split: number; shots?: number; method: string; seed: number },
  { whole }: { whole: boolean },
  train: (
    state: TrainingState | undefined,
    keep: (state: TrainingState) => Promise<void>,
  ) => Promise<Trained>,
): Promise<TrainedModel> {
  const name = JSON.stringify({ ...of, trained: true });
  const piece = whole
    ? ((await work.read(name)) as { trained: PackedTrained; seconds: number } | undefined)
    : undefined;
  if (piece) return { trained: unpack(piece.trained), seconds: piece.seconds };
  const started = performance.now();
  const left = (await work.read(UNDER_WAY)) as
    | { name: string; seconds: number; best?: PackedTrained; state: Omit<TrainingState, 'best'> }
    | undefined;
  const own = left?.name === name ? left : undefined;
  const spent = () => (own?.seconds ?? 0) + (performance.now() - started) / 1000;
  const trained = await train(
    own && { ...own.state, ...(own.best && { best: unpack(own.best) }) },
    ({ best, ...state }) =>
      work.write(UNDER_WAY, { name, seconds: spent(), ...(best && { best: pack(best) }), state }),
  );
  const seconds = spent();
  if (whole) await work.write(name, { trained: pack(trained), seconds });
  return { trained, seconds };
}
