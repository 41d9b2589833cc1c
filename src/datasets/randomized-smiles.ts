/** Training records as other SMILES of the same molecules in each epoch. */
import { InputError } from '../errors.js';
import { moleculeGraph, randomSmiles } from '../molecules/random-smiles.js';
import { loadRDKit, type MoleculeGraph } from '../molecules/rdkit.js';
import type { RecordBatch } from '../records/record-batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import type { Tokenizer } from '../tokenizers/index.js';

/**
 * Rewrites the SMILES of a batch for an epoch: the text of each record follows from the seed, the epoch and its row in the file
 * alone, and what RDKit does not read stays. Throws InputError where the tokenizer does not read one text.
 */
export async function smilesRewriter(
  tokenizer: Tokenizer,
  seed: number,
): Promise<(batch: RecordBatch, epoch: number) => RecordBatch> {
  const column = smilesColumn(tokenizer, 'training');
  const rdkit = await loadRDKit();
  return ({ columns, ...batch }, epoch) => {
    const { type, values } = columns[column];
    if (type !== 'text') return { columns, ...batch };
    const written = values.map((smiles, place) => {
      const graph = smiles === null ? undefined : moleculeGraph(rdkit, smiles);
      return graph ? randomSmiles(rdkit, graph, drawOf(seed, epoch, batch.rows[place])) : smiles;
    });
    return { ...batch, columns: { ...columns, [column]: { type, values: written } } };
  };
}

/** Texts that are looked at before a pretraining. */
const LOOKED_AT = 1000;

/** How many of the first texts of a batch are molecules that can be written anew. */
export async function countReadable({ columns: [column] }: Tokenizer, { columns }: RecordBatch) {
  const rdkit = await loadRDKit();
  const texts = columns[column].values.slice(0, LOOKED_AT) as ArrayLike<string | null>;
  const found = Array.from(texts, (text) => text !== null && moleculeGraph(rdkit, text) !== undefined);
  return { all: found.length, readable: found.filter(Boolean).length };
}

/**
 * What becomes of texts, of which so many are molecules, in words. Throws InputError where none is.
 * @param section of the configuration, for the error
 */
export function describeReadable(
  { columns: [column] }: Tokenizer,
  { all, readable }: { readonly all: number; readonly readable: number },
  section: 'finetune' | 'training',
): string {
  if (readable === 0) {
    throw new InputError(
      `${section}.randomize_smiles: RDKit reads none of ${all} texts in column "${column}"; leave out --randomize-smiles`,
    );
  }
  const others =
    readable < all ? `; the ${all - readable} others, which RDKit does not read, keep theirs` : '';
  return `each epoch trains on other SMILES of ${readable} of ${all} molecules${others}`;
}

/** Molecules that can be written anew. */
export interface RandomizedSmiles {
  /** How many of some records RDKit reads: the others keep their text. */
  readonly readable: (records: Int32Array) => number;
  /** Tokens of these records, in their order; the text of each is drawn by the seed, the epoch and the record alone. */
  readonly blockOf: (records: Int32Array, seed: number, epoch: number) => TokenBlock;
}

/**
 * Records whose texts are SMILES, read by the run's tokenizer. A graph is kept as text for each molecule, a few kilobytes.
 * Throws InputError where the tokenizer does not read one text.
 */
export async function randomizedSmiles(
  tokenizer: Tokenizer,
  texts: readonly string[],
): Promise<RandomizedSmiles> {
  const column = smilesColumn(tokenizer, 'finetune');
  const rdkit = await loadRDKit();
  const graphs = new Map<number, string | undefined>();
  const graphOf = (record: number): MoleculeGraph | undefined => {
    if (!graphs.has(record)) {
      const graph = moleculeGraph(rdkit, texts[record]);
      graphs.set(record, graph && JSON.stringify(graph));
    }
    const text = graphs.get(record);
    return text === undefined ? undefined : JSON.parse(text);
  };
  return {
    readable: (records) => records.reduce((sum, record) => sum + Number(graphOf(record) !== undefined), 0),
    blockOf(records, seed, epoch) {
      const values = Array.from(records, (record) => {
        const graph = graphOf(record);
        return graph ? randomSmiles(rdkit, graph, drawOf(seed, epoch, record)) : texts[record];
      });
      return tokenizer.encode({
        rows: Int32Array.from(records),
        columns: { [column]: { type: 'text', values } },
      });
    },
  };
}

const drawOf = (seed: number, epoch: number, record: number) => random(seed, 'random SMILES', epoch, record);

/** The column of texts that a tokenizer reads. */
function smilesColumn({ kind, text }: Tokenizer, section: 'finetune' | 'training'): string {
  if (text) return text.column;
  throw new InputError(
    `${section}.randomize_smiles: needs a run that reads molecules as SMILES text, with the sequence or byte-pairs tokenizer; this one has ${kind}; leave out --randomize-smiles`,
  );
}
