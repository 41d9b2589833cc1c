/** A file as a verb reads it with a model: its records as tokens, with the cells that are written beside. */
import { parseReading } from '../config/parse.js';
import type { ReadingOptions } from '../config/schema.js';
import { checkSpelled } from '../datasets/canonical-smiles.js';
import { EncodingLosses } from '../datasets/encoding-losses.js';
import { type KeptColumn, keptCells, keptColumns } from '../datasets/kept-columns.js';
import { RejectedRecords, tokenRejecter } from '../datasets/rejected-records.js';
import { checkTokenizerColumns } from '../datasets/token-stream.js';
import { InputError } from '../errors.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import type { Hooks } from '../learning/progress-event.js';
import { type EncodedRecords, encodedRecords } from '../models/encoded-records.js';
import type { OpenModel } from '../models/open-model.js';
import type { DataSource } from '../records/record-batch.js';
import { openData } from './open-data.js';
import { type Shard, takeShard } from './shard.js';

/** How a file is read, and what is written of it. */
export interface OpenRecordsOptions {
  readonly config?: ReadingOptions;
  /** The file that is written, which must be none of those that are read. */
  readonly out: string;
  /** Columns that are written beside; see `keptColumns`. */
  readonly keep?: readonly string[];
  /** Whether the output has a column of this name of its own. */
  readonly isOwn?: (name: string) => boolean;
  /** Only a part of the records is given; all are counted. */
  readonly shard?: Shard;
}

/** Consecutive records of a file, with the cells of the kept columns, column by column. */
export interface ReadRecords extends EncodedRecords {
  readonly cells: readonly (readonly (string | null)[])[];
}

export interface OpenRecords {
  readonly source: DataSource;
  readonly kept: readonly KeptColumn[];
  /** The records that can be read, batch by batch; `beside` are further columns to read. Throws InputError where there is none. */
  read(beside?: readonly string[]): AsyncGenerator<ReadRecords>;
  /** Says what was left out and what was unknown, which is `done` nevertheless, and counts them. */
  finish(
    done: string,
    hooks: Pick<Hooks, 'onEvent'>,
  ): { readonly rejected: number; readonly unknown: number };
}

/** Finishes several files, those that are there, and counts them together. */
export function finishAll(
  files: readonly (OpenRecords | undefined)[],
  done: string,
  hooks: Pick<Hooks, 'onEvent'>,
): ReturnType<OpenRecords['finish']> {
  let [rejected, unknown] = [0, 0];
  for (const file of files) {
    const counted = file?.finish(done, hooks);
    rejected += counted?.rejected ?? 0;
    unknown += counted?.unknown ?? 0;
  }
  return { rejected, unknown };
}

/** Throws InputError for a file that the model cannot read, that would be overwritten, or without a column that is kept, and for a wrong `config`. */
export async function openRecords(
  path: string,
  { tokenizer, schema }: Pick<OpenModel, 'tokenizer' | 'schema'>,
  { config: asked = {}, out, keep = [], isOwn = () => false, shard }: OpenRecordsOptions,
): Promise<OpenRecords> {
  const config = parseReading(asked, 'config');
  const rejected = new RejectedRecords();
  const onBadRecord = config.on_bad_record ?? 'auto';
  const source = await openData(path, config, { schema, report: rejected.report });
  checkTokenizerColumns(source, tokenizer);
  if (config.canonical_smiles !== undefined) checkSpelled(tokenizer, config.canonical_smiles);
  await refuseOverwrite(source.files, out);
  const reject = tokenRejecter(source, onBadRecord, rejected);
  const losses = new EncodingLosses(path, config.on_unknown, onBadRecord);
  const kept = keptColumns(source, keep, isOwn);
  return {
    source,
    kept,
    async *read(beside = []) {
      const { encoding } = losses;
      const verbatim = kept.map(({ column }) => column);
      let count = 0;
      for await (const records of encodedRecords(tokenizer, source, { verbatim, beside, reject, encoding })) {
        count += records.block.count;
        const own = takeShard(records, shard);
        if (own.block.count > 0) yield { ...own, cells: keptCells(own.batch, kept, own.places) };
      }
      if (count === 0)
        throw new InputError(`${path}: no record could be read; ${rejected.summary() ?? 'it has none'}`);
    },
    finish(done, { onEvent = () => {} }) {
      const refused = config.canonical_smiles === undefined ? [] : (source.notes ?? []);
      for (const message of [
        ...refused,
        ...(source.found?.() ?? []),
        rejected.summary(),
        ...losses.summaries(done),
      ])
        if (message) onEvent({ type: 'warning', message });
      return { rejected: rejected.count, unknown: losses.unknown };
    },
  };
}
