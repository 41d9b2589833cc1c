import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, LacunaError } from '../errors.js';
import { writeError, writeFileAtomically } from '../files/atomic-file.js';
import { removeAbandoned } from '../sources/partial-names.js';
import { decodeSafetensors, encodeSafetensors } from '../tensor/safetensors.js';
import type { HostTensor } from '../tensor/tensor.js';

/** AdamW's moments lie in a checkpoint under these prefixes, each followed by the parameter's own dotted name. */
export const FIRST_MOMENT = 'optimizer.first_moment.';
export const SECOND_MOMENT = 'optimizer.second_moment.';
/** Likewise the averaged parameters of a target network, where the run has one. */
export const AVERAGE = 'optimizer.average.';
/** And where the run began, while it is to go back there. */
export const START = 'optimizer.start.';

/** Where in the run a checkpoint was taken: all that a resumed run needs beside the tensors and its configuration. */
export interface CheckpointMetadata {
  /** Epochs finished. */
  readonly epoch: number;
  /** Steps done within the epoch that was under way. */
  readonly position: number;
  /** Hash of the resolved configuration, so that a run is not resumed with another one. */
  readonly config_hash: string;
  /** The version of the library that wrote it. */
  readonly version: string;
  /** How many processes trained together; 1 by default. */
  readonly ranks?: number;
}

export interface Checkpoint {
  readonly path: string;
  /** Optimizer steps done. */
  readonly step: number;
  readonly metadata: CheckpointMetadata;
  readonly tensors: Readonly<Record<string, HostTensor>>;
}

const NO_CHECKSUM = '0'.repeat(64);

/** The folder of a run that holds them. */
export const CHECKPOINTS = 'checkpoints';

function checkpointsFolder(runDir: string): string {
  return join(runDir, CHECKPOINTS);
}

/** The path of a run's checkpoint of a step. */
export const checkpointPath = (runDir: string, step: number): string =>
  join(checkpointsFolder(runDir), `step-${String(step).padStart(8, '0')}.safetensors`);

/** The step of a run's newest checkpoint, intact or not; undefined before the first. */
export const newestStep = async (runDir: string): Promise<number | undefined> =>
  (await listCheckpoints(runDir))[0]?.step;

/** Checkpoint files of a run, newest first. */
export async function listCheckpoints(runDir: string): Promise<{ step: number; path: string }[]> {
  const folder = checkpointsFolder(runDir);
  const names = await readdir(folder).catch(() => []);
  return names
    .map((name) => ({
      step: Number(/^step-(\d{8,})\.safetensors$/.exec(name)?.[1]),
      path: join(folder, name),
    }))
    .filter(({ step }) => !Number.isNaN(step))
    .sort((a, b) => b.step - a.step);
}

/**
 * Writes checkpoints/step-00001200.safetensors and gives its path. The header carries the SHA-256 of the whole file,
 * taken while the place of the digest itself held 64 zeros.
 * Only after the new file is safe are others removed: all but the last `keep` and the landmark, any of a later step (left by a run that was
 * resumed from before them), and those that killed processes left half-written. Throws LacunaError, with the older checkpoints untouched, when the disk is full.
 */
export async function saveCheckpoint(
  runDir: string,
  {
    step,
    tensors,
    metadata,
    keep = 2,
    landmark,
  }: {
    step: number;
    tensors: Readonly<Record<string, HostTensor>>;
    metadata: CheckpointMetadata;
    keep?: number;
    /** Step of a checkpoint that stays, however many come after it. */
    landmark?: number;
  },
): Promise<string> {
  const folder = checkpointsFolder(runDir);
  const path = checkpointPath(runDir, step);
  const { epoch, position, config_hash, version, ranks = 1 } = metadata;
  const chunks = encodeSafetensors(tensors, {
    sha256: NO_CHECKSUM,
    step: String(step),
    epoch: String(epoch),
    position: String(position),
    config_hash,
    version,
    ...(ranks > 1 && { ranks: String(ranks) }),
  });
  const digest = createHash('sha256');
  for (const chunk of chunks) digest.update(chunk);
  const [head] = chunks;
  head.set(new TextEncoder().encode(digest.digest('hex')), placeOf(head, NO_CHECKSUM));
  await writeFileAtomically(path, chunks);

  const others = (await listCheckpoints(runDir)).filter((other) => other.step !== step);
  const older = others.filter((other) => other.step < step && other.step !== landmark);
  const obsolete = [...others.filter((other) => other.step > step), ...older.slice(keep - 1)];
  for (const other of obsolete)
    await rm(other.path, { force: true }).catch((error) => {
      throw writeError(error, other.path, 0);
    });
  await removeAbandoned(folder);
  return path;
}

/** Where a digest stands in the header of a file, which is of Latin letters up to there. */
const placeOf = (bytes: Uint8Array, digest: string): number => {
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return new TextDecoder('latin1').decode(bytes.subarray(0, 8 + headerBytes)).indexOf(digest, 8);
};

/**
 * Reads and checks one checkpoint; its tensors are views of the file's bytes. Throws InputError when the file is missing,
 * cut short, or differs from its checksum in a single bit.
 */
export async function loadCheckpoint(path: string): Promise<Checkpoint> {
  const bytes = await readFile(path).catch((cause) => {
    throw new InputError(`${path}: could not read this checkpoint (${cause.code ?? cause.message})`, {
      cause,
    });
  });
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  const { sha256, config_hash, version } = metadata;
  const [step, epoch, position, ranks] = [
    metadata.step,
    metadata.epoch,
    metadata.position,
    metadata.ranks ?? 1,
  ].map(Number);
  if (
    !/^[0-9a-f]{64}$/.test(sha256 ?? '') ||
    config_hash === undefined ||
    version === undefined ||
    ![step, epoch, position, ranks].every(Number.isSafeInteger)
  )
    throw new InputError(
      `${path}: a safetensors file, but not a checkpoint of Lacuna: its metadata lacks what one has`,
    );

  const at = placeOf(bytes, sha256);
  const found = createHash('sha256')
    .update(bytes.subarray(0, at))
    .update(NO_CHECKSUM)
    .update(bytes.subarray(at + NO_CHECKSUM.length))
    .digest('hex');
  if (found !== sha256)
    throw new InputError(
      `${path}: corrupted: expected SHA-256 ${sha256.slice(0, 16)}…, its ${bytes.length} bytes give ${found.slice(0, 16)}…`,
    );
  return { path, step, metadata: { epoch, position, config_hash, version, ranks }, tensors };
}

/**
 * The newest checkpoint of a run that is intact, or undefined when there is none at all. A damaged newer one is told to
 * `report` and passed over; when every one is damaged, throws LacunaError.
 */
export async function latestCheckpoint(
  runDir: string,
  report: (message: string) => void = () => {},
): Promise<Checkpoint | undefined> {
  const candidates = await listCheckpoints(runDir);
  for (const { path } of candidates) {
    try {
      return await loadCheckpoint(path);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      report(`${error.message}; trying the checkpoint before it`);
    }
  }
  if (candidates.length === 0) return undefined;
  throw new LacunaError(
    `${checkpointsFolder(runDir)}: none of the ${candidates.length} checkpoints is intact; restore one from a copy or start again in a new folder`,
  );
}

/** The same tensors under longer names. */
export function addPrefix(
  prefix: string,
  tensors: Readonly<Record<string, HostTensor>>,
): Record<string, HostTensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));
}

/** The tensors whose names start with `prefix`, under the rest of their names. */
export function selectPrefix(
  prefix: string,
  tensors: Readonly<Record<string, HostTensor>>,
): Record<string, HostTensor> {
  return Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}
