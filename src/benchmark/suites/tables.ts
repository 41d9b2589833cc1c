/** Two tables: who earns more than 50,000 dollars, and what a house costs. Each encoder learns from its own training rows. */
import { given } from '../files.js';
import { encoderMethods, finetuned, fromScratchForLonger, longTraining } from '../methods/encoders.js';
import { fitMethods } from '../methods/fit.js';
import { perceptron } from '../methods/perceptron.js';
import { boostedTrees, constant, extraTrees, linearOnValues, randomForest } from '../methods/simple.js';
import { drawnTable } from '../splits.js';
import type { BenchmarkTask, Dataset, Pretraining, Suite } from '../suite.js';
import type { Table } from '../tables.js';

const adultFile = given('adult', 'tabular/adult.csv.gz');
const houses = drawnTable(
  'california-housing',
  'tabular/california_housing.csv.gz',
  { valid: 0.1, test: 0.2 },
  { change: 'median_house_value in 100,000 dollars', edit: inHundredThousands },
);

/** The last is a category, which would be taken for a label. */
const houseFeatures = [
  'longitude',
  'latitude',
  'housing_median_age',
  'total_rooms',
  'total_bedrooms',
  'population',
  'households',
  'median_income',
  'ocean_proximity',
];

function inHundredThousands({ columns, rows }: Table): Table {
  const target = columns.indexOf('median_house_value');
  return {
    columns,
    rows: rows.map((row) =>
      row.map((cell, i) => (i === target && cell !== null ? Number(cell) / 1e5 : cell)),
    ),
  };
}

const pretrainingOn = (dataset: Dataset, data: Pretraining['config']['data']): Pretraining => ({
  dataset,
  config: {
    data,
    // The token of its own is T-JEPA's.
    encoder: { kind: 'transformer', width: 64, layers: 3, heads: 4, registers: 1 },
    objective: { masking_ratio: 0.3, per_query: 2, attention_heads: 'random-mix', mask_self: true },
    training: { steps: 4000, batch_size: 128, learning_rate: 1e-3, valid_steps: 500, checkpoint_steps: 500 },
  },
});

const finetunedJepa = finetuned(
  'T-JEPA',
  'pretrained by predicting the states that an averaged copy gives to hidden tokens, then fine-tuned',
  { objective: { kind: 't-jepa' } },
);

const common = {
  splitColumn: 'split',
  finetuning: {
    steps: 4000,
    batchSize: 64,
    ...longTraining,
  },
  seeds: 3,
  methods: [
    constant,
    linearOnValues,
    boostedTrees,
    randomForest,
    extraTrees,
    perceptron,
    ...encoderMethods,
    finetunedJepa,
    fromScratchForLonger,
    ...fitMethods,
  ],
};

const adult: BenchmarkTask = {
  ...common,
  name: 'adult',
  title: 'Adult',
  dataset: adultFile,
  targets: ['income'],
  task: 'binary',
  metric: 'accuracy',
  split: 'the official one; a tenth of the training rows for validation',
  source: 'UCI, Becker & Kohavi 1996',
  pretraining: pretrainingOn(adultFile, { ignore: ['income'] }),
};

const californiaHousing: BenchmarkTask = {
  ...common,
  name: 'california-housing',
  title: 'California housing, in 100,000 dollars',
  dataset: houses,
  targets: ['median_house_value'],
  task: 'regression',
  metric: 'rmse',
  split: 'drawn at random, 70 : 10 : 20',
  source: 'Pace & Barry 1997',
  pretraining: pretrainingOn(houses, { columns: houseFeatures }),
};

export const tables: Suite = {
  name: 'tables',
  title: 'Tables: adult and California housing',
  tasks: [adult, californiaHousing],
};
