import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { loadRiskMolecules } from '../demo/molecules.js';
import { load } from '../models/load.js';
import { openRun } from '../runs/folder.js';
import { exportRun } from './export.js';
import { finetune } from './finetune.js';
import { predict } from './predict.js';
import { pretrain } from './pretrain.js';
import { probe } from './probe.js';
import { firstRecords, proveTokens } from './tried-records.js';

/** The weather of Seattle in the first days of 2012 (NOAA): date, mm of rain, warmest, coldest, wind, and in a word. */
const weather = `2012-01-01,0.0,12.8,5.0,4.7,drizzle
2012-01-02,10.9,10.6,2.8,4.5,rain
2012-01-03,0.8,11.7,7.2,2.3,rain
2012-01-04,20.3,12.2,5.6,4.7,rain
2012-01-05,1.3,8.9,2.8,6.1,rain
2012-01-06,2.5,4.4,2.2,2.2,rain
2012-01-07,0.0,7.2,2.8,2.3,rain
2012-01-08,0.0,10.0,2.8,2.0,sun
2012-01-09,4.3,9.4,5.0,3.4,rain
2012-01-10,1.0,6.1,0.6,3.4,rain
2012-01-11,0.0,6.1,-1.1,5.1,sun
2012-01-12,0.0,6.1,-1.7,1.9,sun
2012-01-13,0.0,5.0,-2.8,1.3,sun
2012-01-14,4.1,4.4,0.6,5.3,snow
2012-01-15,5.3,1.1,-3.3,3.2,snow
2012-01-16,2.5,1.7,-2.8,5.0,snow
2012-01-17,8.1,3.3,0.0,5.6,snow
2012-01-18,19.8,0.0,-2.8,5.0,snow
2012-01-19,15.2,-1.1,-2.8,1.6,snow
2012-01-20,13.5,7.2,-1.1,2.3,snow
2012-01-21,3.0,8.3,3.3,8.2,rain
2012-01-22,6.1,6.7,2.2,4.8,rain
2012-01-23,0.0,8.3,1.1,3.6,rain
2012-01-24,8.6,10.0,2.2,5.1,rain
2012-01-25,8.1,8.9,4.4,5.4,rain
2012-01-26,4.8,8.9,1.1,4.8,rain
2012-01-27,0.0,6.7,-2.2,1.4,drizzle
2012-01-28,0.0,6.7,0.6,2.2,rain
2012-01-29,27.7,9.4,3.9,4.5,rain
2012-01-30,3.6,8.3,6.1,5.1,rain
2012-01-31,1.8,9.4,6.1,3.9,rain
2012-02-01,13.5,8.9,3.3,2.7,rain
2012-02-02,0.0,8.3,1.7,2.6,sun
2012-02-03,0.0,14.4,2.2,5.3,sun
2012-02-04,0.0,15.6,5.0,4.3,sun
2012-02-05,0.0,13.9,1.7,2.9,sun
2012-02-06,0.0,16.1,1.7,5.0,sun
2012-02-07,0.3,15.6,7.8,5.3,rain
2012-02-08,2.8,10.0,5.0,2.7,rain
2012-02-09,2.5,11.1,7.8,2.4,rain
2012-02-10,2.5,12.8,6.7,3.0,rain
2012-02-11,0.8,8.9,5.6,3.4,rain
2012-02-12,1.0,8.3,5.0,1.3,rain
2012-02-13,11.4,7.2,4.4,1.4,rain
2012-02-14,2.5,6.7,1.1,3.1,rain
2012-02-15,0.0,7.2,0.6,1.8,drizzle
2012-02-16,1.8,7.2,3.3,2.1,rain
2012-02-17,17.3,10.0,4.4,3.4,rain
2012-02-18,6.4,6.7,3.9,8.1,rain
2012-02-19,0.0,6.7,2.2,4.7,sun
2012-02-20,3.0,7.8,1.7,2.9,rain
2012-02-21,0.8,10.0,7.8,7.5,rain
2012-02-22,8.6,10.0,2.8,5.9,rain
2012-02-23,0.0,8.3,2.8,3.9,sun
2012-02-24,11.4,6.7,4.4,3.5,rain
2012-02-25,0.0,7.2,2.8,6.4,rain
2012-02-26,1.3,5.0,-1.1,3.4,snow
2012-02-27,0.0,6.7,-2.2,3.0,sun
2012-02-28,3.6,6.7,-0.6,4.2,snow
2012-02-29,0.8,5.0,1.1,7.0,snow
2012-03-01,0.0,6.1,1.1,3.1,sun
2012-03-02,2.0,6.7,3.9,5.1,rain
2012-03-03,0.0,12.2,6.7,7.0,sun
2012-03-04,0.0,10.6,6.7,5.6,rain
2012-03-05,6.9,7.8,1.1,6.2,rain
2012-03-06,0.5,6.7,0.0,2.7,snow
2012-03-07,0.0,8.9,-1.7,2.7,sun
2012-03-08,0.0,15.6,0.6,2.5,sun
2012-03-09,3.6,9.4,5.0,2.8,rain
2012-03-10,10.4,7.2,6.1,3.4,rain
2012-03-11,13.7,6.7,2.8,5.8,rain
2012-03-12,19.3,8.3,0.6,6.2,snow
2012-03-13,9.4,5.6,0.6,5.3,snow
2012-03-14,8.6,7.8,1.1,4.7,rain
2012-03-15,23.9,11.1,5.6,5.8,snow
2012-03-16,8.4,8.9,3.9,5.1,rain
2012-03-17,9.4,10.0,0.6,3.8,snow
2012-03-18,3.6,5.0,-0.6,2.7,rain
2012-03-19,2.0,7.2,-1.1,3.0,rain
2012-03-20,3.6,7.8,2.2,6.4,rain
2012-03-21,1.3,8.9,1.1,2.5,rain
2012-03-22,4.1,10.0,1.7,2.1,rain
2012-03-23,0.0,12.2,0.6,2.8,sun
2012-03-24,0.0,15.0,3.3,5.2,sun
2012-03-25,0.0,13.3,2.2,2.7,rain
2012-03-26,0.0,12.8,6.1,4.3,drizzle
2012-03-27,4.8,14.4,6.7,3.8,rain
2012-03-28,1.3,10.6,7.2,5.9,rain
2012-03-29,27.4,10.0,6.1,4.4,rain
2012-03-30,5.6,9.4,5.0,4.7,rain`
  .split('\n')
  .map((line) => line.split(','));

