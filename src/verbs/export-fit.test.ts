import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeEngine } from '../engine/node.js';
import { featureSets } from '../features/index.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import { type FeatureMatrix, joinFeatures, onFeatures, trainedEncoder } from '../fit/attempts.js';
import type { FitData } from '../fit/fit-data.js';
import { groupFolds } from '../fit/folds.js';
import { openFit } from '../fit/open-fit.js';
import { saveFit } from '../fit/saved-fit.js';
import { type Fitted, fitFolds } from '../fit/select.js';
import { boostedTrees } from '../probes/boosted-trees-probe.js';
import { extraTrees } from '../probes/forest-probe.js';
import { linearProbe } from '../probes/linear-probe.js';
import { takeRecords } from '../records/batch.js';
import { openRun } from '../runs/folder.js';
import { chooseMetric, type Task } from '../scoring/metrics.js';
import { splitParts } from '../scoring/parts.js';
import { random } from '../tensor/random.js';
import { exportRun } from './export.js';
import { fit as fitFile } from './fit.js';
import { readingOf, readLabelledFile } from './labelled-file.js';
import { predict } from './predict.js';
import { pretrain } from './pretrain.js';
import { firstRecords, runModelFile } from './tried-records.js';

let folder: string;
const file = (name: string) => join(folder, name);

const ROWS = 120;
const COLUMNS = ['size', 'weight', 'colour', 'note'];

