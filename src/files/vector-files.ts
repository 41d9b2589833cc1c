/** Embeddings as a file that other tools open: Parquet, NPY or CSV. Written block by block, and whole or not at all. */

import { InputError } from '../errors.js';
import { encodeNpy } from '../tensor/npy.js';
import { writeFileAtomically } from './atomic-file.js';
import { safeCsvCell } from './csv-cell.js';
import { float32Digits } from './float32-digits.js';

/** Consecutive records of a file with their embeddings. */
export interface EmbeddedRecords {
  /** int32[n]: rows of the file they come from, counted from 0. */
  readonly rows: Int32Array;
  /** The cells of each text column that is written beside the embeddings, such as an id. */
  readonly texts: readonly (readonly (string | null)[])[];
  /** float32[n, width] */
  readonly embeddings: Float32Array;
}

/** `names` are those of the text columns. */
type Write = (
  path: string,
  width: number,
  names: readonly string[],
  blocks: AsyncIterable<EmbeddedRecords>,
) => Promise<void>;

/** `row`, the text columns, and `embedding_0` …; as many digits as tell one float32 from the next. */
const writeCsv: Write = async (path, width, names, blocks) => {
  async function* chunks() {
    const encoder = new TextEncoder();
    const dimensions = Array.from({ length: width }, (_, i) => `embedding_${i}`);
    yield encoder.encode(`${['row', ...names.map(safeCsvCell), ...dimensions].join(',')}\n`);
    for await (const { rows, texts, embeddings } of blocks) {
      let text = '';
      for (let i = 0; i < rows.length; i++) {
        text += rows[i];
        for (const cells of texts) text += `,${safeCsvCell(cells[i])}`;
        for (let j = i * width; j < (i + 1) * width; j++) text += `,${float32Digits(embeddings[j])}`;
        text += '\n';
      }
      yield encoder.encode(text);
    }
  }
  await writeFileAtomically(path, chunks());
};

/** float32[records, width]; the format has no place for rows and texts. */
const writeNpy: Write = async (path, width, _names, blocks) => {
  async function* matrices() {
    for await (const { embeddings } of blocks) yield embeddings;
  }
  const { chunks, header } = encodeNpy(width, matrices());
  await writeFileAtomically(path, chunks, { header });
};

/** `row`, the text columns, and `embedding`, a list of `width` floats. */
const writeParquet: Write = async (path, width, names, blocks) => {
  const { VECTOR_ROWS, writeStagedParquet } = await import('./staged-parquet.js');
  const { array_vector_get_child, copy_data_to_vector, data_chunk_get_vector } = (
    await import('@duckdb/node-bindings')
  ).default;
  const columns = [
    { name: 'row', type: 'INTEGER' as const },
    ...names.map((name) => ({ name, type: 'VARCHAR' as const })),
    { name: 'embedding', type: { embedding: width } },
  ];
  await writeStagedParquet(path, columns, async (append) => {
    for await (const { rows, texts, embeddings } of blocks) {
      const { buffer, byteOffset, BYTES_PER_ELEMENT } = embeddings;
      const rowBytes = width * BYTES_PER_ELEMENT;
      for (let start = 0; start < rows.length; start += VECTOR_ROWS) {
        const end = Math.min(start + VECTOR_ROWS, rows.length);
        append(end - start, (chunk) => {
          chunk.setColumnValues(0, Array.from(rows.subarray(start, end)));
          texts.forEach((cells, i) => {
            chunk.setColumnValues(1 + i, cells.slice(start, end));
          });
          // One copy for the whole block: the values of an array column lie one after the other.
          const values = array_vector_get_child(data_chunk_get_vector(chunk.chunk, 1 + names.length));
          const from = byteOffset + start * rowBytes;
          copy_data_to_vector(values, 0, buffer as ArrayBuffer, from, (end - start) * rowBytes);
        });
      }
    }
  });
};

const writers = { parquet: writeParquet, npy: writeNpy, csv: writeCsv } as const satisfies Record<
  string,
  Write
>;

/** The writer of the format that a path's extension names. Throws InputError for any other. */
export function embeddingWriter(path: string): Write {
  const extension = /\.([^./\\]+)$/.exec(path)?.[1].toLowerCase() ?? '';
  if (Object.hasOwn(writers, extension)) return writers[extension as keyof typeof writers];
  const known = Object.keys(writers).map((name) => `.${name}`);
  throw new InputError(
    `${path}: expected a file named ${known.slice(0, -1).join(', ')} or ${known.at(-1)} to write embeddings to`,
  );
}