const PARTS = ['train', 'train', 'train', 'valid', 'test'];
const partOf = (row: number) => PARTS[row % PARTS.length];

let folder: string;
const file = (name: string) => join(folder, name);

/** The folder of a service: an export, and onnxruntime-node alone of all packages. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-deployed-'));
  await mkdir(file('node_modules'));
  for (const name of ['onnxruntime-node', 'onnxruntime-common'])
    await symlink(dirname(resolve('node_modules', name, 'package.json')), file(`node_modules/${name}`));
  await writeFile(
    file('service.mjs'),
    `import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
const [folder, records] = process.argv.slice(2);
const json = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const { openTokenizer } = await import(join(folder, 'tokenize.js'));
const tokenize = openTokenizer(json('tokenizer.json'), json('schema.json'));
const session = await ort.InferenceSession.create(join(folder, 'model.onnx'));
const given = await tokenize(JSON.parse(readFileSync(records, 'utf8')));
const feeds = Object.fromEntries(Object.entries(given).map(([name, { type, data, dims }]) => [name, new ort.Tensor(type, data, dims)]));
writeFileSync(records + '.feeds', JSON.stringify(Object.fromEntries(Object.entries(given).map(([name, { type, data, dims }]) => [name, [type, Array.from(data), dims]]))));
const { predictions, embedding } = await session.run(feeds);
process.stdout.write(JSON.stringify({
  lengths: Array.from(given.lengths.data),
  predictions: Array.from(predictions.data),
  dims: predictions.dims,
  embedding: embedding.dims,
}));`,
  );
  await writeFile(
    file('service.py'),
    `import json, sys
import numpy as np
import onnxruntime
folder, records = sys.argv[1:]
session = onnxruntime.InferenceSession(folder + "/model.onnx")
given = json.load(open(records + ".feeds"))
feeds = {name: np.array(data, kind).reshape(dims) for name, (kind, data, dims) in given.items()}
print(json.dumps(session.run(["predictions"], feeds)[0].ravel().tolist()))`,
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const hasPython = (() => {
  try {
    execFileSync('python3', ['-c', 'import numpy, onnxruntime'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

interface Case {
  /** Writes the data and gives its name. */
  readonly data: () => Promise<string>;
  /** The first records as a program has them. */
  readonly records: () => Promise<readonly unknown[]>;
  readonly targets: readonly string[];
  readonly config?: UserConfig;
  readonly finetune?: object;
  /** The columns of numbers that predict writes. */
  readonly columns: readonly string[];
}

