/** Labels of single tokens: a text with one letter, or one word between spaces, for each letter of the record's sequence. */

import { InputError } from '../errors.js';
import type { DataSource, RecordBatch } from '../records/record-batch.js';
import type { Tokenizer } from '../tokenizers/index.js';
import type { RejectRecord } from '../tokenizers/tokenizer.js';

/** The classes of a text's tokens: its letters, or the words between its spaces, as lists of numbers are written. */
const tokensOf = (text: string): string[] => (text.includes(' ') ? text.split(' ') : [...text]);

/** Letters that say that a token has no label. */
const MISSING = new Set(['-', '?']);

export interface TokenLabelColumns {
  readonly target: string;
  /** Text of 0 and 1; tokens with 0 have no label. */
  readonly mask?: string;
}

/** The column that a tokenizer makes one token of each letter of. Throws InputError where it makes tokens otherwise. */
function sequenceColumn({ kind, columns }: Tokenizer): string {
  if (kind === 'sequence') return columns[0];
  throw new InputError(
    `per-token labels need records that are texts with one token for each letter; this run's tokenizer is ${kind}; ask for another --task`,
  );
}

function textsOf({ columns }: RecordBatch, name: string, { path }: Pick<DataSource, 'path'>) {
  const column = columns[name];
  if (column.type === 'text') return column.values;
  throw new InputError(
    `${path}: column "${name}" was read as ${column.type}s; per-token labels and masks are text, one letter for each token; in JSON Lines or Parquet a text of digits stays text`,
  );
}

/** What is wrong with the labels or the mask of a record of so many letters: the column at fault and a message. */
function faultOf(
  columns: TokenLabelColumns,
  letters: number,
  labels: readonly string[],
  mask: readonly string[] | undefined,
): [column: string, message: string] | undefined {
  if (labels.length !== letters) {
    return [columns.target, `${labels.length} labels for a sequence of ${letters} letters`];
  }
  if (mask === undefined) return undefined;
  if (mask.length !== letters) {
    return [columns.mask!, `a mask of ${mask.length} for a sequence of ${letters} letters`];
  }
  const strange = mask.find((letter) => letter !== '0' && letter !== '1');
  return strange === undefined
    ? undefined
    : [columns.mask!, `expected 0 or 1 for each letter of the sequence, got "${strange}"`];
}

/**
 * The labels of each record of a batch by its place, one letter for each token that is read and null where there is
 * none. Undefined is a record that was given to `reject`, null one whose tokens have no label. `onCropped` is told how
 * many labels lie beyond the last token that is read.
 */
export function tokenLabels(
  source: Pick<DataSource, 'path'>,
  batch: RecordBatch,
  options: {
    readonly tokenizer: Tokenizer;
    readonly columns: TokenLabelColumns;
    readonly reject: RejectRecord;
    readonly onCropped: (labels: number) => void;
  },
): (readonly (string | null)[] | null | undefined)[] {
  const { tokenizer, columns, reject, onCropped } = options;
  const sequences = textsOf(batch, sequenceColumn(tokenizer), source);
  const targets = textsOf(batch, columns.target, source);
  const masks = columns.mask === undefined ? undefined : textsOf(batch, columns.mask, source);
  const { maxTokens } = tokenizer.spec;
  return targets.map((text, place) => {
    if (text === null) return null;
    const letters = tokensOf(text);
    const mask = masks && tokensOf(masks[place] ?? '');
    // A record without a sequence is left to the tokenizer, which refuses it.
    const sequence = sequences[place];
    const fault = sequence && faultOf(columns, [...sequence].length, letters, mask);
    if (fault) {
      reject(batch.rows[place], ...fault);
      return undefined;
    }
    const labels = letters.map((letter, i) => (MISSING.has(letter) || mask?.[i] === '0' ? null : letter));
    const present = (some: readonly (string | null)[]) => some.filter((label) => label !== null).length;
    onCropped(present(labels.slice(maxTokens)));
    const read = labels.slice(0, maxTokens);
    return present(read) > 0 ? read : null;
  });
}

/** One record of so many may have labels of another length, which make it bad, and the others labels of tokens still. */
const MATCHING = 10;

/**
 * Whether a text column looks like labels of tokens: as long as the sequence in nearly all of the first records, which are
 * not all of one length.
 */
export async function looksPerToken(
  source: DataSource,
  tokenizer: Tokenizer,
  target: string,
): Promise<boolean> {
  if (tokenizer.kind !== 'sequence') return false;
  const [sequence] = tokenizer.columns;
  const lengths = new Set<number>();
  let [matching, others] = [0, 0];
  const read = { columns: [sequence, target], verbatim: [sequence], few: true };
  for await (const { columns, texts: written } of source.read(read)) {
    const texts = columns[target];
    if (columns[sequence].type !== 'text' || texts.type !== 'text') return false;
    for (const [place, text] of texts.values.entries()) {
      const record = written?.[sequence][place] ?? null;
      if (text === null || record === null) continue;
      const length = [...record].length;
      if (tokensOf(text).length !== length) others++;
      else {
        matching++;
        lengths.add(length);
      }
    }
    if (lengths.size > 1 || others > 0) break;
  }
  return lengths.size > 1 && matching >= MATCHING * others;
}
