/** The records that a model in memory compares others with, read when they are first asked for. */
import { inSpellingOf } from '../datasets/canonical-smiles.js';
import { idColumnOf } from '../datasets/partition.js';
import { RejectedRecords, tokenRejecter } from '../datasets/rejected-records.js';
import { checkTokenizerColumns } from '../datasets/token-stream.js';
import { InputError } from '../errors.js';
import type { MemoryRecord } from '../records/memory-records.js';
import { type DataSource, isCellType } from '../records/record-batch.js';
import type { Run } from '../runs/folder.js';
import type { AnomalyDetector } from './anomaly-detector.js';
import { encodedRecords, memoryOf } from './encoded-records.js';
import type { NeighborPool } from './neighbor-pool.js';
import { drawnSplit, normalRecords, ownSplit } from './normal-records.js';
import { encoderOf, type OpenModel } from './open-model.js';

/** How a run's own file is written, as far as the run was told. */
function ownReading({ data }: Run['config']) {
  const { format, delimiter, quote, header, encoding, decimal, missing } = data;
  return { format, delimiter, quote, header, encoding, decimal, missing };
}

/** A pool whose records are known by their place. */
export interface SearchedPool extends Pick<NeighborPool, 'search'> {
  readonly rows: readonly number[];
  readonly cells: readonly Readonly<Record<string, string | null>>[];
}

type Warn = (message: string) => void;

/** Each part is made once; after a failure the next call tries again. `release` frees what there is. */
export class ModelPool {
  private searched: Promise<SearchedPool & Pick<NeighborPool, 'release'>> | undefined;
  private fitted: Promise<AnomalyDetector> | undefined;

  constructor(
    private readonly model: OpenModel,
    private readonly given: string | readonly MemoryRecord[] | undefined,
  ) {}

  /** `warn` is told of records that are left out. Throws InputError where the pool cannot be read or the model has no encoder. */
  neighbors(warn?: Warn): Promise<SearchedPool> {
    this.searched ??= this.embed(warn).catch((error) => {
      this.searched = undefined;
      throw error;
    });
    return this.searched;
  }

  /** Throws InputError as `neighbors` does, and for too few records. */
  detector(warn?: Warn): Promise<AnomalyDetector> {
    this.fitted ??= this.fit(warn).catch((error) => {
      this.fitted = undefined;
      throw error;
    });
    return this.fitted;
  }

  async release(): Promise<void> {
    await (await this.searched?.catch(() => undefined))?.release();
    await (await this.fitted?.catch(() => undefined))?.release();
  }

  /** The records, and what becomes of one that cannot be read: of a file it is left out and counted, as in training. */
  private async open(warn?: Warn) {
    encoderOf(this.model);
    const { tokenizer, schema, run, folder } = this.model;
    const { given } = this;
    const rejected = new RejectedRecords();
    const fromFile = given === undefined || typeof given === 'string';
    // A model that is not asked for it waits for none of the readers and libraries.
    const { openSource } = await import('../sources/open-source.js');
    const opened: DataSource = await (fromFile
      ? openSource(given ?? run!.config.data.path, {
          schema,
          // The run's own file is read as the run read it.
          ...(given === undefined && ownReading(run!.config)),
          onBadRecord: given === undefined ? 'skip' : 'auto',
          report: rejected.report,
        }).catch((error: unknown) => {
          if (given !== undefined || !(error instanceof InputError)) throw error;
          const message = `${error.message}; it is the file that ${folder} learned from: give other records as the pool`;
          throw new InputError(message, { cause: error });
        })
      : memoryOf(this.model, given));
    const source = await inSpellingOf(opened, schema);
    checkTokenizerColumns(source, tokenizer);
    const reject = tokenRejecter(source, fromFile ? 'skip' : 'fail', rejected);
    const finish = () => {
      const left = rejected.summary();
      if (left) warn?.(`${source.path}: ${left}`);
    };
    return { source, reject, finish };
  }

  private async embed(warn?: Warn) {
    const { model } = this;
    const encoder = encoderOf(model);
    const { source, reject, finish } = await this.open(warn);
    const id = idColumnOf(source);
    const verbatim = source.columns
      .filter(({ name, type }) => isCellType(type) && (name === id || model.tokenizer.columns.includes(name)))
      .map(({ name }) => name);
    const rows: number[] = [];
    const cells: Record<string, string | null>[] = [];
    const parts: Float32Array[] = [];
    for await (const { batch, block, places } of encodedRecords(model.tokenizer, source, {
      verbatim,
      reject,
    })) {
      parts.push(await encoder.embed(block));
      for (const [record, place] of places.entries()) {
        rows.push(block.rows[record]);
        cells.push(Object.fromEntries(verbatim.map((name) => [name, batch.texts?.[name]?.[place] ?? null])));
      }
    }
    if (rows.length === 0) throw new InputError(`${source.path}: no record of the pool could be read`);
    finish();
    const embeddings = new Float32Array(rows.length * encoder.width);
    parts.reduce((at, part) => {
      embeddings.set(part, at);
      return at + part.length;
    }, 0);
    const { neighborPool } = await import('./neighbor-pool.js');
    const { search, release } = await neighborPool(embeddings, encoder.width, { engine: model.engine });
    return { rows, cells, search, release };
  }

  private async fit(warn?: Warn): Promise<AnomalyDetector> {
    const { model } = this;
    const { AnomalyDetector } = await import('./anomaly-detector.js');
    const { source, reject, finish } = await this.open(warn);
    const rule = this.given === undefined ? ownSplit(model) : drawnSplit(model);
    const read = (beside: readonly string[]) => encodedRecords(model.tokenizer, source, { beside, reject });
    const normal = await normalRecords(source, rule, read);
    finish();
    return AnomalyDetector.fit(model, normal);
  }
}
