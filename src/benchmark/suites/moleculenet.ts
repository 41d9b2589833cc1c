/** MoleculeNet (Wu et al., Chemical Science 2018): properties of small molecules, on scaffolds that training has not seen. */
import { join } from 'node:path';
import { canonicalSmiles } from '../../molecules/canonical.js';
import { loadRDKit } from '../../molecules/rdkit.js';
import { sameMolecules } from '../../molecules/same-molecules.js';
import { balancedScaffoldSplits } from '../../molecules/scaffold.js';
import { type Part, partOf } from '../../records/split.js';
import { permutation, random } from '../../tensor/random.js';
import { prepared } from '../files.js';
import { encoderMethods, finetuned, fromScratch, longTraining, withEncoder } from '../methods/encoders.js';
import { fitMethods, fitWith, meanOfFolds } from '../methods/fit.js';
import {
  boostedTreesOnFingerprints,
  boostedTreesOnMolecules,
  constant,
  linearOnDescriptors,
  linearOnFingerprints,
  randomForestOnMolecules,
} from '../methods/simple.js';
import type { BenchmarkTask, Dataset, Pretraining, PretrainingChanges, Suite } from '../suite.js';
import { readTable, recordsIn, type Table, writeTable } from '../tables.js';

const UNLABELLED = ['smiles_pretrain/druglike.csv.gz', 'smiles_pretrain/moses.csv.gz'];
const SPLIT = 'scaffold_split';
/** The column that holds a random split instead. */
const DRAWN = 'random_split';
/** Three splits, each with a draw of its own. */
const BALANCED = ['balanced_split_0', 'balanced_split_1', 'balanced_split_2'];
const HELD = { valid: 0.1, test: 0.1 };

interface Property {
  readonly name: string;
  readonly title: string;
  readonly targets: readonly string[];
  readonly kind: 'regression' | 'binary' | 'multilabel';
  readonly source: string;
  /** Of a training on labels: 30 passes, and fewer where records are many. */
  readonly steps: number;
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
  {
    name: 'esol',
    title: 'ESOL',
    targets: ['log_solubility'],
    kind: 'regression',
    source: 'Delaney 2004',
    steps: 850,
  },
  {
    name: 'freesolv',
    title: 'FreeSolv',
    targets: ['hydration_free_energy'],
    kind: 'regression',
    source: 'Mobley & Guthrie 2014',
    steps: 500,
  },
  {
    name: 'lipo',
    title: 'Lipophilicity',
    targets: ['logD'],
    kind: 'regression',
    source: 'AstraZeneca, in ChEMBL',
    steps: 3150,
  },
  {
    name: 'bbbp',
    title: 'BBBP',
    targets: ['p_np'],
    kind: 'binary',
    source: 'Martins et al. 2012',
    steps: 1500,
  },
  {
    name: 'hiv',
    title: 'HIV',
    targets: ['HIV_active'],
    kind: 'binary',
    source: 'DTP AIDS antiviral screen',
    steps: 4000,
  },
  {
    name: 'tox21',
    title: 'Tox21, 12 assays',
    targets: tox21Assays,
    kind: 'multilabel',
    source: 'Tox21 challenge 2014',
    steps: 4000,
  },
  {
    name: 'sider',
    title: 'SIDER, 27 kinds of side effect',
    targets: siderEffects,
    kind: 'multilabel',
    source: 'Kuhn et al. 2016',
    steps: 1000,
  },
];

const fileOf = ({ name }: Pick<Property, 'name'>) => `moleculenet/${name}.csv.gz`;

/** The draw of the random splits. */
const SEED = 0;

/** Drawn parts in the place of the given ones. */
interface ReplacedSplit {
  readonly columns: readonly string[];
  /** What the draw depends on. */
  readonly recipe: object;
  /** The part of each molecule by each column; undefined where it has none. */
  readonly draw: (smiles: readonly string[]) => Promise<(Part | undefined)[][]>;
}

