/** A file as a verb reads it: by what its configuration says of files, and by the schema of a run. */
import type { ReadingOptions } from '../config/schema.js';
import { inAskedSmiles, inSpellingOf } from '../datasets/canonical-smiles.js';
import { InputError } from '../errors.js';
import type { OpenOptions } from '../records/open-bytes.js';
import type { DataSource } from '../records/record-batch.js';
import { openSource } from '../sources/open-source.js';
import { unchanged } from '../sources/unchanged.js';

/** Throws what `openSource` throws; its readings ChangedData where the files are changed meanwhile. */
export async function openData(
  path: string,
  {
    on_bad_record: onBadRecord,
    format,
    delimiter,
    quote,
    header,
    encoding,
    decimal,
    missing,
    canonical_smiles: asked,
  }: ReadingOptions,
  options: Pick<OpenOptions, 'schema' | 'report' | 'onBadRecord'> = {},
): Promise<DataSource> {
  const wishes = { format, delimiter, quote, header, encoding, decimal, missing };
  const source = await unchanged(await openSource(path, { ...wishes, onBadRecord, ...options }));
  const known = options.schema?.canonicalSmiles;
  if (asked !== undefined && known !== undefined && asked !== known) {
    throw new InputError(
      `canonical_smiles: the run reads the column "${known}" so, not "${asked}"; leave the key out`,
    );
  }
  return asked === undefined ? inSpellingOf(source, options.schema) : inAskedSmiles(source, asked);
}
