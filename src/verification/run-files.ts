/** What a run or an export holds: parameters, checkpoints, the log, the model file. */
import { join } from 'node:path';
import type { Config } from '../config/schema.js';
import { LacunaError } from '../errors.js';
import { listCheckpoints, loadCheckpoint } from '../runs/checkpoints.js';
import { exportedFiles } from '../runs/exported-files.js';
import { hasFile, runFile } from '../runs/folder.js';
import { readMetrics } from '../runs/metrics-log.js';
import type { HostTensor } from '../tensor/tensor.js';
import { type Checks, type Found, NotChecked } from './checks.js';

/** Numbers that are not finite, a fault for each tensor that has some. */
export function nonFinite(
  path: string,
  tensors: Readonly<Record<string, ArrayLike<number | bigint>>>,
): string[] {
  return Object.entries(tensors).flatMap(([name, data]) => {
    let bad = 0;
    // A tree that parts missing values from all others does so at an infinite threshold.
    const isSound = name.endsWith('.threshold') ? (value: number) => !Number.isNaN(value) : Number.isFinite;
    if (data instanceof Float32Array || data instanceof Float64Array)
      for (const value of data) if (!isSound(value)) bad++;
    return bad === 0 ? [] : [`${path}: ${name} has ${bad} of ${data.length} numbers that are not finite`];
  });
}

export const dataOf = (tensors: Readonly<Record<string, HostTensor>>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));

export async function checkCheckpoints(checks: Checks, folder: string): Promise<void> {
  await checks.make('checkpoints', async () => {
    const found = await listCheckpoints(folder);
    if (found.length === 0) throw new NotChecked('there is none');
    const faults: string[] = [];
    for (const { path } of found)
      await loadCheckpoint(path).catch((error: Error) => {
        faults.push(error.message);
      });
    return { faults, ok: `${found.length} ${found.length === 1 ? 'is' : 'are'} intact` };
  });
}

export async function checkLog(folder: string, config: Config | undefined): Promise<Found> {
  const path = runFile(folder, 'metrics');
  if (!(await hasFile(folder, 'metrics'))) throw new NotChecked('there is none');
  const lines = await readMetrics(path);
  const faults = lines.flatMap(({ step }, i) =>
    i > 0 && step <= lines[i - 1].step
      ? [`${path}:${i + 1}: step ${step} comes after step ${lines[i - 1].step}`]
      : [],
  );
  const last = lines.at(-1)?.step;
  if ((await hasFile(folder, 'done')) && config && last !== config.training.steps)
    faults.push(`${path}: ends at step ${last}, and the run is done with ${config.training.steps}`);
  return { faults, ok: `${lines.length} lines in the order of their steps` };
}

export async function checkModelFile(checks: Checks, folder: string): Promise<void> {
  await checks.make('model', async () => {
    const { InferenceSession } = await import('onnxruntime-node');
    const path = join(
      folder,
      (await hasFile(folder, 'encoder')) ? exportedFiles.encoder : exportedFiles.model,
    );
    const session = await InferenceSession.create(path, { graphOptimizationLevel: 'disabled' }).catch(
      (cause: Error) => {
        throw new LacunaError(`${path}: ONNX Runtime cannot open it: ${cause.message.split('\n')[0]}`, {
          cause,
        });
      },
    );
    const { inputNames, outputNames } = session;
    await session.release();
    return `reads ${inputNames.join(', ')}, gives ${outputNames.join(', ')}`;
  });
}
