import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LABELLED_TRAINING } from '../config/defaults.js';
import { readLabelledPath } from '../datasets/labelled-file.case.js';
import { nodeEngine } from '../engine/node.js';
import { untrainedParameters } from '../finetuning/frozen-encoder.js';
import { smallModel } from '../objectives/objective.case.js';
import { openSource } from '../sources/open-source.js';
import { tokenizers } from '../tokenizers/index.js';
import { type TrainedEncoder, trainedEncoder } from './attempts.js';
import { fitDataOf } from './fit-data.js';
import { fitFolds } from './select.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-attempts-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('an encoder that is trained on the labels starts from several in turn, fold by fold', async () => {
  // Iris (Fisher 1936): petal length and width, and whether the flower is a setosa.
  const flowers = ['1.4,0.2,yes', '4.7,1.4,no', '1.5,0.3,yes', '4.5,1.5,no', '1.3,0.2,yes', '5.1,1.9,no'];
  const rows = [0, 1, 2, 3].flatMap((part) =>
    flowers.map((flower, i) => `${flower.replace(',', `${part}${i},`)},${part < 3 ? 'train' : 'test'}`),
  );
  const path = join(folder, 'iris.csv');
  await writeFile(path, `petal_length,petal_width,setosa,split\n${rows.join('\n')}\n`);
  const columns = ['petal_length', 'petal_width'];
  const tokenizer = await tokenizers.fields.fit((await openSource(path)).read({ columns }), { columns });
  const labelled = await readLabelledPath({ path, tokenizer, targets: ['setosa'] });
  const engine = await nodeEngine({ threads: 1 });
  const data = await fitDataOf(labelled, { metric: 'accuracy', engine, folds: 3 });
  const model = smallModel(tokenizer.spec, 'sma', {}, 'transformer');
  const [first, second] = [0, 1].map((seed) => ({
    tensors: untrainedParameters(model, seed),
    folder: `encoder ${seed}`,
  }));
  const parametersFrom = async (starts: (typeof first)[]) => {
    const settingsFor = () => ({ ...LABELLED_TRAINING, steps: 2, batchSize: 4, learningRate: 1e-3 });
    const { models } = await fitFolds(trainedEncoder('encoder', data, { model, starts, settingsFor }), data);
    return (models as TrainedEncoder[]).map(({ parameters }) => parameters);
  };
  const [alone, other] = [await parametersFrom([first]), await parametersFrom([second])];
  expect(alone[1]).not.toEqual(other[1]);
  expect(await parametersFrom([first, second])).toEqual([alone[0], other[1], alone[2]]);
});
