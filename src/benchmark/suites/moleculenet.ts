/** MoleculeNet (Wu et al., Chemical Science 2018): properties of small molecules, on scaffolds that training has not seen. */
import { join } from 'node:path';
import { sameMolecules } from '../../molecules/same-molecules.js';
import { partOf } from '../../records/split.js';
import { given, prepared } from '../files.js';
import { encoderMethods, usualChoices } from '../methods/encoders.js';
import {
  boostedTreesOnFingerprints,
  boostedTreesOnMolecules,
  constant,
  linearOnDescriptors,
  linearOnFingerprints,
  randomForestOnMolecules,
} from '../methods/simple.js';
import type { BenchmarkTask, DataFolders, Dataset, Pretraining, Suite } from '../suite.js';
import { readTable, type Table, writeTable } from '../tables.js';

const UNLABELLED = 'smiles_pretrain/druglike.csv.gz';
const SPLIT = 'scaffold_split';

interface Property {
  readonly name: string;
  readonly title: string;
  readonly targets: readonly string[];
  readonly kind: 'regression' | 'binary' | 'multilabel';
  readonly source: string;
}

const tox21Assays = [
  'NR-AR',
  'NR-AR-LBD',
  'NR-AhR',
  'NR-Aromatase',
  'NR-ER',
  'NR-ER-LBD',
  'NR-PPAR-gamma',
  'SR-ARE',
  'SR-ATAD5',
  'SR-HSE',
  'SR-MMP',
  'SR-p53',
];

const siderEffects = [
  'Hepatobiliary disorders',
  'Metabolism and nutrition disorders',
  'Product issues',
  'Eye disorders',
  'Investigations',
  'Musculoskeletal and connective tissue disorders',
  'Gastrointestinal disorders',
  'Social circumstances',
  'Immune system disorders',
  'Reproductive system and breast disorders',
  'Neoplasms benign, malignant and unspecified (incl cysts and polyps)',
  'General disorders and administration site conditions',
  'Endocrine disorders',
  'Surgical and medical procedures',
  'Vascular disorders',
  'Blood and lymphatic system disorders',
  'Skin and subcutaneous tissue disorders',
  'Congenital, familial and genetic disorders',
  'Infections and infestations',
  'Respiratory, thoracic and mediastinal disorders',
  'Psychiatric disorders',
  'Renal and urinary disorders',
  'Pregnancy, puerperium and perinatal conditions',
  'Ear and labyrinth disorders',
  'Cardiac disorders',
  'Nervous system disorders',
  'Injury, poisoning and procedural complications',
];

const properties: readonly Property[] = [
  { name: 'esol', title: 'ESOL', targets: ['log_solubility'], kind: 'regression', source: 'Delaney 2004' },
  {
    name: 'freesolv',
    title: 'FreeSolv',
    targets: ['hydration_free_energy'],
    kind: 'regression',
    source: 'Mobley & Guthrie 2014',
  },
  {
    name: 'lipo',
    title: 'Lipophilicity',
    targets: ['logD'],
    kind: 'regression',
    source: 'AstraZeneca, in ChEMBL',
  },
  { name: 'bbbp', title: 'BBBP', targets: ['p_np'], kind: 'binary', source: 'Martins et al. 2012' },
  { name: 'hiv', title: 'HIV', targets: ['HIV_active'], kind: 'binary', source: 'DTP AIDS antiviral screen' },
  {
    name: 'tox21',
    title: 'Tox21, 12 assays',
    targets: tox21Assays,
    kind: 'multilabel',
    source: 'Tox21 challenge 2014',
  },
  {
    name: 'sider',
    title: 'SIDER, 27 kinds of side effect',
    targets: siderEffects,
    kind: 'multilabel',
    source: 'Kuhn et al. 2016',
  },
];

const fileOf = ({ name }: Pick<Property, 'name'>) => `moleculenet/${name}.csv.gz`;

/** The draw of the random splits. */
const SEED = 0;

