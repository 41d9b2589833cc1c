// @ts-nocheck: plain JavaScript that runs what is built
/** Every reader of ours by name: its valid files, and how a file is read by it to the end. */
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfigText } from '../../dist/config/parse.js';
import { MANIFEST, readManifest } from '../../dist/files/manifest.js';
import { readFit } from '../../dist/fit/saved-fit.js';
import { openBytes } from '../../dist/records/open-bytes.js';
import { loadCheckpoint } from '../../dist/runs/checkpoints.js';
import { readRunConfig, readRunSchema, readTokenizer } from '../../dist/runs/folder.js';
import { begunWork, keptWork } from '../../dist/runs/kept-work.js';
import { readLabels } from '../../dist/runs/labels.js';
import { readLearnedRecords } from '../../dist/runs/learned-records.js';
import { readMetrics } from '../../dist/runs/metrics-log.js';
import { readScores } from '../../dist/runs/scores.js';
import { audioDecoder } from '../../dist/sources/audio.js';
import { imageDecoder } from '../../dist/sources/images.js';
import { openSource } from '../../dist/sources/open-source.js';
import { unpickle } from '../../dist/sources/pickle.js';
import { PickleError } from '../../dist/sources/pickle-error.js';
import { decodeSafetensors } from '../../dist/tensor/safetensors.js';
import {
  repairedCheckpoint,
  repairedGzip,
  repairedPng,
  repairedSafetensors,
  repairedZip,
} from './repair.mjs';
import { checkpointOf, formatSeeds } from './seeds.mjs';

/** What is refused, in whatever way a parser has for it. */
export class Refused extends Error {}

const inMemory = (name, bytes) => ({
  name,
  size: bytes.length,
  async *stream() {
    yield bytes;
  },
  slice: (start, end) => ({ arrayBuffer: async () => new Uint8Array(bytes.subarray(start, end)).buffer }),
});

const ROW_TYPES = {
  number: ({ values }, rows) => values.length === rows,
  text: ({ values }, rows) =>
    values.length === rows && values.every((cell) => cell === null || typeof cell === 'string'),
  series: ({ values, offsets, channels }, rows) =>
    offsets.length === rows + 1 && offsets[rows] * channels === values.length,
  pixels: ({ values, shape }, rows) =>
    values.length === rows * shape.reduce((product, size) => product * size, 1),
};

/** Reads all records; each column has to have a cell for each of them, and each complaint has to be one line. */
async function readAll(open) {
  const complaints = [];
  const source = await open({ onBadRecord: 'skip', report: ({ message }) => complaints.push(message) });
  for await (const { rows, columns } of source.read()) {
    for (const { name } of source.columns)
      if (!ROW_TYPES[columns[name].type](columns[name], rows.length))
        throw new Error(`column ${name} has no cell for each of the ${rows.length} records`);
  }
  const long = complaints.find((message) => message.includes('\n') || message.length > 4000);
  if (long) throw new Error(`a complaint of several lines or ${long.length} characters`);
}

const fromBytes = (name) => (bytes) => readAll((options) => openBytes(inMemory(name, bytes), options));

/** Throws Refused where a decoder says in words what is wrong. */
const decoded = (makeDecoder, options) => async (bytes) => {
  const decoder = await makeDecoder([bytes], options, 'a folder');
  const record = await decoder.decode(bytes).catch((error) => {
    // A message for a bad record, whatever the class of the error.
    if (error instanceof TypeError || error instanceof RangeError) throw error;
    throw new Refused(error.message);
  });
  decoder.pack([record, record]);
};

/**
 * The parsers. `folder` is one of the caller's, for files that have to lie on a disk; `runs` has what `trainRuns` left.
 * `cost` is about how many times as long as the fast ones an input takes.
 */
