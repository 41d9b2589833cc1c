/** FASTA: `>id description` lines, each followed by the lines of its sequence. */
import { InputError } from '../../errors.js';
import { quoteCell } from '../bad-records.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { isDamagedText, lineChunks } from '../bytes/bytes.js';
import { type Reader, TextBatch } from '../reader.js';
import type { ColumnInfo } from '../record-batch.js';

/**
 * Columns `id` (first word of the header), `description` (the rest of it, where the first megabyte has any) and
 * `sequence` (white space removed, case kept).
 */
export async function fastaReader(file: ByteFile): Promise<Reader> {
  const names = (await hasDescriptions(file)) ? ['id', 'description', 'sequence'] : ['id', 'sequence'];
  return {
    columns: names.map((name): ColumnInfo => ({ name, type: 'text' })),
    async *read(selected, reject) {
      const names = selected.map(({ name }) => name);
      const batch = new TextBatch(names);
      let row = -1;
      let headerLine = 0;
      let header = '';
      let parts: string[] = [];

      /** Adds the record that ends here; true when the batch is full. */
      const finish = (): boolean => {
        if (row < 0) return false;
        const sequence = parts.length === 1 ? parts[0] : parts.join('');
        parts = [];
        if (sequence === '' || isDamagedText(sequence) || isDamagedText(header)) {
          const message = sequence === '' ? `${quoteCell(header)} has no sequence` : 'not valid UTF-8';
          reject({ path: file.name, row, line: headerLine, message });
          return false;
        }
        const space = header.search(/\s/);
        const id = space < 0 ? header : header.slice(0, space);
        const description = space < 0 ? null : header.slice(space + 1).trim() || null;
        const cells: Record<string, string | null> = { id, description, sequence };
        return batch.add(row, ...names.map((name) => cells[name]));
      };

      for await (const { firstLine, lines } of lineChunks(file)) {
        for (let i = 0; i < lines.length; i++) {
          const line = lines[i];
          if (line.startsWith('>')) {
            if (finish()) yield batch.flush()!;
            row++;
            header = line.slice(1).trim();
            headerLine = firstLine + i;
          } else if (line !== '' && !line.startsWith(';')) {
            const residues = /\s/.test(line) ? line.replace(/\s+/g, '') : line;
            if (residues === '') continue;
            if (row < 0) {
              throw new InputError(
                `${file.name}: line ${firstLine + i}: expected a header ">id" before the first sequence, got ${quoteCell(line)}`,
              );
            }
            parts.push(residues);
          }
        }
      }
      finish();
      const rest = batch.flush();
      if (rest) yield rest;
    },
  };
}

async function hasDescriptions(file: ByteFile): Promise<boolean> {
  for await (const { lines } of lineChunks(file)) return lines.some((line) => /^>\s*\S+\s+\S/.test(line));
  return false;
}
