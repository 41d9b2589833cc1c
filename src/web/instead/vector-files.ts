/** Instead of `files/vector-files.ts`: embeddings in memory, or as NPY or CSV. */
import type { EmbeddedRecords } from '../../files/vector-files.js';
import * as files from '../../files/vector-files.js';
import { COLUMNS, keepColumns, noParquet } from '../columns.js';

export type { EmbeddedRecords } from '../../files/vector-files.js';

export function embeddingWriter(path: string): ReturnType<typeof files.embeddingWriter> {
  if (path !== COLUMNS) return noParquet(path, files.embeddingWriter);
  return async (_path, width, names, blocks) => {
    const parts: EmbeddedRecords[] = [];
    for await (const part of blocks) parts.push({ ...part, embeddings: part.embeddings.slice() });
    const count = parts.reduce((sum, { rows }) => sum + rows.length, 0);
    const rows = new Int32Array(count);
    const embeddings = new Float32Array(count * width);
    const texts: (string | null)[][] = names.map(() => []);
    let at = 0;
    for (const part of parts) {
      rows.set(part.rows, at);
      embeddings.set(part.embeddings, at * width);
      part.texts.forEach((cells, i) => {
        for (const cell of cells) texts[i].push(cell);
      });
      at += part.rows.length;
    }
    keepColumns({
      row: rows,
      ...Object.fromEntries(names.map((name, i) => [name, texts[i]])),
      embedding: embeddings,
    });
  };
}