/** Numbers, of which some are missing, and categories; labels of each task. */
function table(): string {
  const source = random(3, 'table');
  const rows = Array.from({ length: ROWS }, (_, row) => {
    const [size, weight] = [source.normal(), 50 + 9 * source.normal()];
    const colour = ['red', 'green', 'blue'][source.integer(3)];
    const score = size + 0.05 * weight + (colour === 'red' ? 1 : 0) + 0.2 * source.normal();
    const part = ['train', 'train', 'train', 'valid', 'test'][row % 5];
    const kinds = ['low', 'middle', 'high'][Math.min(2, Math.max(0, Math.floor(score - 1.8)))];
    const numbers = [row % 7 === 3 ? '' : size.toFixed(3), weight.toFixed(2)];
    return [
      ...numbers,
      colour,
      `n${source.integer(4)}`,
      (100 * score).toFixed(2),
      (1e4 - score).toFixed(3),
      score > 2.8 ? 'yes' : 'no',
      kinds,
      part,
    ];
  });
  return [[...COLUMNS, 'price', 'rest', 'good', 'kind', 'split'], ...rows, ''].join('\n');
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-export-fit-'));
  await symlink(resolve('node_modules'), file('node_modules'));
  await writeFile(file('table.csv'), table());
  await pretrain({
    data: file('table.csv'),
    out: file('run'),
    config: {
      data: { columns: COLUMNS },
      encoder: { width: 8, layers: 1, latents: 4, heads: 2 },
      training: { steps: 4, batch_size: 16, threads: 1 },
    },
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the parts of a model may be, each fitted to two folds. */
const kinds = {
  'linear on values': { probe: linearProbe, features: ['values'] },
  'boosted trees on values': { probe: boostedTrees, features: ['values'] },
  'extra trees on values': { probe: extraTrees, features: ['values'] },
  'linear on embedding': { probe: linearProbe, features: ['embedding'] },
  'boosted trees on embedding and values': { probe: boostedTrees, features: ['embedding', 'values'] },
  'trained encoder': undefined,
} as const;
type Kind = keyof typeof kinds;

/** Saves a model of these parts, the first of weight 1, the second 2 and so on. */
async function saved(out: string, targets: string[], task: Task, parts: readonly Kind[]): Promise<void> {
  const run = await openRun(file('run'));
  const reading = readingOf([run]);
  const { labelled } = await readLabelledFile(reading, file('table.csv'), targets, { task }, {});
  const { spec, block, labels, members } = labelled;
  const engine = await nodeEngine({ threads: 1 });
  const own = [...members.train, ...members.valid];
  const development = {
    records: takeRecords(block, own),
    labels: Float64Array.from(
      own.flatMap((record) =>
        Array.from({ length: spec.targets }, (_, target) => labels[record * spec.targets + target]),
      ),
    ),
  };
  const { test } = splitParts(labelled);
  const folds = groupFolds([...own.keys()], 2, 0);
  const data: FitData = {
    spec,
    metric: chooseMetric(spec.task),
    development,
    test,
    texts: {},
    folds,
    engine,
  };
  const embedder = new Embedder(engine, run.model, encoderParameters(run.model, run.tensors, 'run'));
  const values = featureSets.get('values')!;
  const state = await values.fit({ spec: run.tokenizer.spec, block });
  const both = async (
    name: string,
    of: (records: typeof block) => Float32Array | Promise<Float32Array>,
    dimension: number,
  ): Promise<FeatureMatrix> => ({
    names: [name],
    dimension,
    development: await of(development.records),
    test: await of(test.records),
  });
  const matrices: Record<string, FeatureMatrix> = {
    values: await both(
      'values',
      (records) => values.of({ spec: run.tokenizer.spec, block: records }, state),
      state.dimension,
    ),
    embedding: await both('embedding', (records) => embedder.embed(records), embedder.width),
  };
  await embedder.release();
  const fitted: Fitted[] = [];
  for (const name of parts) {
    const kind = kinds[name];
    const attempt = kind
      ? onFeatures(name, data, joinFeatures(kind.features.map((own) => matrices[own])), {
          probe: kind.probe,
          representation: (kind.features as readonly string[]).includes('embedding'),
        })
      : trainedEncoder(name, data, {
          model: run.model,
          starts: [run],
          settingsFor: () => ({
            steps: 4,
            learningRate: 1e-3,
            batchSize: 8,
            layerDecay: 1,
            weightDecay: 0,
            clipNorm: 1,
          }),
        });
    fitted.push(await fitFolds(attempt, data));
  }
  const score = { value: 0.5, low: 0.25, high: 0.75 };
  await saveFit(out, {
    spec,
    metric: data.metric,
    tokenizer: run.tokenizer,
    schema: run.schema,
    run,
    features: { values: state },
    data: { path: file('table.csv') },
    selection: {
      rows: parts.map((name) => ({ name, valid: 0.5, test: score, representation: false, seconds: 1 })),
      simple: parts[0],
      chosen: parts[0],
      differences: [],
      parts: fitted.map((own, i) => ({ fitted: own, weight: i + 1 })),
    },
  });
}

/** The numbers that predict writes of each record, float64[records, outputs]. */
async function predictedRows(run: string, data: string, outputs: number): Promise<number[]> {
  await predict({ run, data, out: `${run}.csv` });
  const lines = (await readFile(`${run}.csv`, 'utf8')).trim().split('\n').slice(1);
  return lines.flatMap((line) => line.split(',').slice(-outputs).map(Number));
}

/** What model.onnx makes of the first records of the file. */
async function ranRows(run: string, out: string, outputs: number): Promise<number[]> {
  const opened = await openFit(run, () => nodeEngine({ threads: 1 }));
  const { tokenizer, data, sets } = opened;
  const { block, texts } = (await firstRecords(data!, opened))!;
  const rows = await opened.featuresOf({ block, texts });
  await opened.release();
  const outside = Array.from(sets).filter(([, { set }]) => 'columns' in set.made);
  const features = new Map(outside.map(([name]) => [name.replaceAll(' ', '_'), rows.get(name)!]));
  const path = join(out, 'model.onnx');
  const { predictions } = await runModelFile(
    path,
    tokenizer.spec,
    { block, features },
    { predictions: outputs },
  );
  return Array.from(predictions);
}

/** The numbers that the JavaScript program of the card prints, and those that the card says it does. */
async function runExample(out: string): Promise<{ said: number[]; printed: number[] }> {
  const card = await readFile(join(out, 'README.md'), 'utf8');
  const code = /```js\n([\s\S]*?)```/.exec(card)![1];
  const program = code
    .replace('console.log(', 'process.stdout.write(JSON.stringify(Array.from(')
    .replace(/\); \/\/.*/, ')));');
  await writeFile(join(out, 'program.js'), program);
  const printed = execFileSync(process.execPath, [join(out, 'program.js')], { cwd: out, encoding: 'utf8' });
  return { said: code.split('//').at(-1)!.split(',').map(Number), printed: JSON.parse(printed) };
}

function expectSame(got: readonly number[], expected: readonly number[], scale: number): void {
  const off = got.map((value, i) => Math.abs(value - expected[i]) / Math.max(scale, Math.abs(expected[i])));
  expect(Math.max(...off)).toBeLessThan(1e-5);
}

const tasks: [Task, string[], number, number][] = [
  ['regression', ['price', 'rest'], 2, 100],
  ['binary', ['good'], 1, 1],
  ['multiclass', ['kind'], 3, 1],
];

describe.each(tasks)('the export of a fit, %s', (task, targets, outputs, scale) => {
  it.each<[string, Kind[]]>([
    ['linear', ['linear on values']],
    ['trees', ['boosted trees on values']],
    ['encoder', ['trained encoder']],
    ['ensemble', ['linear on values', 'extra trees on values', 'linear on embedding', 'trained encoder']],
  ])('predicts in ONNX Runtime alone what predict does: %s', async (name, parts) => {
    const [run, out] = [file(`${task} ${name}`), file(`${task} ${name} out`)];
    await saved(run, targets, task, parts);
    const { compared, maximumDifference, rows, files } = await exportRun({ run, out });
    expect([compared, rows]).toEqual(['predictions', 64]);
    expect(maximumDifference).toBeLessThan(1e-5);
    expect(files.map((path) => path.slice(out.length + 1)).sort()).toEqual((await readdir(out)).sort());
    const predicted = await predictedRows(run, file('table.csv'), outputs);
    const got = await ranRows(run, out, outputs);
    expectSame(got, predicted.slice(0, got.length), scale);
    const { said, printed } = await runExample(out);
    expect(said).toHaveLength(outputs);
    said.forEach((value, i) => {
      expect(Math.abs(printed[i] - value)).toBeLessThan(2e-5 * Math.max(1, Math.abs(value)));
    });
  });
});

describe('the export of a fit', () => {
  it('gives the embedding beside the predictions where trees read it', async () => {
    const [run, out] = [file('embedded'), file('embedded out')];
    await saved(run, ['good'], 'binary', ['boosted trees on embedding and values']);
    const { maximumDifference } = await exportRun({ run, out });
    expect(maximumDifference).toBeLessThan(1e-5);
    const opened = await openFit(run, () => nodeEngine({ threads: 1 }));
    const { block } = (await firstRecords(opened.data!, opened))!;
    const rows = (await opened.featuresOf({ block })).get('embedding')![0];
    await opened.release();
    const { embedding } = await runModelFile(
      join(out, 'model.onnx'),
      opened.tokenizer.spec,
      { block },
      { embedding: 8 },
    );
    expectSame(Array.from(embedding), Array.from(rows), 1);
    expect(JSON.parse(await readFile(join(out, 'labels.json'), 'utf8'))).toMatchObject({
      task: 'binary',
      targets: ['good'],
      classes: [['no', 'yes']],
      predictions: ['good=yes'],
    });
  });

  it('has an input for features that tokens do not tell, whose columns it names', async () => {
    const words = ['a', 'good', 'red', 'old', 'fine', 'car', 'house', 'day', 'night', 'song'];
    const source = random(4, 'texts');
    const rows = Array.from({ length: 90 }, (_, row) => {
      const own = Array.from({ length: 5 }, () => words[source.integer(words.length)]);
      return `${own.join(' ')},${own.includes('good') ? 'yes' : 'no'},${['train', 'train', 'train', 'valid', 'test'][row % 5]}`;
    });
    await writeFile(file('texts.csv'), ['text,label,split', ...rows, ''].join('\n'));
    const [run, out] = [file('texts fit'), file('texts out')];
    const config = { fit: { folds: 2, columns: ['text'] } };
    await fitFile({ data: file('texts.csv'), targets: ['label'], out: run, config });
    const { files } = await exportRun({ run, out });
    expect(files.some((path) => path.endsWith('features.json'))).toBe(true);
    const inputs = JSON.parse(await readFile(join(out, 'features.json'), 'utf8'));
    const card = await readFile(join(out, 'README.md'), 'utf8');
    for (const [name, { columns, weights }] of Object.entries<{ columns: string[]; weights: number[] }>(
      inputs,
    )) {
      expect(weights).toHaveLength(columns.length);
      expect(card).toContain(`| \`${name}\` | float32[batch, ${columns.length}] |`);
    }
    expectSame(await ranRows(run, out, 1), (await predictedRows(run, file('texts.csv'), 1)).slice(0, 64), 1);
    const { said, printed } = await runExample(out);
    expect(printed[0]).toBeCloseTo(said[0], 4);

    await rm(file('texts.csv'));
    const told: string[] = [];
    await exportRun(
      { run, out: file('drawn out') },
      { onEvent: (event) => event.type === 'info' && told.push(event.message) },
    );
    expect(told.join()).toContain('cannot be read any more; the export is checked on drawn numbers');
  });

  it('refuses a model that is not whole, and leaves nothing', async () => {
    const run = file('broken');
    await saved(run, ['good'], 'binary', ['linear on values']);
    await rm(join(run, 'models.safetensors'));
    await expect(exportRun({ run, out: file('broken out') })).rejects.toThrow(
      'models.safetensors: could not be read',
    );
    expect(await readdir(folder)).not.toContain('broken out');
  });
});

it('is refused where single precision cannot hold the target, and leaves nothing', async () => {
  const source = random(4, 'times');
  const lines = Array.from({ length: ROWS }, () => {
    const x = source.normal();
    return `${x},${1_700_000_000 + Math.round(1000 * x)}`;
  });
  await writeFile(file('times.csv'), ['x,time', ...lines, ''].join('\n'));
  await fitFile({
    data: file('times.csv'),
    targets: ['time'],
    out: file('times'),
    config: { fit: { task: 'regression', folds: 1, columns: ['x'] } },
  });
  await expect(exportRun({ run: file('times'), out: file('times-out') })).rejects.toThrow('single precision');
  expect(await readdir(folder)).not.toContain('times-out');
});
