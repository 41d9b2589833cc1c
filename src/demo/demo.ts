/**
 * The whole story on real data: pretrain on molecules by self-guided and by random masking, fine-tune both and an
 * untrained encoder on four risk lists, compare with intervals, and write one page.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { UserConfig } from '../config/schema.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import type { Hooks } from '../learning/progress-event.js';
import { PARTS, type Part, partOf } from '../records/split.js';
import { demoReport } from '../report/demo-report.js';
import { describeComparison } from '../report/describe-comparison.js';
import { openRun, runFile } from '../runs/folder.js';
import { readMetrics } from '../runs/metrics-log.js';
import type { MethodScores } from '../runs/scores.js';
import { boundsOf, metrics } from '../scoring/metrics.js';
import { summarize } from '../scoring/statistics.js';
import { finetuneRuns } from '../verbs/finetune.js';
import { pretrain } from '../verbs/pretrain.js';
import { chosenMasks } from './masks.js';
import { loadRiskMolecules, type RiskMolecule, riskTasks } from './molecules.js';

export interface DemoOptions {
  /** Folder for the data, the runs and report.html. */
  readonly out: string;
  readonly seed: number;
  /** Fewer steps and seeds: to see it work, not to believe it. */
  readonly quick?: boolean;
}

export interface DemoSummary {
  readonly report: string;
  readonly conclusion: string;
  readonly scores: readonly MethodScores[];
  readonly seconds: number;
}

/** Sized so that all of it takes under three minutes on two cores. */
const ENCODER = { kind: 'perceiver', latents: 16, width: 64, layers: 2, heads: 4 } as const;
const OBJECTIVES = ['sma', 'random-masking'] as const;
const PICTURED = 6;

interface DemoMolecule {
  readonly molecule: RiskMolecule;
  readonly part: Part;
}

/** Runs the demo; see `DemoOptions`. What an earlier demo left in the folder is replaced. */
export async function demo(
  { out, seed, quick = false }: DemoOptions,
  hooks: Hooks = {},
): Promise<DemoSummary> {
  const started = performance.now();
  const { onEvent = () => {}, signal } = hooks;
  // What each verb says of the same file again and again is left out.
  const quiet: Hooks = {
    signal,
    onEvent: (event) => event.type !== 'info' && event.type !== 'warning' && onEvent(event),
  };
  const data = join(out, 'molecules.csv');
  const molecules = (await loadRiskMolecules()).map((molecule) => ({
    molecule,
    part: partOf(molecule.smiles, seed, { valid: 0.1, test: 0.2 }),
  }));
  await writeMolecules(data, molecules);
  onEvent({
    type: 'info',
    message: `${molecules.length} molecules from the npm package openchemlib, on lists of known risks: ${riskTasks.join(', ')}`,
  });

  const config: UserConfig = {
    encoder: ENCODER,
    objective: { masking_ratio: 0.3 },
    training: { steps: quick ? 30 : 800, batch_size: 64, seed },
  };
  for (const kind of OBJECTIVES) {
    const run = join(out, kind);
    await rm(run, { recursive: true, force: true });
    onEvent({ type: 'info', message: `pretraining by ${kind}, without labels` });
    await pretrain(
      { data, out: run, config: { ...config, objective: { ...config.objective, kind } } },
      quiet,
    );
    signal?.throwIfAborted();
  }

  const finetuned = join(out, 'finetuned');
  await rm(finetuned, { recursive: true, force: true });
  onEvent({ type: 'info', message: 'fine-tuning both and an untrained encoder on the four lists' });
  const scores = await finetuneRuns(
    {
      runs: OBJECTIVES.map((kind) => join(out, kind)),
      data,
      targets: riskTasks,
      out: finetuned,
      config: {
        ...(quick ? { seeds: 2, steps: 30 } : { seeds: 5, epochs: 4 }),
        batch_size: 32,
        learning_rate: 1e-3,
      },
    },
    hooks,
  );

  const title = metrics[scores.metric as keyof typeof metrics].title;
  const methods = scores.methods.map((method) => ({ ...method, metric: title }));
  const conclusion = describeComparison(methods, { higherIsBetter: scores.higherIsBetter });
  const [guided] = await Promise.all(OBJECTIVES.map((kind) => openRun(join(out, kind))));
  const page = await demoReport({
    curves: await Promise.all(OBJECTIVES.map((kind) => learningCurve(kind, join(out, kind)))),
    scores: methods,
    perTask: riskTasks.flatMap((task, target) =>
      methods.map(({ method, metric, perTarget = [] }) => {
        const perSeed = perTarget.map((values) => values[target]);
        return { task, method, metric, perSeed, ...summarize(perSeed, boundsOf(scores.metric)) };
      }),
    ),
    molecules: await pictures(out, molecules, seed),
    data: PARTS.map((part) => {
      const members = molecules.filter((entry) => entry.part === part);
      const positives = riskTasks.map((task) => [
        task,
        members.filter(({ molecule }) => molecule[task] === 1).length,
      ]);
      return { part, molecules: members.length, positives: Object.fromEntries(positives) };
    }),
    conclusion,
    commands: [`lacuna demo --seed ${seed}${quick ? ' --quick' : ''}`],
    configuration: { ...guided.config, data: { ...guided.config.data, path: 'molecules.csv' } },
    versions: guided.config.versions,
  });
  const report = join(out, 'report.html');
  await writeFileAtomically(report, [new TextEncoder().encode(page)]);
  return { report, conclusion, scores: scores.methods, seconds: (performance.now() - started) / 1000 };
}

async function writeMolecules(path: string, molecules: readonly DemoMolecule[]): Promise<void> {
  const lines = molecules.map(({ molecule, part }) =>
    [molecule.smiles, part, ...riskTasks.map((task) => molecule[task])].join(','),
  );
  const text = [['smiles', 'split', ...riskTasks].join(','), ...lines, ''].join('\n');
  await writeFileAtomically(path, [new TextEncoder().encode(text)]);
}

async function learningCurve(name: string, run: string) {
  const lines = await readMetrics(runFile(run, 'metrics'));
  const numberOrNull = (value: unknown) => (typeof value === 'number' ? value : null);
  return {
    name,
    points: lines.map(({ step, loss, val_loss }) => ({
      step,
      loss: numberOrNull(loss),
      val_loss: numberOrNull(val_loss),
    })),
    marginal:
      numberOrNull(
        lines.findLast(({ val_loss_marginal }) => val_loss_marginal !== undefined)?.val_loss_marginal,
      ) ?? Number.NaN,
  };
}

/** Molecules that pretraining did not learn from, of middling length, with what each run hides of them. */
async function pictures(out: string, molecules: readonly DemoMolecule[], seed: number) {
  const texts = molecules
    .filter(
      ({ part, molecule }) =>
        part === 'valid' && molecule.smiles.length >= 18 && molecule.smiles.length <= 40,
    )
    .slice(0, PICTURED)
    .map(({ molecule }) => molecule.smiles);
  const masks = await Promise.all(
    OBJECTIVES.map(async (kind) => chosenMasks(await openRun(join(out, kind)), 'smiles', texts, seed)),
  );
  return texts.map((smiles, i) => ({
    smiles,
    masks: OBJECTIVES.map((title, kind) => ({ title, hidden: masks[kind]?.[i] ?? [] })),
  }));
}