/** The molecules of a property, written as those of pretraining are: in RDKit's canonical SMILES, unless RDKit refuses a text. */
const molecules = (property: Property, name: string, split?: ReplacedSplit): Dataset => ({
  name,
  files: [fileOf(property)],
  async open(folders) {
    const { columns, recipe } = split ?? {};
    const options = {
      name,
      extension: '.csv',
      files: [fileOf(property)],
      recipe: { smiles: 'canonical', ...(split && { ...HELD, ...recipe, columns }) },
    };
    const path = await prepared(folders, options, async (target) => {
      const table = await readTable(join(folders.data, fileOf(property)));
      await writeTable(target, await inCanonicalSmiles(split ? await parted(table, split) : table));
    });
    return { path };
  },
});

/** The table with the columns of a split instead of the given one; a molecule without a part in one of them is left out. */
async function parted(table: Table, { columns, draw }: ReplacedSplit): Promise<Table> {
  const drawn = await draw(smilesOf(table));
  const replaced = <T>(row: readonly T[], parts: readonly T[]) =>
    row.flatMap((cell, column) => (table.columns[column] === SPLIT ? parts : [cell]));
  return {
    columns: replaced(table.columns, columns),
    rows: table.rows.flatMap((row, i) => {
      const parts = drawn.flatMap((own) => own[i] ?? []);
      return parts.length < columns.length ? [] : [replaced(row, parts)];
    }),
  };
}

async function inCanonicalSmiles({ columns, rows }: Table): Promise<Table> {
  const rdkit = await loadRDKit();
  const written = columns.indexOf('smiles');
  return {
    columns,
    rows: rows.map((row) =>
      row.map((cell, column) => (column === written ? (canonicalSmiles(rdkit, String(cell)) ?? cell) : cell)),
    ),
  };
}

const randomSplit: ReplacedSplit = {
  columns: [DRAWN],
  recipe: { seed: SEED },
  draw: async (smiles) => [smiles.map((text) => partOf(text, SEED, HELD))],
};

const balancedSplits: ReplacedSplit = {
  columns: BALANCED,
  recipe: { balanced: true },
  draw: (smiles) => balancedScaffoldSplits(smiles, HELD, [...BALANCED.keys()]),
};

const smilesOf = ({ columns, rows }: Table) => rows.map((row) => String(row[columns.indexOf('smiles')]));

const unlabelled: Dataset = {
  name: 'smiles',
  files: [...UNLABELLED, ...properties.map(fileOf)],
  async open(folders) {
    const reason = 'the same molecule, stereochemistry aside, as one of any task, whatever its part';
    const options = {
      name: 'smiles-unlabelled',
      extension: '.csv',
      files: [...UNLABELLED, ...properties.map(fileOf)],
      recipe: { reason, order: SEED },
    };
    const read = async (file: string) => smilesOf(await readTable(join(folders.data, file)));
    const path = await prepared(folders, options, async (target) => {
      const labelled = (await Promise.all(properties.map((property) => read(fileOf(property))))).flat();
      const smiles = (await Promise.all(UNLABELLED.map(read))).flat();
      const known = await sameMolecules(smiles, labelled);
      // The files are ordered by where the molecules come from.
      const order = permutation(smiles.length, random(SEED, 'order of molecules'));
      const rows = Array.from(order)
        .filter((i) => known[i] === 0)
        .map((i) => [smiles[i]]);
      await writeTable(target, { columns: ['smiles'], rows });
    });
    const of = await recordsIn(UNLABELLED.map((file) => join(folders.data, file)));
    return { path, removed: { records: of - (await recordsIn([path])), of, reason } };
  },
};

/** A transformer and a mask as the authors of SMA have them, at a width that two cores can afford. */
const pretraining: Pretraining = {
  dataset: unlabelled,
  config: {
    data: { columns: ['smiles'] },
    tokenizer: { max_tokens: 96 },
    encoder: { kind: 'transformer', width: 128, layers: 4, heads: 4 },
    objective: {
      masking_ratio: 0.3,
      per_query: 3,
      attention_heads: 'random-mix',
      mask_self: true,
      schedule_fraction: 0.25,
    },
    training: {
      steps: 12_000,
      batch_size: 128,
      learning_rate: 1e-3,
      valid_steps: 1000,
      checkpoint_steps: 500,
    },
  },
};

