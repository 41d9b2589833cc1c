/** From a folder to the images or sounds in it: which files they are, and what their folders say of them. */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../errors.js';
import { type FormatName, formatNamed } from '../records/formats.js';
import { PARTS, type Part, partNamed } from '../records/split.js';
import { AUDIO_ENDINGS } from './audio.js';
import { readError } from './disk-file.js';
import { IMAGE_ENDINGS } from './image-shape.js';

/** What a folder holds. */
export type MediaFormat = 'images' | 'audio';

/** A file that is one record. */
export interface MediaFile {
  /** From the folder on, with `/` between folders. */
  readonly path: string;
  readonly part?: Part;
  /** The folder that stands for its class. */
  readonly label?: string;
}

/** The images or sounds of a folder. */
export interface MediaFolder {
  readonly folder: string;
  readonly format: MediaFormat;
  /** By part, then by path. */
  readonly files: readonly MediaFile[];
  /** The one table beside them. */
  readonly table?: string;
}

const endings: Readonly<Record<MediaFormat, readonly string[]>> = {
  images: IMAGE_ENDINGS,
  audio: AUDIO_ENDINGS,
};
const TABLES: ReadonlySet<FormatName> = new Set<FormatName>(['csv', 'tsv', 'jsonl', 'json', 'parquet']);
/** Folders are looked into so deep. */
const MOST_DEPTH = 6;

const isMedia = (format: FormatName | undefined): format is MediaFormat =>
  format === 'images' || format === 'audio';

/**
 * The images or sounds of a folder and of the folders in it; hidden ones are passed over. Undefined where there are none,
 * where another format is asked for, and where other data files or several tables lie in the folder. Throws InputError for
 * a folder with both, and for one without any where they are asked for.
 */
export async function findMedia(folder: string, asked?: FormatName): Promise<MediaFolder | undefined> {
  if (asked !== undefined && !isMedia(asked)) return undefined;
  const top = await readdir(folder).catch((error: unknown) => {
    throw readError(folder, error);
  });
  const data = top
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => {
      const format = formatNamed(name);
      return format && format !== 'lines' ? [{ name, format }] : [];
    });
  const [table] = data;
  const other = data.length > 1 || (table !== undefined && !TABLES.has(table.format));
  if (other && asked === undefined) return undefined;
  const found: Record<MediaFormat, string[]> = { images: [], audio: [] };
  await walk(folder, '', MOST_DEPTH, found);
  const formats = (Object.keys(found) as MediaFormat[]).filter((format) => found[format].length > 0);
  const format = asked ?? formats[0];
  if (asked === undefined && formats.length > 1) {
    throw new InputError(
      `${folder}: ${found.images.length} images and ${found.audio.length} sounds; choose with --format images or --format audio`,
    );
  }
  if (format === undefined) return undefined;
  if (found[format].length === 0) {
    const expected = endings[format].map((ending) => `.${ending}`).join(', ');
    throw new InputError(`${folder}: no ${format} in this folder; expected files ending in ${expected}`);
  }
  // One picture beside a table is a figure, not a data set.
  if (asked === undefined && table && found[format].length === 1) return undefined;
  return {
    folder,
    format,
    files: described(found[format]),
    table: other ? undefined : table?.name,
  };
}

async function walk(
  root: string,
  inside: string,
  depth: number,
  found: Record<MediaFormat, string[]>,
): Promise<void> {
  const entries: Dirent[] = await readdir(join(root, inside), { withFileTypes: true }).catch(
    (error: unknown) => {
      throw readError(join(root, inside), error);
    },
  );
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const path = inside === '' ? entry.name : `${inside}/${entry.name}`;
    if (entry.isDirectory()) {
      if (depth > 0) await walk(root, path, depth - 1, found);
      continue;
    }
    const ending = /\.([^.]+)$/.exec(entry.name)?.[1].toLowerCase() ?? '';
    const format = (Object.keys(endings) as MediaFormat[]).find((name) => endings[name].includes(ending));
    if (format === undefined) continue;
    // A link may lead to a folder, or nowhere.
    if (
      entry.isSymbolicLink() &&
      !(await stat(join(root, path)).then(
        (info) => info.isFile(),
        () => false,
      ))
    )
      continue;
    found[format].push(path);
  }
}

/** What the folders of the files say, after those that all of them lie in. */
function described(paths: readonly string[]): MediaFile[] {
  const folders = paths.map((path) => path.split('/').slice(0, -1));
  let common = 0;
  while (folders.every((names) => names.length > common && names[common] === folders[0][common])) common++;
  const top = folders.map((names) => names[common]);
  const parts = top.map((name) => (name === undefined ? undefined : partNamed(name)));
  const inParts =
    parts.every((part) => part !== undefined) && parts.includes('train') && new Set(parts).size > 1;
  const labels = folders.map((names) => names[common + (inParts ? 1 : 0)]);
  const labelled = new Set(labels.filter((label) => label !== undefined)).size > 1;
  const files = paths.map(
    (path, i): MediaFile => ({
      path,
      ...(inParts && { part: parts[i] }),
      ...(labelled && labels[i] !== undefined && { label: labels[i] }),
    }),
  );
  const order = ({ part }: MediaFile) => (part ? PARTS.indexOf(part) : 0);
  return files.sort((a, b) => order(a) - order(b) || (a.path < b.path ? -1 : 1));
}