const table = async () => {
  const lines = weather.map((cells, row) => [...cells, partOf(row)].join(','));
  await writeFile(file('weather.csv'), ['date,rain,warmest,coldest,wind,sky,split', ...lines, ''].join('\n'));
  return 'weather.csv';
};
/** As objects of a program: numbers, a date as it is written, and a word. */
const days = (left: string) => async () =>
  weather.slice(0, 20).map(([date, rain, warmest, coldest, wind, sky]) => {
    const all = { date, rain: Number(rain), warmest: Number(warmest), coldest: Number(coldest), wind, sky };
    return Object.fromEntries(Object.entries(all).filter(([name]) => name !== left));
  });
const tableConfig = (left: string): UserConfig => ({
  data: { columns: ['date', 'rain', 'warmest', 'coldest', 'wind', 'sky'].filter((name) => name !== left) },
});

let loaded: ReturnType<typeof loadRiskMolecules> | undefined;
const molecules = async () => {
  loaded ??= loadRiskMolecules();
  return (await loaded).filter((_, i) => i % 30 === 0 && i < 3600);
};
const sequences = async () => {
  const lines = (await molecules()).map(({ smiles, mutagenic, irritant }, row) =>
    [
      smiles,
      mutagenic,
      irritant,
      smiles.length,
      smiles.replace(/[a-z]/g, 'L').replace(/[^L]/g, 'O'),
      partOf(row),
    ].join(','),
  );
  await writeFile(
    file('molecules.csv'),
    ['smiles,mutagenic,irritant,size,case,split', ...lines, ''].join('\n'),
  );
  return 'molecules.csv';
};
const texts = async () => (await molecules()).slice(0, 20).map(({ smiles }) => smiles);
const ofSmiles: UserConfig = { data: { columns: ['smiles'] }, tokenizer: { max_tokens: 40 } };

/** Handwritten digits of MNIST, which the package gives as grey values from 0 to 1. */
const digits = [3, 8].map((digit) => {
  const { data } = createRequire(import.meta.url)(`mnist/src/digits/${digit}.json`) as { data: number[] };
  return Array.from({ length: 30 }, (_, i) =>
    data.slice(i * 784, (i + 1) * 784).map((grey) => Math.round(grey * 255)),
  );
});
const images = digits[0].flatMap((three, i) => [three, digits[1][i]]);
const idx = (type: number, sizes: readonly number[], bytes: readonly number[]) => {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.writeUInt32BE(type);
  sizes.forEach((size, i) => {
    header.writeUInt32BE(size, 4 + 4 * i);
  });
  return Buffer.concat([header, Uint8Array.from(bytes)]);
};

/** Six days of the warmest and coldest temperature and the wind, one channel each, and whether the day after was dry. */
const spells = weather.slice(0, 80).map((_, first) => {
  const own = weather.slice(first, first + 6);
  return {
    steps: own.map(([, , warmest, coldest, wind]) => [warmest, coldest, wind].map(Number)),
    dry: weather[first + 6][1] === '0.0',
  };
});