/** As many parameters as the transformer, and the same mask; a quarter of its pretraining. */
const attentiveConvolutions = { kind: 'attentive-convolution', width: 128, layers: 4, heads: 4 } as const;
const shorter: PretrainingChanges = { objective: { kind: 'sma' }, training: { steps: 3000 } };
/** The same, with descriptors of whole molecules predicted beside the hidden tokens, and counting about as much. */
const described: PretrainingChanges = {
  objective: { kind: 'sma' },
  training: { steps: 2000, feature_targets: 'descriptors', feature_weight: 4 },
};
const onAttentiveConvolutions = [
  withEncoder(fromScratch, attentiveConvolutions, {
    name: 'from scratch, attentive convolutions',
    description: 'a layer of attention and three of convolutions, never pretrained, trained on the labels',
  }),
  withEncoder(finetuned('SMA', '', shorter), attentiveConvolutions, {
    name: 'SMA, attentive convolutions',
    description:
      'the same encoder, pretrained for 3,000 steps by predicting tokens that its own attention chose to hide, then fine-tuned',
  }),
  withEncoder(meanOfFolds('SMA', '', { pretraining: shorter }), attentiveConvolutions, {
    name: 'SMA, attentive convolutions, mean of folds',
    description:
      'the same, of three pretrainings each in turn, trained on the labels of the folds of `fit`, and the mean of the folds',
  }),
  withEncoder(fitWith('fit with SMA', '', shorter), attentiveConvolutions, {
    name: 'fit with SMA, attentive convolutions',
    description: 'what `fit` chooses with these encoders, frozen and trained, among the models',
  }),
  withEncoder(finetuned('SMA and descriptors', '', described), attentiveConvolutions, {
    name: 'SMA and descriptors, attentive convolutions',
    description:
      "the same encoder, pretrained for 2,000 steps by predicting hidden tokens and each molecule's descriptors, then fine-tuned",
  }),
  withEncoder(meanOfFolds('SMA and descriptors', '', { pretraining: described }), attentiveConvolutions, {
    name: 'SMA and descriptors, attentive convolutions, mean of folds',
    description:
      'the same, of three pretrainings each in turn, trained on the labels of the folds of `fit`, and the mean of the folds',
  }),
];

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
      steps: property.steps,
      batchSize: 32,
      ...longTraining,
      validations: 30,
      patience: 8,
    },
    seeds: 3,
    pretrainingSeeds: 3,
    methods: [
      constant,
      linearOnFingerprints,
      linearOnDescriptors,
      boostedTreesOnFingerprints,
      boostedTreesOnMolecules,
      randomForestOnMolecules,
      ...encoderMethods,
      ...onAttentiveConvolutions,
      ...fitMethods,
    ],
  };
  return [
    {
      ...common,
      name: property.name,
      title: property.title,
      dataset: molecules(property, property.name),
      split: 'Bemis–Murcko scaffolds, the largest groups in training, 80 : 10 : 10',
    },
    {
      ...common,
      name: `${property.name}-random`,
      title: `${property.title}, random split`,
      dataset: molecules(property, `${property.name}-random`, randomSplit),
      splitColumn: DRAWN,
      split: 'drawn at random, 80 : 10 : 10',
    },
    {
      ...common,
      name: `${property.name}-balanced`,
      title: `${property.title}, three balanced splits`,
      dataset: molecules(property, `${property.name}-balanced`, balancedSplits),
      splitColumn: BALANCED,
      split:
        'Bemis–Murcko scaffolds in an order that each seed draws, large groups in training, 80 : 10 : 10',
    },
  ];
}

export const moleculenet: Suite = {
  name: 'moleculenet',
  title: 'MoleculeNet: small molecules',
  tasks: properties.flatMap(tasksOf),
};