export async function parsersOf(folder, runs) {
  const seeds = await formatSeeds();
  mkdirSync(folder, { recursive: true });
  const onDisk = (name) => (bytes) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return readAll((options) => openSource(path, options));
  };
  /** One file of a run, of which the others are whole. */
  const ofRun = (run, file, read, more = {}) => {
    const copy = join(folder, `${run} ${file.replaceAll('/', ' ')}`);
    cpSync(join(runs, run), copy, { recursive: true });
    // Whose checksums would refuse a damaged file before it is read.
    rmSync(join(copy, MANIFEST), { force: true });
    return {
      seeds: more.seeds ?? [readFileSync(join(copy, file))],
      cost: 10,
      async read(bytes) {
        writeFileSync(join(copy, file), bytes);
        await read(copy);
      },
      ...more,
    };
  };
  const checkpoint = join(folder, 'step.safetensors');
  copyFileSync(await checkpointOf(join(runs, 'run')), checkpoint);
  const formats = ['idx', 'ts', 'npy', 'npz', 'json', 'jsonl', 'fasta', 'smiles', 'arrow'];
  const whole = readFileSync(checkpoint);
  return {
    ...Object.fromEntries(
      formats.map((name) => [name, { seeds: seeds[name], read: fromBytes(`a.${name}`) }]),
    ),
    npz: { seeds: seeds.npz, cost: 4, repair: repairedZip, read: fromBytes('a.npz') },
    jsonl: { seeds: seeds.jsonl, cost: 4, read: fromBytes('a.jsonl') },
    lines: { seeds: seeds.lines, read: fromBytes('a.txt') },
    gzip: { seeds: seeds.gzip, cost: 4, repair: repairedGzip, read: fromBytes('a.txt.gz') },
    zstd: { seeds: seeds.zstd, read: fromBytes('a.txt.zst') },
    zip: { seeds: seeds.zip, repair: repairedZip, read: fromBytes('a.txt.zip') },
    /** Of no name, so that the content alone tells the format. */
    unnamed: {
      seeds: [...Object.values(seeds)].flat().filter((file) => file.length < 2000),
      read: fromBytes('a'),
    },
    safetensors: {
      seeds: [readFileSync(join(runs, 'run', 'learned.safetensors')), whole],
      repair: repairedSafetensors,
      async read(bytes) {
        decodeSafetensors(bytes);
      },
    },
    pickle: {
      seeds: seeds.pickle,
      async read(bytes) {
        try {
          unpickle(bytes);
        } catch (error) {
          throw error instanceof PickleError ? new Refused(error.message) : error;
        }
      },
    },
    wav: { seeds: seeds.wav, cost: 40, read: decoded(audioDecoder, {}) },
    samples: { seeds: seeds.wav, read: decoded(audioDecoder, { audio: 'samples' }) },
    yaml: {
      cost: 40,
      seeds: [...seeds.yaml, readFileSync(join(runs, 'run', 'config.json'))],
      async read(bytes) {
        parseConfigText(bytes.toString(), 'a.yaml');
      },
    },
    checkpoint: {
      seeds: [whole],
      cost: 10,
      repair: repairedCheckpoint,
      async read(bytes) {
        writeFileSync(checkpoint, bytes);
        await loadCheckpoint(checkpoint);
      },
    },
    config: ofRun('run', 'config.json', readRunConfig),
    tokenizer: ofRun('run', 'tokenizer.json', readTokenizer),
    schema: ofRun('run', 'schema.json', readRunSchema),
    learned: ofRun('run', 'learned.safetensors', readLearnedRecords, { repair: repairedSafetensors }),
    metrics: ofRun('run', 'metrics.jsonl', (run) => readMetrics(join(run, 'metrics.jsonl'))),
    labels: ofRun('tuned', 'labels.json', readLabels),
    scores: ofRun('tuned', 'scores.json', readScores),
    fit: ofRun('fit', 'fit.json', readFit, { cost: 20 }),
    manifest: ofRun('run', MANIFEST, readManifest, { seeds: [readFileSync(join(runs, 'run', MANIFEST))] }),
    models: ofRun('fit', 'models.safetensors', readFit, { cost: 20, repair: repairedSafetensors }),
    attempts: {
      seeds: [Buffer.from('{"key":"0123456789abcdef"}')],
      cost: 10,
      async read(bytes) {
        mkdirSync(join(folder, 'begun', 'attempts'), { recursive: true });
        writeFileSync(join(folder, 'begun', 'attempts', 'key.json'), bytes);
        if (await begunWork(join(folder, 'begun'))) await keptWork(join(folder, 'begun'), 'fit', {});
        else throw new Refused('no work was begun here');
      },
    },
    lmdb: { seeds: seeds.lmdb, cost: 10, read: onDisk('a.lmdb') },
    xlsx: { seeds: seeds.xlsx, cost: 20, repair: repairedZip, read: onDisk('a.xlsx') },
    images: { seeds: seeds.images, cost: 20, repair: repairedPng, read: decoded(imageDecoder, {}) },
    sdf: { seeds: seeds.sdf, cost: 40, read: onDisk('a.sdf') },
    csv: { seeds: seeds.csv, cost: 200, read: onDisk('a.csv') },
    tsv: { seeds: seeds.tsv, cost: 200, read: onDisk('a.tsv') },
    parquet: { seeds: seeds.parquet, cost: 200, read: onDisk('a.parquet') },
  };
}
