/** Which format a file has, by its name and its first bytes, which must not contradict each other. */
import { InputError } from '../errors.js';
import type { ByteFile } from './byte-file.js';
import { contentHead, isGzipped } from './bytes.js';
import { type FormatName, formatExtensions, formatNamed } from './formats.js';
import { isIdx } from './readers/idx.js';

const HEAD_BYTES = 4096;

/** Formats whose files are text, in whatever encoding. */
export const TEXT_FORMATS: ReadonlySet<FormatName> = new Set([
  'csv',
  'tsv',
  'jsonl',
  'json',
  'fasta',
  'lines',
  'smiles',
  'ts',
] satisfies FormatName[]);

/** The mark of an LMDB data file, on its first page. */
export const LMDB_MAGIC = 0xbeef_c0de;

/** Whether the first bytes of a file are those of an LMDB data file, of whichever version or machine. */
export function isLmdb(head: Uint8Array): boolean {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  return [8, 12, 16].some((at) => {
    if (head.length < at + 4) return false;
    return view.getUint32(at, true) === LMDB_MAGIC || view.getUint32(at) === LMDB_MAGIC;
  });
}

/**
 * Throws InputError for an empty file, an unknown format, and a content that contradicts the name or the format asked for.
 * Text in another encoding than UTF-8 has to be recoded before.
 */
export async function detectFormat(file: ByteFile, given?: FormatName): Promise<FormatName> {
  const { name: path, size } = file;
  if (size === 0) throw new InputError(`${path}: empty file; expected records`);
  const lower = path.toLowerCase();
  const gzipped = await isGzipped(file);
  if (lower.endsWith('.gz') && !gzipped && !file.recoded) {
    throw new InputError(`${path}: named .gz but not gzip; rename it, or compress it`);
  }
  const head = await contentHead(file, HEAD_BYTES);
  if (head.length === 0) throw new InputError(`${path}: empty after decompression; expected records`);
  const format = given ?? formatNamed(path) ?? formatOf(head);
  if (!format) {
    const known = Object.values(formatExtensions).flatMap((list) => list.map((extension) => `.${extension}`));
    throw new InputError(`${path}: unknown format; name it ${known.join(', ')}, or pass --format`);
  }
  const trouble = contradiction(format, head, gzipped);
  if (trouble) throw new InputError(`${path}: ${trouble}`);
  if (format !== 'json' && format !== 'jsonl') return format;
  // Files of either kind go by either name.
  const first = firstText(head)[0];
  return first === '[' ? 'json' : first === '{' ? 'jsonl' : format;
}

function formatOf(head: Uint8Array): FormatName | undefined {
  if (magicOf(head) === 'PAR1') return 'parquet';
  if (isIdx(head)) return 'idx';
  if (isLmdb(head)) return 'lmdb';
  const text = firstText(head);
  if (text.startsWith('>')) return 'fasta';
  if (text.startsWith('[')) return 'json';
  return text.startsWith('{') ? 'jsonl' : undefined;
}

/** What the content says against the format; one clause with what to do, or undefined. */
function contradiction(format: FormatName, head: Uint8Array, gzipped: boolean): string | undefined {
  const magic = magicOf(head);
  if (format === 'parquet') {
    if (magic !== 'PAR1') return 'not Parquet (it does not begin with PAR1); check the file or its name';
    return gzipped ? 'gzipped Parquet is not read; decompress it, Parquet compresses itself' : undefined;
  }
  if (format === 'idx') {
    return isIdx(head) ? undefined : 'not IDX unsigned bytes with 1, 3 or 4 axes; check the file or its name';
  }
  if (format === 'lmdb') {
    if (!isLmdb(head)) return 'not LMDB (its first page has no LMDB mark); check the file or its name';
    return gzipped ? 'gzipped LMDB is not read; decompress it' : undefined;
  }
  // Of a plug-in's format its reader knows what it begins with.
  if (!TEXT_FORMATS.has(format)) return undefined;
  if (magic === 'PAR1') return `a Parquet file, not ${format}; name it .parquet`;
  if (head.includes(0)) return `binary data (a NUL byte in the first 4 KiB), expected ${format} text`;
  const first = firstText(head).slice(0, 1);
  if (first === '' && head.length < HEAD_BYTES) return 'only white space; expected records';
  if (format === 'fasta' && first !== '>' && first !== ';') {
    return `not FASTA; expected a header ">id" first, got ${JSON.stringify(first)}`;
  }
  if (format === 'ts' && !['@', '#', '%'].includes(first)) {
    return `not a .ts file of time series; expected a header such as "@univariate true" first, got ${JSON.stringify(first)}`;
  }
  return undefined;
}

/** The content's beginning as text, from its first character that is not white space or a byte order mark. */
function firstText(head: Uint8Array): string {
  return new TextDecoder().decode(head).replace(/^[\s\uFEFF]+/, '');
}

const magicOf = (head: Uint8Array): string => String.fromCharCode(...head.subarray(0, 4));