const randomlySplit = (property: Property): Dataset => ({
  name: `${property.name}-random`,
  files: [fileOf(property)],
  async open(folders) {
    const options = {
      name: `${property.name}-random`,
      extension: '.csv',
      files: [fileOf(property)],
      recipe: { valid: 0.1, test: 0.1, seed: SEED },
    };
    const path = await prepared(folders, options, async (target) => {
      const { columns, rows } = await readTable(join(folders.data, fileOf(property)));
      const [smiles, split] = ['smiles', SPLIT].map((name) => columns.indexOf(name));
      await writeTable(target, {
        columns,
        rows: rows.map((row) => {
          const part = partOf(String(row[smiles]), SEED, { valid: 0.1, test: 0.1 });
          return row.map((cell, column) => (column === split ? part : cell));
        }),
      });
    });
    return { path };
  },
});

const smilesOf = ({ columns, rows }: Table, keep: (row: Table['rows'][number]) => boolean = () => true) =>
  rows.filter(keep).map((row) => String(row[columns.indexOf('smiles')]));

const unlabelled: Dataset = {
  name: 'smiles',
  files: [UNLABELLED, ...properties.map(fileOf)],
  async open(folders) {
    const reason =
      'the same molecule, stereochemistry aside, as one held out for validation or test in a task';
    const options = {
      name: 'smiles-unlabelled',
      extension: '.csv',
      files: [UNLABELLED, ...properties.map(fileOf)],
      recipe: { reason },
    };
    const path = await prepared(folders, options, async (target) => {
      const smiles = smilesOf(await readTable(join(folders.data, UNLABELLED)));
      const known = await sameMolecules(smiles, await heldOutMolecules(folders));
      const rows = smiles.filter((_, i) => known[i] === 0).map((text) => [text]);
      await writeTable(target, { columns: ['smiles'], rows });
    });
    const [of, left] = await Promise.all(
      [join(folders.data, UNLABELLED), path].map(async (file) => (await readTable(file)).rows.length),
    );
    return { path, removed: { records: of - left, of, reason } };
  },
};

/** Of every task and of both its splits. */
async function heldOutMolecules(folders: DataFolders): Promise<string[]> {
  const heldOut = new Set<string>();
  for (const property of properties) {
    const random = await randomlySplit(property).open(folders);
    for (const path of [join(folders.data, fileOf(property)), random.path]) {
      const table = await readTable(path);
      const split = table.columns.indexOf(SPLIT);
      for (const smiles of smilesOf(table, (row) => row[split] !== 'train')) heldOut.add(smiles);
    }
  }
  return [...heldOut];
}

const pretraining: Pretraining = {
  dataset: unlabelled,
  config: {
    data: { columns: ['smiles'] },
    tokenizer: { max_tokens: 96 },
    encoder: { kind: 'perceiver', latents: 16, width: 128, layers: 3, heads: 4 },
    objective: { masking_ratio: 0.3, per_query: 4 },
    training: { steps: 5000, batch_size: 128, learning_rate: 1e-3, valid_steps: 1000, checkpoint_steps: 500 },
  },
};

/** One task per property and split. */
function tasksOf(property: Property): BenchmarkTask[] {
  const common = {
    targets: property.targets,
    task: property.kind,
    metric: property.kind === 'regression' ? ('rmse' as const) : ('roc-auc' as const),
    splitColumn: SPLIT,
    source: property.source,
    pretraining,
    finetuning: {
      steps: property.name === 'hiv' ? 2000 : 800,
      batchSize: 32,
      choices: usualChoices,
    },
    seeds: 5,
    methods: [
      constant,
      linearOnFingerprints,
      linearOnDescriptors,
      boostedTreesOnFingerprints,
      boostedTreesOnMolecules,
      randomForestOnMolecules,
      ...encoderMethods,
    ],
  };
  return [
    {
      ...common,
      name: property.name,
      title: property.title,
      dataset: given(property.name, fileOf(property)),
      split: 'Bemis–Murcko scaffolds, the largest groups in training, 80 : 10 : 10',
    },
    {
      ...common,
      name: `${property.name}-random`,
      title: `${property.title}, random split`,
      dataset: randomlySplit(property),
      split: 'drawn at random, 80 : 10 : 10',
    },
  ];
}

export const moleculenet: Suite = {
  name: 'moleculenet',
  title: 'MoleculeNet: small molecules',
  tasks: properties.flatMap(tasksOf),
};
