import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SweepConfig } from '../config/search.js';
import { loadRiskMolecules } from '../demo/molecules.js';
import { InputError, LacunaError } from '../errors.js';
import type { ProgressEvent } from '../learning/progress-event.js';
import { openRun } from '../runs/folder.js';
import { pretrain } from '../verbs/pretrain.js';
import type { SweepRecord } from './record.js';
import { type RunTrial, sweep } from './sweep.js';
import { runTrial } from './trial.js';

let folder: string;
let data: string;
const file = (...names: string[]) => join(folder, ...names);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-sweep-'));
  data = file('molecules.csv');
  const molecules = (await loadRiskMolecules()).filter((_, i) => i % 8 === 0).slice(0, 160);
  const rows = molecules.map(
    ({ smiles }, i) => `${smiles},${smiles.includes('N') ? 1 : 0},${[...'ttttvvx'][i % 7]}`,
  );
  const named = rows.map((row) => row.replace(/t$/, 'train').replace(/v$/, 'valid').replace(/x$/, 'test'));
  await writeFile(data, ['smiles,amine,split', ...named, ''].join('\n'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const base = (): Omit<SweepConfig, 'search'> => ({
  data: { path: data },
  tokenizer: { max_tokens: 32 },
  encoder: { width: 8, heads: 2, layers: 1 },
  training: { steps: 12, batch_size: 16, threads: 1, checkpoint_steps: 4 },
});
const probed = { probe: { target: ['amine'] } };

const record = async (out: string): Promise<SweepRecord> =>
  JSON.parse(await readFile(file(out, 'sweep.json'), 'utf8'));
const scores = ({ trials }: { trials: SweepRecord['trials'] }) =>
  trials.map(({ judged }) => judged.map(({ steps, score }) => [steps, score]));

describe('a sweep', () => {
  it('tries a grid, ranks it by labels of validation records, and keeps each trial as a run', async () => {
    const config: SweepConfig = {
      ...base(),
      ...probed,
      sweep: { method: 'grid', judge: 'probe' },
      search: {
        'objective.kind': ['random-masking', 't-jepa'],
        'training.learning_rate': [0.001, 0.003],
      },
    };
    const events: ProgressEvent[] = [];
    const done = await sweep(
      { config, out: file('grid') },
      { onEvent: (event) => events.push(event) },
      runTrial,
    );
    expect(done).toMatchObject({ metric: 'roc-auc', higherIsBetter: true, interrupted: false });
    expect(done.trials.map((trial) => Object.values(trial.settings))).toEqual([
      ['random-masking', 0.001],
      ['random-masking', 0.003],
      ['t-jepa', 0.001],
      ['t-jepa', 0.003],
    ]);
    const best = Math.max(...done.trials.map(({ judged }) => judged[0].score));
    expect(done.best!.judged[0].score).toBe(best);
    const run = await openRun(file('grid', 'trials', '003'));
    // The label is nothing to learn from.
    expect(run.config).toMatchObject({
      objective: { kind: 't-jepa' },
      data: { columns: ['smiles'], ignore: ['amine'] },
      training: { learning_rate: 0.001 },
    });
    expect(events).toContainEqual(expect.objectContaining({ type: 'step', context: 'trial 4 of 4' }));
    const page = await readFile(file('grid', 'sweep.html'), 'utf8');
    expect(page).toContain('Judged by roc-auc of amine by a linear probe on validation records');
    expect(page).toContain(`lacuna probe ${file('grid', done.best!.run)} ${data} --target amine`);
    expect(page).not.toContain('<script');
    // Again, there is nothing to do.
    const again = await sweep({ config, out: file('grid') }, {}, () => Promise.reject(new Error('ran')));
    expect(scores(again)).toEqual(scores(done));
  });

  it('reads no test label', async () => {
    const text = await readFile(data, 'utf8');
    const other = file('other.csv');
    await writeFile(
      other,
      text.replaceAll(/,(\d),test/g, (_, label) => `,${1 - label},test`),
    );
    const at = async (path: string, out: string) => {
      const config: SweepConfig = {
        ...base(),
        ...probed,
        data: { path },
        search: { 'training.learning_rate': [0.001, 0.01] },
        sweep: { method: 'grid', judge: 'probe' },
      };
      return scores(await sweep({ config, out: file(out) }, {}, runTrial));
    };
    expect(await at(other, 'turned')).toEqual(await at(data, 'as it is'));
  });

  it('halves: trials go on from their checkpoints, to what an undisturbed run comes to', async () => {
    const config: SweepConfig = {
      ...base(),
      ...probed,
      search: { 'training.learning_rate': { from: 0.0005, to: 0.02, log: true } },
      sweep: { method: 'halving', judge: 'probe', trials: 5, reduction: 2, seed: 2 },
    };
    const done = await sweep({ config, out: file('halved') }, {}, runTrial);
    const judged = done.trials.map((trial) => trial.judged.length);
    expect(judged.toSorted()).toEqual([1, 1, 1, 2, 3]);
    const { best } = done;
    expect(best!.judged.map(({ steps }) => steps)).toEqual([3, 6, 12]);
    // Who goes on was better than who does not.
    const first = (count: number) =>
      done.trials
        .filter((trial) => (count === 1 ? trial.judged.length === 1 : trial.judged.length > 1))
        .map((trial) => trial.judged[0].score);
    expect(Math.min(...first(2))).toBeGreaterThanOrEqual(Math.max(...first(1)));
    await pretrain({
      data,
      out: file('undisturbed'),
      config: {
        ...base(),
        data: { path: data, ignore: ['amine'] },
        training: { ...base().training, learning_rate: Number(best!.settings['training.learning_rate']) },
      },
    });
    const [own, other] = [await openRun(file('halved', best!.run)), await openRun(file('undisturbed'))];
    for (const [name, { data: values }] of Object.entries(other.tensors))
      expect(own.tensors[name].data, name).toEqual(values);
  });

  it.each(['random', 'halving'] as const)('by parts is the sweep of one process (%s)', async (method) => {
    const config: SweepConfig = {
      ...base(),
      ...probed,
      search: { 'training.learning_rate': { from: 0.0005, to: 0.02, log: true } },
      sweep: { method, judge: 'probe', trials: 3, seed: 4, ...(method === 'halving' && { reduction: 2 }) },
    };
    const whole = await sweep({ config, out: file(`whole ${method}`) }, {}, runTrial);
    const out = file(`by parts ${method}`);
    for (const index of [1, 0]) {
      const part = await sweep({ config, out, shard: { index, of: 2 } }, {}, runTrial);
      expect(part.trials.map(({ judged }) => judged.length)).toEqual(index === 0 ? [1, 0, 1] : [0, 1, 0]);
      expect(part.best).toBeUndefined();
    }
    let ran = 0;
    const joined = await sweep({ config, out }, {}, (...job) => {
      ran++;
      return runTrial(...job);
    });
    expect(scores(joined)).toEqual(scores(whole));
    expect(joined.best!.number).toBe(whole.best!.number);
    // What the parts did is not done again.
    expect(ran).toBe(whole.trials.flatMap(({ judged }) => judged.slice(1)).length);
    expect((await openRun(file(`by parts ${method}`, joined.best!.run))).config.training.steps).toBe(12);
  });

  it('goes on where it was killed, with equal scores', async () => {
    const config: SweepConfig = {
      ...base(),
      search: { 'training.learning_rate': { from: 0.0005, to: 0.02 } },
      objective: { kind: 'random-masking' },
      sweep: { trials: 3 },
    };
    const whole = await sweep({ config, out: file('whole'), parallel: 2 }, {}, runTrial);
    let killed = 0;
    const dying: RunTrial = async (job, hooks) => {
      if (!job.out.endsWith('002')) return runTrial(job, hooks);
      const controller = new AbortController();
      await runTrial(job, { signal: controller.signal, onEvent: () => controller.abort() });
      killed++;
      throw new InputError('was killed');
    };
    const broken = await sweep({ config, out: file('broken') }, {}, dying);
    expect(killed).toBe(1);
    expect(broken.trials[1]).toMatchObject({ failure: 'was killed', judged: [] });
    const mended = await sweep({ config, out: file('broken') }, {}, runTrial);
    expect(scores(mended)).toEqual(scores(whole));
    expect(mended.trials[1].failure).toBe(undefined);
    // More draws are these and others; what else is asked for has to be the same.
    const more = { ...config, sweep: { trials: 4 } };
    const grown = await sweep({ config: more, out: file('broken') }, {}, runTrial);
    expect(scores(grown).slice(0, 3)).toEqual(scores(whole));
    expect(grown.trials).toHaveLength(4);
    await expect(sweep({ config, out: file('broken') }, {}, runTrial)).rejects.toThrow(
      'holds 4 trials, more than sweep.trials = 3',
    );
    await expect(
      sweep({ config: { ...more, encoder: { width: 16 } }, out: file('broken') }, {}, runTrial),
    ).rejects.toThrow('holds a sweep with another encoder in its configuration');
    await cp(data, file('moved.csv'));
    const moved = { ...more, data: { path: file('moved.csv') } };
    expect(scores(await sweep({ config: moved, out: file('broken') }, {}, runTrial))).toEqual(scores(grown));
  });

  it('refuses data and labels that changed, and a damaged record, before anything is tried', async () => {
    const [own, labels] = [file('own.csv'), file('labels.csv')];
    await cp(data, own);
    await cp(data, labels);
    const config: SweepConfig = {
      ...base(),
      ...probed,
      data: { path: own },
      search: { 'training.seed': [1, 2] },
      sweep: { method: 'grid', judge: 'probe', labels },
    };
    const out = file('changed');
    const none: RunTrial = async () => {
      throw new Error('a trial was run');
    };
    await sweep({ config, out }, {}, runTrial);
    for (const path of [labels, own]) {
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.split('\n').slice(0, -9).join('\n'));
      await expect(sweep({ config, out }, {}, none)).rejects.toThrow(
        `${path}: changed since the first trial in ${out}; bring it back`,
      );
      await writeFile(path, text);
    }
    const done = await sweep({ config, out }, {}, none);
    // A trial without its run is tried anew, to the same score.
    await rm(file('changed', 'trials', '002'), { recursive: true });
    expect(scores(await sweep({ config, out }, {}, runTrial))).toEqual(scores(done));
    await expect(
      sweep({ config: { ...config, encoder: { width: 16 } }, out, shard: { index: 0, of: 2 } }, {}, none),
    ).rejects.toThrow('holds a sweep with another encoder in its configuration');
    await writeFile(file('changed', 'sweep.json'), '{}');
    await expect(sweep({ config, out }, {}, none)).rejects.toThrow(/sweep\.json: /);
  });

  it('tries again what failed for a reason that may be gone, and ends where the data are gone', async () => {
    const own = file('lost.csv');
    await cp(data, own);
    const config: SweepConfig = {
      ...base(),
      data: { path: own },
      objective: { kind: 'random-masking' },
      search: { 'training.learning_rate': [0.001, 0.002] },
      sweep: { method: 'grid' },
    };
    const blocked: RunTrial = async (job, hooks) => {
      if (job.out.endsWith('002')) throw new InputError('in the way');
      return runTrial(job, hooks);
    };
    const told: string[] = [];
    const onEvent = (event: ProgressEvent) => void (event.type === 'warning' && told.push(event.message));
    const seeds = { ...config, search: { 'training.seed': [1, 2] } };
    await sweep({ config: seeds, out: file('seeds') }, { onEvent }, runTrial);
    expect(told.join()).toContain('what is hidden of validation records is drawn by training.seed');
    const broken = await sweep({ config, out: file('blocked') }, {}, blocked);
    expect(broken.trials[1].failure).toBe('in the way');
    const mended = await sweep({ config, out: file('blocked') }, {}, runTrial);
    expect(mended.trials[1]).toMatchObject({ judged: [{ steps: 12 }] });
    const lost: RunTrial = async () => {
      await rm(own);
      throw new InputError('no such file');
    };
    await expect(sweep({ config, out: file('lost') }, {}, lost)).rejects.toThrow('lost.csv');
    expect((await record('lost')).trials.map(({ failure }) => failure)).toEqual([undefined, undefined]);
  });

  it('stops when it is told to, and says what is left', async () => {
    const controller = new AbortController();
    const config: SweepConfig = {
      ...base(),
      ...probed,
      search: { 'training.learning_rate': [0.001, 0.002] },
      sweep: { method: 'grid', judge: 'probe' },
    };
    const onEvent = (event: ProgressEvent) => {
      if (event.type === 'step' && event.context === 'trial 2 of 2') controller.abort();
    };
    const stopped = await sweep(
      { config, out: file('stopped') },
      { signal: controller.signal, onEvent },
      runTrial,
    );
    expect(stopped).toMatchObject({ interrupted: true, best: { number: 1 } });
    expect(stopped.trials.map(({ judged }) => judged.length)).toEqual([1, 0]);
    expect((await sweep({ config, out: file('stopped') }, {}, runTrial)).trials[1].judged).toHaveLength(1);
  });

  it('keeps what fails with its message, before and after the start', async () => {
    const config: SweepConfig = {
      ...base(),
      ...probed,
      search: { 'encoder.heads': [2, 3], 'training.learning_rate': [0.001, 1e30] },
      encoder: { width: 8, layers: 1 },
      sweep: { method: 'grid', judge: 'probe' },
    };
    const started: string[] = [];
    const done = await sweep({ config, out: file('failing') }, {}, (job, hooks) => {
      started.push(job.out.slice(-3));
      return runTrial(job, hooks);
    });
    expect(started).toEqual(['001', '002']);
    expect(done.best!.number).toBe(1);
    expect(done.trials.map(({ failure }) => failure)).toEqual([
      undefined,
      expect.stringMatching(/not finite|is not a number/),
      'encoder.heads: expected a divisor of encoder.width = 8, got 3; try 2',
      'encoder.heads: expected a divisor of encoder.width = 8, got 3; try 2',
    ]);
    expect((await record('failing')).trials[1].failure).toBe(done.trials[1].failure);
    expect(await readFile(file('failing', 'sweep.html'), 'utf8')).toContain('Trials that failed');
    const fails: RunTrial = async () => {
      throw new LacunaError('no');
    };
    const rates = {
      ...base(),
      search: { 'training.seed': [1, 2] },
      sweep: { method: 'grid' },
      objective: { kind: 'mp3' },
    } as const;
    await expect(sweep({ config: rates, out: file('none') }, {}, fails)).rejects.toThrow(
      'all 2 trials failed, the first with: no',
    );
  });

  it('is judged by fine-tuning where asked', async () => {
    const config: SweepConfig = {
      ...base(),
      search: { 'training.learning_rate': [0.001] },
      sweep: { method: 'grid', judge: 'finetune' },
      finetune: { target: ['amine'], steps: 6, seeds: 2, threads: 1, metric: 'pr-auc' },
    };
    const done = await sweep({ config, out: file('finetuned') }, {}, runTrial);
    expect(done.metric).toBe('pr-auc');
    expect(done.best!.judged[0].score).toBeGreaterThan(0);
    expect(done.next!.slice(0, 2)).toEqual(['finetune', file('finetuned', 'trials', '001')]);
  });

  it.each<[string, Partial<SweepConfig>, string]>([
    [
      'losses of other masks',
      { search: { 'objective.masking_ratio': [0.1, 0.2] } },
      'search.objective.masking_ratio: validation losses with different values of it measure different things and are no ranking; judge by a label instead, with sweep.judge: probe and its column in probe.target',
    ],
    [
      'distances to own targets',
      { objective: { kind: 'byol' } },
      'the loss of byol is a distance to targets that the network makes itself',
    ],
    [
      'losses of other batches',
      { objective: { kind: 'simclr' }, training: {}, search: { 'training.batch_size': [8, 16] } },
      'search.training.batch_size: the loss of simclr compares the records of a batch',
    ],
    [
      'no target',
      { sweep: { judge: 'probe', method: 'grid' } },
      'sweep.judge: probe scores a label on validation records; name its column in probe.target',
    ],
    [
      'another probe',
      { sweep: { judge: 'probe', method: 'grid' }, probe: { target: ['amine'], kind: 'nearest-neighbors' } },
      'probe.kind: a sweep judges by the linear probe',
    ],
    [
      'several scores',
      { sweep: { judge: 'finetune', method: 'grid' }, finetune: { target: ['amine'], shots: [1] } },
      'finetune.shots: a sweep judges each trial by one score',
    ],
    [
      'draws of unknown number',
      { sweep: { method: 'random' } },
      'sweep.trials: the method random draws settings; say how many',
    ],
    [
      'draws of a grid',
      { sweep: { method: 'grid', trials: 3 } },
      'sweep.trials: the method grid has no such key',
    ],
    [
      'halving without an end',
      { sweep: { method: 'halving', trials: 2 }, training: {} },
      'training.steps: halving gives trials more and more steps',
    ],
    [
      'a label that is not there',
      { sweep: { judge: 'probe', method: 'grid' }, probe: { target: ['amines'] } },
      'amines',
    ],
    [
      'another metric',
      { sweep: { judge: 'probe', method: 'grid' }, probe: { target: ['amine'], metric: 'rmse' } },
      'rmse',
    ],
    ['a file that is not there', { data: { path: 'nothing.csv' } }, 'nothing.csv'],
    ['no file', { data: {} }, 'no data: name the file to learn from in data.path'],
  ])('refuses %s before the first run', async (_, more, message) => {
    const config: SweepConfig = {
      ...base(),
      search: { 'training.learning_rate': [0.001, 0.002] },
      sweep: { method: 'grid' },
      ...more,
    };
    const never: RunTrial = () => Promise.reject(new Error('ran'));
    await expect(sweep({ config, out: file('refused') }, {}, never)).rejects.toThrow(message);
  });
});
