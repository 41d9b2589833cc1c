import type { DataSource, RecordBatch } from '../records/record-batch.js';

/** Cells of a file that is remembered, at most: tens of megabytes. */
const MOST_CELLS = 1 << 22;

const cellsOf = ({ columns }: RecordBatch): number =>
  Object.values(columns).reduce((total, { values }) => total + values.length, 0);

/**
 * The same source, which is parsed once for two reads of the same columns: the first remembers what it gave, as long
 * as that is little, and the next one takes it from there and forgets.
 */
export function rememberOnce(source: DataSource): DataSource {
  let remembered: { columns: string; batches: RecordBatch[] } | undefined;
  return {
    ...source,
    async *read(options = {}) {
      const columns = JSON.stringify(options.columns ?? null);
      if (remembered?.columns === columns) {
        const { batches } = remembered;
        remembered = undefined;
        yield* batches;
        return;
      }
      let batches: RecordBatch[] | undefined = [];
      let cells = 0;
      for await (const batch of source.read(options)) {
        cells += cellsOf(batch);
        if (cells > MOST_CELLS) batches = undefined;
        batches?.push(batch);
        yield batch;
      }
      // Only a read that came to the end is a whole file.
      remembered = batches && { columns, batches };
    },
  };
}
