/** From a path to the files that it means: one file, or those that hold the official parts of one data set. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError, listed } from '../errors.js';
import { withoutCompression } from '../records/bytes/compression.js';
import { type FormatName, formatNamed } from '../records/formats.js';
import { PARTS, type Part, partNamed } from '../records/split.js';
import { readError } from './disk-file.js';
import { lmdbDataFile } from './lmdb-file.js';

/** A file, and the part its name tells, where there are others of the same data set. */
export interface DataFile {
  readonly path: string;
  readonly part?: Part;
}

/** The files that a path means, known before any of them is opened; none for standard input. */
export async function inputFiles(path: string, format?: FormatName): Promise<string[]> {
  if (path === '-') return [];
  // Of a folder of images, and of what cannot be opened, the path itself.
  const found = await findDataFiles(path, format).catch(() => [{ path }]);
  const isFolder = (file: string) =>
    stat(file).then(
      (info) => info.isDirectory(),
      () => false,
    );
  return Promise.all(
    found.map(async ({ path: file }) => ((await isFolder(file)) && lmdbDataFile(file)) || file),
  );
}

interface NamedFile {
  readonly name: string;
  readonly format: FormatName;
  /** What stands before the part in its name: `GunPoint` in `GunPoint_TRAIN.ts`, nothing in `train-images-idx3-ubyte`. */
  readonly problem: string;
  readonly part?: Part;
}

/** Data sets in parts have one for training and at least one other. */
interface DataSet {
  readonly problem: string;
  readonly files: readonly NamedFile[];
}

/**
 * The files of a path, in the order in which they are read:
 *
 * - a file, or the folder of an LMDB database: that one;
 * - a folder with the files of one data set in parts, such as `train-images-idx3-ubyte` and `t10k-images-idx3-ubyte`, or
 *   `X_TRAIN.ts` and `X_TEST.ts`: those for training, then for validation, then for the test, each by name;
 * - a folder with a single data file: that one;
 * - `folder/X`, where there is none but `folder/X_TRAIN.ts` and `folder/X_TEST.ts`: those two.
 *
 * With `format` only files with its endings count. Throws InputError when there is no such file or folder, or when several
 * data sets lie in a folder.
 */
export async function findDataFiles(path: string, format?: FormatName): Promise<readonly DataFile[]> {
  const info = await stat(path).catch((error: unknown) => readError(path, error));
  if (!(info instanceof Error) && (!info.isDirectory() || lmdbDataFile(path))) return [{ path }];
  const folder = info instanceof Error ? dirname(path) : path;
  const names = await readdir(folder).catch((error: unknown) => {
    throw info instanceof Error ? info : readError(path, error);
  });
  const files = dataFilesIn(names, format);
  const sets = dataSetsOf(files);
  if (info instanceof Error) {
    const named = sets.filter(({ problem }) => problem === basename(path));
    if (named.length === 0) throw info;
    return inOrder(folder, onlySet(path, named));
  }
  if (sets.length > 0) {
    const set = onlySet(path, sets);
    const others = files.filter((file) => !set.files.includes(file));
    if (others.length === 0) return inOrder(folder, set);
    throw new InputError(
      `${path}: ${listedFiles(set.files)} are the parts of one data set, and beside them lies ${listedFiles(others)}; move that away, or give one file`,
    );
  }
  if (files.length === 1) return [{ path: join(folder, files[0].name) }];
  throw new InputError(
    files.length === 0
      ? `${path}: a folder without data files${format ? ` of the format ${format}` : ''}; give a data file`
      : `${path}: several data files (${listedFiles(files)}); give one of them, or name the parts of one data set as in data_train.csv and data_test.csv`,
  );
}

function onlySet(path: string, [set, ...others]: readonly DataSet[]): DataSet {
  if (others.length === 0) return set;
  const problems = [...new Set([set, ...others].map(({ problem }) => problem))].sort();
  if (problems.length === 1) {
    const formats = [set, ...others].map(({ files }) => files[0].format);
    throw new InputError(
      `${path}: the same data set in several formats (${formats.join(', ')}); choose with --format`,
    );
  }
  const [suggested] = problems.filter((problem) => problem !== '');
  throw new InputError(
    `${path}: ${problems.length} data sets (${listed(problems.map((problem) => problem || 'one without a name'))}); give one of them, such as ${join(path, suggested)}`,
  );
}

const listedFiles = (files: readonly NamedFile[]): string => listed(files.map(({ name }) => name));

/** What may be data by its name. Labels of images come with their images; plain text beside other data is a note. */
function dataFilesIn(names: readonly string[], wanted?: FormatName): NamedFile[] {
  const files = [...names]
    .sort()
    .filter((name) => !name.startsWith('.') && !/idx1(-ubyte)?$/.test(withoutCompression(name)))
    .flatMap((name) => {
      const format = formatNamed(name);
      return format === undefined || (wanted && format !== wanted)
        ? []
        : [{ name, format, ...partOfName(name) }];
    });
  const data = files.filter(({ format }) => format !== 'lines');
  return data.length > 0 ? data : files;
}

/** The part that one word of a file's name tells, and what stands before it. */
function partOfName(name: string): Pick<NamedFile, 'problem' | 'part'> {
  for (const { 0: word, index } of name.matchAll(/[A-Za-z0-9]+/g)) {
    // t10k is the test part of MNIST; the number of records may stand behind the part, as in train10k.
    const part = /^t\d+k$/i.test(word) ? 'test' : partNamed(word.replace(/\d+k?$/, ''));
    if (part) return { part, problem: name.slice(0, index).replace(/[^A-Za-z0-9]+$/, '') };
  }
  return { problem: name };
}

function dataSetsOf(files: readonly NamedFile[]): DataSet[] {
  const sets = new Map<string, NamedFile[]>();
  for (const file of files) {
    const key = `${file.format} ${file.problem}`;
    if (file.part) sets.set(key, [...(sets.get(key) ?? []), file]);
  }
  return [...sets.values()]
    .filter((set) => {
      const parts = new Set(set.map(({ part }) => part));
      return parts.has('train') && parts.size > 1;
    })
    .map((files) => ({ problem: files[0].problem, files }));
}

function inOrder(folder: string, { files }: DataSet): DataFile[] {
  for (const { name } of files) {
    const same = files.filter((other) => withoutCompression(other.name) === withoutCompression(name));
    if (same.length === 1) continue;
    throw new InputError(`${folder}: both ${same[0].name} and ${same[1].name}; keep one of them`);
  }
  return PARTS.flatMap((part) =>
    files.filter((file) => file.part === part).map(({ name }) => ({ path: join(folder, name), part })),
  );
}
