/** One text for each molecule: files of SMILES differ in the order of atoms, the numbers of rings and the letters of aromatic atoms. */
import { InputError, listed } from '../errors.js';
import { canonicalSmiles } from '../molecules/canonical.js';
import { isMolecule } from '../molecules/descriptors.js';
import { loadRDKit } from '../molecules/rdkit.js';
import type { Schema } from '../records/cells/schema.js';
import type { DataSource } from '../records/record-batch.js';
import type { Tokenizer } from '../tokenizers/index.js';

/** Texts that are looked at when a source is opened. */
const LOOKED_AT = 1000;

/**
 * The same source, whose texts of a column are RDKit's canonical SMILES of the same molecules: one text for every way of
 * writing a molecule, which takes about 0.7 ms. What RDKit refuses stays as it is and is counted, each once.
 */
async function inCanonicalSmiles(source: DataSource, column: string): Promise<DataSource> {
  const rdkit = await loadRDKit();
  let [refused, lastRow] = [0, -1];
  let example = '';
  return {
    ...source,
    found: () => [
      ...(source.found?.() ?? []),
      ...(refused > 0
        ? [
            `RDKit does not read ${refused} SMILES, the first "${example}"; what it does not read stays as it is`,
          ]
        : []),
    ],
    canonicalSmiles: column,
    async *read(options) {
      for await (const batch of source.read(options)) {
        const { columns } = batch;
        const cells = columns[column];
        if (cells?.type !== 'text') {
          yield batch;
          continue;
        }
        const values = cells.values.map((text, place) => {
          const written = text && canonicalSmiles(rdkit, text);
          if (written === undefined && batch.rows[place] > lastRow && ++refused === 1) example = text!;
          return written ?? text;
        });
        lastRow = Math.max(lastRow, batch.rows.at(-1) ?? -1);
        yield { ...batch, columns: { ...columns, [column]: { type: 'text', values } } };
      }
    },
  };
}

/** A source as the schema of a run says that its molecules are written. */
export const inSpellingOf = async (source: DataSource, schema?: Schema): Promise<DataSource> =>
  schema?.canonicalSmiles === undefined ? source : inCanonicalSmiles(source, schema.canonicalSmiles);

/**
 * The same for a column that was asked for; a note says how many of the first texts stay. Throws InputError where there is no
 * such column of texts, or RDKit reads none of the first.
 */
export async function inAskedSmiles(source: DataSource, column: string): Promise<DataSource> {
  const found = source.columns.find(({ name }) => name === column);
  if (found?.type !== 'text') {
    const what = found ? `holds ${found.type}, not text` : 'is not there';
    const names = listed(source.columns.map(({ name }) => name));
    throw new InputError(
      `${source.path}: canonical_smiles: the column "${column}" ${what}; columns: ${names}`,
    );
  }
  const { texts, refused } = await firstRefused(source, column);
  const written = await inCanonicalSmiles(source, column);
  if (refused.length === 0) return written;
  if (refused.length === texts) {
    throw new InputError(
      `${source.path}: canonical_smiles: RDKit reads none of the first ${texts} texts of the column "${column}", such as "${refused[0]}"; name the column of SMILES, or leave the key out`,
    );
  }
  const note = `RDKit reads ${texts - refused.length} of the first ${texts} SMILES; the others, such as "${refused[0]}", stay as they are`;
  return { ...written, found: source.found, notes: [...(source.notes ?? []), note] };
}

/** Throws InputError for a column that the tokenizer does not read. */
export function checkSpelled({ columns }: Pick<Tokenizer, 'columns'>, column: string): void {
  if (columns.includes(column)) return;
  throw new InputError(
    `canonical_smiles: the column "${column}" is not read; what is read are the columns ${listed(columns)}`,
  );
}

/** How many texts were looked at, and those that RDKit refuses. */
async function firstRefused(source: DataSource, column: string) {
  const rdkit = await loadRDKit();
  const texts = await firstTexts(source, column, LOOKED_AT);
  return { texts: texts.length, refused: texts.filter((text) => canonicalSmiles(rdkit, text) === undefined) };
}

async function firstTexts(source: DataSource, column: string, count: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const { columns } of source.read({ columns: [column], few: true })) {
    for (const text of columns[column].values) if (typeof text === 'string') texts.push(text);
    if (texts.length >= count) break;
  }
  return texts.slice(0, count);
}

/** Texts that tell how a file writes its molecules. */
const TELLING = 100;
/** Texts of words, and sequences of capitals as proteins are: RDKit is not loaded for them. */
const NO_SMILES = /\s|^[A-Z*-]*$/;

/** The share of the first texts of a column that are as RDKit writes them; undefined where not nearly all are molecules. */
export async function canonicalShare(source: DataSource, column: string): Promise<number | undefined> {
  const texts = await firstTexts(source, column, TELLING);
  if (texts.every((text) => NO_SMILES.test(text))) return undefined;
  let molecules = 0;
  for (const text of texts) molecules += Number(await isMolecule(text));
  // A page has no RDKit, and no molecules.
  if (molecules < 0.9 * texts.length) return undefined;
  const rdkit = await loadRDKit();
  return texts.filter((text) => canonicalSmiles(rdkit, text) === text).length / texts.length;
}
