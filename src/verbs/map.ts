/** The verb `map`: the records of a file on a plane, as one page. */
import { basename } from 'node:path';
import { InputError } from '../errors.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import type { Hooks } from '../learning/progress-event.js';
import { mapPage } from '../report/map-page.js';
import { ownFiles } from '../runs/folder.js';
import { inputFiles } from '../sources/data-files.js';
import { type MappedRecordsOptions, mappedRecords } from './mapped-records.js';

/** What `map` is given. */
export interface MapOptions extends MappedRecordsOptions {
  /** The page to write, .html. */
  readonly out: string;
}

/** What `map` wrote. */
export interface MapSummary {
  readonly file: string;
  readonly rows: number;
  readonly rejected: number;
  /** Records with a letter or category that the run was not trained on. */
  readonly unknown: number;
}

/** Throws InputError for a model without an encoder, and for fewer than three records. */
export async function map(options: MapOptions, hooks: Hooks = {}): Promise<MapSummary> {
  const { out, data, run, colour } = options;
  if (!/\.html?$/i.test(out))
    throw new InputError(`${out}: the page is HTML; name a file that ends in .html`);
  await refuseOverwrite(await inputFiles(data, options.config?.format), out);
  await refuseOverwrite(await ownFiles(run), out);
  const { rejected, unknown, ...records } = await mappedRecords(options, out, hooks);
  const text = mapPage({
    title: `${basename(data)} as ${basename(run)} sees it`,
    intro: 'Records that the encoder finds alike lie beside each other. Distances across the map say little.',
    ...records,
    colour,
  });
  await writeFileAtomically(out, [new TextEncoder().encode(text)]);
  return { file: out, rows: records.rows.length, rejected, unknown };
}
