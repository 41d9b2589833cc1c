/** The tokens of a few records in words. */
import { describeTime } from '../records/cells/cell-format.js';
import type { DataSource, RecordBatch } from '../records/record-batch.js';
import { selectRecords } from '../records/select-records.js';
import { MISSING_ID } from '../records/token-block.js';
import type { Tokenizer } from '../tokenizers/index.js';

const SHOWN_RECORDS = 3;
/** Tokens of a record, the letters of a column counted once. */
const SHOWN_TOKENS = 24;

/** The tokens of the first records of a batch, such as `x = 0.5`, `colour = red`, `name = "Ada"`. */
export function shownTokens(
  batch: RecordBatch | undefined,
  source: Pick<DataSource, 'columns'>,
  tokenizer: Tokenizer,
): string[][] {
  if (batch === undefined) return [];
  const formats = new Map(source.columns.map(({ name, format }) => [name, format]));
  const { spec } = tokenizer;
  const channels = spec.kind === 'continuous' ? spec.channels : 1;
  const some = Array.from({ length: Math.min(SHOWN_RECORDS, batch.rows.length) }, (_, place) => place);
  const { count, offsets, ids, values } = tokenizer.encode(selectRecords(batch, some));
  const describe = (position: number, token: number): string => {
    const label = tokenizer.tokenLabel(position, ids?.[token]);
    const category = spec.kind === 'fields' && spec.fields[position].type !== 'numeric';
    if (!values || category || (spec.kind === 'fields' && ids?.[token] === MISSING_ID)) return label;
    const { value, error } = decoded(tokenizer, position, values[token * channels]);
    const format = formats.get(label);
    // Tokens are float32, and so are seconds over years.
    const step = error > 0.5 ? 60 : 1;
    const shown =
      format?.kind === 'date'
        ? describeTime(Math.round(value / step) * step, format.holds)
        : String(Number(value.toPrecision(6)));
    return `${label} = ${shown}${channels > 1 ? ' …' : ''}`;
  };
  return Array.from({ length: count }, (_, record) => {
    const length = offsets[record + 1] - offsets[record];
    const words = Array.from({ length }, (_, position) => describe(position, offsets[record] + position));
    const joined = joinLetters(words);
    return joined.length > SHOWN_TOKENS ? [...joined.slice(0, SHOWN_TOKENS), '…'] : joined;
  });
}

/** The value in the data's own units, and how far rounding may have moved it; what rounding leaves of 0 is 0. */
function decoded({ decode }: Tokenizer, position: number, value: number): { value: number; error: number } {
  if (!decode) return { value, error: 0 };
  const [own, zero, one] = [value, 0, 1].map((standardised) => decode(position, 0, standardised));
  const error = 1e-7 * Math.abs(one - zero) * Math.max(1, Math.abs(value));
  return { value: Math.abs(own) < 10 * error ? 0 : own, error };
}

/** The letters of a table's column as one text. */
function joinLetters(words: readonly string[]): string[] {
  const joined: { text: string; column?: string; letters: string }[] = [];
  for (const text of words) {
    const [, column, letter] = /^(.+): letter \d+(?: = (.+)| missing)$/s.exec(text) ?? [];
    const last = joined.at(-1);
    const own =
      letter === undefined || letter === 'end of text' ? '' : [...letter].length === 1 ? letter : '�';
    if (column !== undefined && last?.column === column) last.letters += own;
    else joined.push({ text, column, letters: own });
  }
  return joined.map(({ text, column, letters }) => {
    if (column === undefined) return text;
    return letters === '' ? `${column} missing` : `${column} = ${JSON.stringify(letters)}`;
  });
}
