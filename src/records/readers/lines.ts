/** One record per line: plain text, or SMILES files whose lines are `SMILES name …`. */
import { InputError } from '../../errors.js';
import { quoteCell } from '../bad-records.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { contentHead, endsInCr, isDamagedText, lineChunks } from '../bytes/bytes.js';
import { looksLikeTable } from '../cells/dialect.js';
import { type Reader, TextBatch } from '../reader.js';
import { firstLines, HEAD_BYTES } from './delimited.js';

/** What the first column of a SMILES file is called where its first line is a header; none of them is a molecule. */
const HEADER = /^[\w-]*smile[\w-]*$|^(structure|molecule|mol)$/i;

/** Atoms, bonds, branches, rings and brackets of any content, an atom or the arrow of a reaction first. */
const SMILES =
  /^(?=[[A-Za-z*>])(?:\[(?:[^[\]]|\[[^[\]]*\])+\]|Br|Cl|[BCNOPSFIHbcnops*]|[-=#$:/\\.~<>()@!]|\d|%\d\d|%\(\d+\))+$/;

const CR_ALONE =
  'a carriage return alone ends lines here, and others end otherwise; save the file with one kind of line end';

/** Blank lines are not records. Of a SMILES file only the first word of a line is read; a header and comments are left out. */
export async function linesReader(file: ByteFile, { firstWord = false } = {}): Promise<Reader> {
  const head = await contentHead(file, HEAD_BYTES);
  const lines = firstLines(endsInCr(head) ? head.map((byte) => (byte === 13 ? 10 : byte)) : head);
  const note = firstWord
    ? describeOthers(file.name, lines)
    : (await looksLikeTable(lines)) && 'the lines look like a table; --format csv reads its columns';
  return {
    ...(note && { notes: [note] }),
    columns: [{ name: 'text', type: 'text' }],
    async *read(_columns, reject) {
      const batch = new TextBatch(['text']);
      let row = 0;
      let headed = false;
      for await (const { firstLine, lines } of lineChunks(file)) {
        for (let i = 0; i < lines.length; i++) {
          const record = firstWord ? moleculeOf(lines[i]) : lines[i];
          if (record === '' || (!firstWord && record.trim() === '')) continue;
          if (firstWord && row === 0 && !headed && HEADER.test(record)) {
            headed = true;
            continue;
          }
          const fault = isDamagedText(record)
            ? 'not valid UTF-8'
            : firstWord && lines[i].includes('\r')
              ? CR_ALONE
              : undefined;
          if (fault) reject({ path: file.name, row, line: firstLine + i, message: fault });
          else if (batch.add(row, record)) yield batch.flush()!;
          row++;
        }
      }
      const rest = batch.flush();
      if (rest) yield rest;
    },
  };
}

/** The first word of a line; nothing of a comment, as no molecule begins with `#`. */
function moleculeOf(line: string): string {
  const word = line.trimStart().split(/\s/, 1)[0];
  return word.startsWith('#') ? '' : word;
}

/**
 * What is said of the lines of a SMILES file that do not begin with SMILES. Throws InputError where most of them do not, or
 * the first line names another column for it: the molecules are then in another place.
 */
function describeOthers(path: string, lines: readonly string[]): string | undefined {
  const words = lines
    .map((line, i) => ({ line: i + 1, word: moleculeOf(line) }))
    .filter(({ word }) => word !== '' && !isDamagedText(word));
  if (words.length === 0) return undefined;
  const [first] = words;
  const table = lines.some((line) => line.includes('\t'))
    ? 'tsv'
    : words.some(({ word }) => /[,;"]/.test(word))
      ? 'csv'
      : 'csv --delimiter space';
  const advice = `--format ${table} reads columns, --format lines whole lines`;
  const isHeader = HEADER.test(first.word);
  const named = lines[first.line - 1].split(/\s+/).find((word) => HEADER.test(word));
  if (!isHeader && named !== undefined && !SMILES.test(first.word)) {
    throw new InputError(
      `${path}: line ${first.line}: expected SMILES as the first word of each line, got a header with ${quoteCell(first.word)} before ${quoteCell(named)}; ${advice}`,
    );
  }
  const records = isHeader ? words.slice(1) : words;
  const others = records.filter(({ word }) => !SMILES.test(word));
  if (others.length === 0) return undefined;
  const told = `${others.length} of ${records.length} lines do not begin with SMILES, such as line ${others[0].line}, ${quoteCell(others[0].word)}`;
  if (2 * others.length > records.length) throw new InputError(`${path}: ${told}; ${advice}`);
  return `${told}; they are read all the same; ${advice}`;
}