const cases: Record<string, Case> = {
  'a table with dates and categories, a regression': {
    data: table,
    records: days('warmest'),
    targets: ['warmest'],
    config: tableConfig('warmest'),
    columns: ['warmest'],
  },
  'two targets learned as quantiles': {
    data: table,
    records: days('wind'),
    targets: ['wind', 'rain'],
    config: { data: { columns: ['date', 'warmest', 'coldest', 'sky'] } },
    finetune: { target_transform: 'quantile', task: 'regression' },
    columns: ['wind', 'rain'],
  },
  'several classes of a table': {
    data: table,
    records: days('sky'),
    targets: ['sky'],
    config: { ...tableConfig('sky'), encoder: { kind: 'transformer', width: 8, layers: 1, heads: 2 } },
    columns: ['sky=drizzle', 'sky=rain', 'sky=snow', 'sky=sun'],
  },
  'two classes of sequences, read by a query': {
    data: sequences,
    records: texts,
    targets: ['mutagenic'],
    config: ofSmiles,
    finetune: { head: 'attention' },
    columns: ['mutagenic=1'],
  },
  'several labels of sequences': {
    data: sequences,
    records: texts,
    targets: ['mutagenic', 'irritant'],
    config: ofSmiles,
    columns: ['mutagenic=1', 'irritant=1'],
  },
  'logarithms of a label of sequences': {
    data: sequences,
    records: texts,
    targets: ['size'],
    config: ofSmiles,
    finetune: { target_transform: 'log', task: 'regression' },
    columns: ['size'],
  },
  images: {
    data: async () => {
      await writeFile(file('digits-images-idx3-ubyte'), idx(0x803, [60, 28, 28], images.flat()));
      await writeFile(
        file('digits-labels-idx1-ubyte'),
        idx(
          0x801,
          [60],
          images.map((_, i) => i % 2),
        ),
      );
      return 'digits-images-idx3-ubyte';
    },
    records: async () => images.slice(0, 20),
    targets: ['label'],
    columns: ['label=1'],
  },
  series: {
    data: async () => {
      const lines = spells.map(
        ({ steps, dry }) =>
          `${[0, 1, 2].map((channel) => steps.map((step) => step[channel]).join(',')).join(':')}:${dry ? 'dry' : 'wet'}`,
      );
      await writeFile(
        file('spells.ts'),
        `@problemName spells\n@timeStamps false\n@univariate false\n@dimensions 3\n@equalLength true\n@seriesLength 6\n@classLabel true dry wet\n@data\n${lines.join('\n')}\n`,
      );
      return 'spells.ts';
    },
    records: async () => spells.slice(0, 20).map(({ steps }) => steps),
    targets: ['label'],
    columns: ['label=wet'],
  },
};

/** Fine-tunes for a moment, exports, and moves the export to where nothing else is. */
async function deployed(
  name: string,
  { data: write, targets, config, finetune: labels }: Omit<Case, 'columns'>,
) {
  const data = file(await write());
  const [run, tuned, out] = ['run', 'tuned', 'out'].map((end) => file(`${name} ${end}`));
  await pretrain({
    data,
    out: run,
    config: {
      encoder: { width: 8, layers: 1, latents: 4, heads: 2 },
      training: { steps: 3, batch_size: 8, threads: 1 },
      ...config,
    },
  });
  const options = { steps: 6, batch_size: 8, seeds: 1, threads: 1, learning_rate: 3e-3, ...labels };
  await finetune({ run, data, targets, out: tuned, config: options });
  const summary = await exportRun({ run: tuned, out });
  const service = file(`${name} service`);
  await cp(out, service, { recursive: true });
  return { data, tuned, out, service, summary };
}

async function serve(service: string, records: readonly unknown[]) {
  const path = `${service}.json`;
  await writeFile(path, JSON.stringify(records));
  const run = (command: string, script: string) =>
    JSON.parse(
      execFileSync(command, [file(script), service, path], { encoding: 'utf8', maxBuffer: 1 << 26 }),
    );
  const javascript = run(process.execPath, 'service.mjs') as {
    lengths: number[];
    predictions: number[];
    dims: number[];
    embedding: number[];
  };
  return { ...javascript, python: hasPython ? (run('python3', 'service.py') as number[]) : undefined };
}

