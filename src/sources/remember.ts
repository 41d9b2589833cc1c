import type { BadRecord, DataSource, ReadOptions, RecordBatch } from '../records/record-batch.js';

/** Bytes of the files of a source that is remembered, at most. */
const MOST_BYTES = 32 << 20;

/** Cells of one, at most: tens of megabytes. */
const MOST_CELLS = 1 << 22;

const cellsOf = ({ columns }: RecordBatch): number =>
  Object.values(columns).reduce((total, { values }) => total + values.length, 0);

const selected = ({ rows, columns }: RecordBatch, names?: readonly string[]): RecordBatch =>
  names === undefined
    ? { rows, columns }
    : { rows, columns: Object.fromEntries(names.map((name) => [name, columns[name]])) };

/**
 * The same source, parsed once where it is small: the first reading of all its columns is kept, and every later one is
 * given from memory. A source with a bad record is read anew each time, since which records are bad depends on the
 * columns that are read.
 */
export function rememberSmall(source: DataSource): DataSource {
  if (source.bytes > MOST_BYTES) return source;
  let kept: readonly RecordBatch[] | undefined;

  /** Gives the batches of a first reading and keeps them; where its consumer stops, it reads on by itself. */
  async function* first(options: ReadOptions): AsyncGenerator<RecordBatch> {
    let batches: RecordBatch[] | undefined = [];
    let cells = 0;
    let watched = true;
    const reject = (bad: BadRecord): void => {
      batches = undefined;
      if (watched) source.reject(bad);
    };
    const reading = source.read({ ...options, few: false, reject });
    const next = async (): Promise<RecordBatch | undefined> => {
      const { value, done } = await reading.next();
      if (done) return undefined;
      cells += cellsOf(value);
      if (cells > MOST_CELLS) batches = undefined;
      batches?.push(value);
      return value;
    };
    try {
      for (let batch = await next(); batch; batch = await next()) yield batch;
    } catch (error) {
      batches = undefined;
      throw error;
    } finally {
      watched = false;
      while (batches && (await next()));
      kept = batches;
      await reading.return(undefined);
    }
  }

  return {
    ...source,
    async *read(options = {}) {
      const { columns, verbatim } = options;
      // What is kept has no cells in the file's own characters.
      if (verbatim?.length) yield* source.read(options);
      else if (kept) for (const batch of kept) yield selected(batch, columns);
      else if (columns === undefined) yield* first(options);
      else yield* source.read(options);
    },
  };
}
