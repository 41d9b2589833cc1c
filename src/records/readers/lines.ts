/** One record per line: plain text, or SMILES files whose lines are `SMILES name …`. */
import type { ByteFile } from '../bytes/byte-file.js';
import { contentHead, isDamagedText, lineChunks } from '../bytes/bytes.js';
import { looksLikeTable } from '../cells/dialect.js';
import { type Reader, TextBatch } from '../reader.js';
import { firstLines, HEAD_BYTES } from './delimited.js';

/** What the first column of a SMILES file is called where its first line is a header; none of them is a molecule. */
const HEADER = /^(canonical_?|isomeric_?)?smiles?$|^(structure|molecule|mol)$/i;

/** Blank lines are not records. Of a SMILES file only the first word of a line is read, and a header is left out. */
export async function linesReader(file: ByteFile, { firstWord = false } = {}): Promise<Reader> {
  const isTable = !firstWord && (await looksLikeTable(firstLines(await contentHead(file, HEAD_BYTES))));
  return {
    ...(isTable && { notes: ['the lines look like a table; --format csv reads its columns'] }),
    columns: [{ name: 'text', type: 'text' }],
    async *read(_columns, reject) {
      const batch = new TextBatch(['text']);
      let row = 0;
      let headed = false;
      for await (const { firstLine, lines } of lineChunks(file)) {
        for (let i = 0; i < lines.length; i++) {
          const record = firstWord ? lines[i].trimStart().split(/\s/, 1)[0] : lines[i];
          if (record === '' || (!firstWord && record.trim() === '')) continue;
          if (firstWord && row === 0 && !headed && HEADER.test(record)) {
            headed = true;
            continue;
          }
          if (isDamagedText(record)) {
            reject({ path: file.name, row, line: firstLine + i, message: 'not valid UTF-8' });
          } else if (batch.add(row, record)) yield batch.flush()!;
          row++;
        }
      }
      const rest = batch.flush();
      if (rest) yield rest;
    },
  };
}