/** The largest difference, of large values as a part of them. */
const largest = (got: readonly number[], expected: readonly number[]) => {
  expect(got).toHaveLength(expected.length);
  return Math.max(
    ...got.map((value, i) => Math.abs(value - expected[i]) / Math.max(1, Math.abs(expected[i]))),
  );
};

describe('the export of a fine-tuned run', () => {
  it.each(Object.entries(cases))(
    `predicts in onnxruntime alone, through its tokenize.js, what predict does: %s${hasPython ? ', in JavaScript and Python' : ' (not tried in Python: python3 has no onnxruntime)'}`,
    async (name, own) => {
      const { data, tuned, out, service, summary } = await deployed(name, own);
      expect(summary.compared).toBe('predictions');
      expect(summary.maximumDifference).toBeLessThan(1e-5);
      expect(summary.files.map((path) => path.slice(out.length + 1)).sort()).toEqual(
        (await readdir(out)).sort(),
      );

      await predict({ run: tuned, data, out: `${tuned}.csv` });
      const [header, ...lines] = (await readFile(`${tuned}.csv`, 'utf8')).trim().split('\n');
      const places = own.columns.map((column) => header.split(',').indexOf(column));
      const expected = lines
        .slice(0, 20)
        .flatMap((line) => places.map((place) => Number(line.split(',')[place])));
      const records = await own.records();
      const { predictions, dims, embedding, python } = await serve(service, records);
      expect([dims, embedding]).toEqual([
        [20, own.columns.length],
        [20, 8],
      ]);
      expect(new Set(predictions).size).toBeGreaterThan(10);
      expect(largest(predictions, expected)).toBeLessThan(1e-5);
      if (python) expect(largest(python, expected)).toBeLessThan(1e-5);
      const labels = JSON.parse(await readFile(join(service, 'labels.json'), 'utf8'));
      expect(labels.predictions).toEqual(own.columns);

      const model = await load(out);
      const answers = await model.predict(records as string[]);
      await model.dispose();
      const numbers = answers.flatMap((answer) => own.columns.map((column) => Number(answer[column])));
      expect(largest(numbers, expected)).toBeLessThan(1e-5);
    },
  );

  it('predicts the classes of tokens, of each as many as the record has', async () => {
    const own = {
      data: sequences,
      records: texts,
      targets: ['case'],
      config: ofSmiles,
      finetune: { task: 'per-token' },
    };
    const { data, tuned, service, summary } = await deployed('per token', own);
    expect([summary.compared, summary.maximumDifference < 1e-5]).toEqual(['predictions', true]);
    await predict({ run: tuned, data, out: `${tuned}.csv` });
    const [, ...lines] = (await readFile(`${tuned}.csv`, 'utf8')).trim().split('\n');
    const { predictions, dims, lengths } = await serve(service, await texts());
    expect(dims).toEqual([20, 40, 2]);
    for (const [record, length] of lengths.entries()) {
      const first = (token: number) => predictions[(record * 40 + token) * 2];
      const letters = Array.from({ length }, (_, token) => (first(token) > 0.5 ? 'L' : 'O')).join('');
      expect(letters).toBe(lines[record].split(',')[1]);
    }
    const labels = JSON.parse(await readFile(join(service, 'labels.json'), 'utf8'));
    expect(labels).toMatchObject({ task: 'per-token', predictions: ['case=L', 'case=O'] });
    expect(await printed(service)).toEqual(await said(service));
  });

  it('says in its card what it learned, how well, and what it is not to be trusted with', async () => {
    const { out } = await deployed('card', cases['two targets learned as quantiles']);
    const card = await readFile(join(out, 'README.md'), 'utf8');
    for (const text of [
      '# Predictor of `wind`, `rain`',
      '| pretrained on | `weather.csv` (columns `date`, `warmest`, `coldest`, `sky`), checksum `sha256:',
      '| objective | sma, ',
      ', 3 steps |',
      '| fine-tuned on | `weather.csv`, 54 records, 18 of validation, parts by column split |',
      '| fine-tuning | at most 6 steps of 8, learning rate 0.003, ',
      'learned as quantiles; validation kept step ',
      '`untrained`',
      '95 % interval',
      '## Limits',
      'It never predicts outside the training labels: `wind` from ',
      'A category that no training record had',
      `import { openTokenizer } from './tokenize.js';`,
    ])
      expect(card).toContain(text);
    const scores = JSON.parse(await readFile(join(out, 'scores.json'), 'utf8'));
    expect(scores).toMatchObject({ data: 'weather.csv', targets: ['wind', 'rain'] });
    for (const { mean } of scores.methods) expect(card).toContain(`| ${mean.toPrecision(4)} |`);
    expect(await printed(out)).toEqual(await said(out));
  });

  it.each(['images', 'series'])('has a program in its card that reads a record: %s', async (name) => {
    const { service } = await deployed(`card of ${name}`, cases[name]);
    expect(await printed(service)).toEqual(await said(service));
  });

  it('does not take the scores of a probe for its own, nor a run from scratch for a pretrained one', async () => {
    const own = cases['several classes of a table'];
    const { data, tuned } = await deployed('scratch', { ...own, finetune: { from_scratch: true } });
    await probe({ run: tuned, data, targets: ['sky'], config: { kind: 'linear' } });
    await exportRun({ run: tuned, out: file('probed') });
    const card = await readFile(join(file('probed'), 'README.md'), 'utf8');
    expect(card).toContain('was trained on labels alone, without pretraining');
    expect(card).toContain('| tokens fitted on | `weather.csv` (columns');
    expect(card).toContain(', linear` | ');
    for (const text of ['| pretrained on |', '| objective |', '| fine-tuned on |'])
      expect(card).not.toContain(text);
  });

  it('is refused where tokenize.js makes another token, and names the record', async () => {
    const { out, tuned } = await deployed('other tokens', cases['several classes of a table']);
    const run = await openRun(tuned);
    const { block, records } = (await firstRecords(run.config.data, run))!;
    await proveTokens(out, { block, records }, run.tokenizer.spec);
    const values = block.values!.slice();
    values[3 * run.tokenizer.spec.maxTokens] += 1e-3;
    await expect(
      proveTokens(out, { block: { ...block, values }, records }, run.tokenizer.spec),
    ).rejects.toThrow(
      /^tokenize\.js: makes other values than the run's tokenizer of record 3, \{"date":"2012-01-04",/,
    );
  });

  it('predicts when the data is gone, checked on drawn tokens', async () => {
    const { data, tuned } = await deployed('gone', cases['several classes of a table']);
    await rm(data);
    const told: string[] = [];
    const onEvent = (event: { type: string; message?: string }) =>
      told.push(`${event.type} ${event.message}`);
    const { files } = await exportRun({ run: tuned, out: file('gone again') }, { onEvent });
    expect(told.join()).toContain('the export is checked on drawn tokens');
    expect(files.some((path) => path.endsWith('tokenize.js'))).toBe(true);
    await cp(file('gone again'), file('gone service'), { recursive: true });
    expect(await printed(file('gone service'))).toEqual(await said(file('gone service')));
  });
});

/** What the JavaScript program of a card prints, and the Python program where that can be run, in four digits. */
async function printed(service: string): Promise<string[]> {
  const card = await readFile(join(service, 'README.md'), 'utf8');
  const run = async (language: string, name: string, command: string) => {
    const program = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(card)![1];
    await writeFile(join(service, name), program);
    return shortened(execFileSync(command, [name], { cwd: service, encoding: 'utf8' }));
  };
  const own = [await run('js', 'program.js', process.execPath)];
  if (hasPython) own.push(await run('python', 'program.py', 'python3'));
  return own;
}

/** What they say they print. */
async function said(service: string): Promise<string[]> {
  const card = await readFile(join(service, 'README.md'), 'utf8');
  const [python, javascript] = Array.from(
    card.matchAll(/^(?:print|console\.log).*(?:#|\/\/) (.*)$/gm),
    ([, numbers]) => shortened(numbers),
  );
  return hasPython ? [javascript, python] : [javascript];
}

const shortened = (text: string) =>
  (text.replace(/Float32Array\(\d+\)/, '').match(/-?\d[\d.e+-]*/g) ?? [])
    .map((number) => Number(number).toPrecision(4))
    .join(' ');
