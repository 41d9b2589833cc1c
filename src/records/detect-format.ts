/** Which format a file has, by its name and its first bytes, which must not contradict each other. */
import { InputError, listed } from '../errors.js';
import { isNpy } from '../tensor/npy-header.js';
import type { ByteFile } from './bytes/byte-file.js';
import { contentHead } from './bytes/bytes.js';
import {
  type Compression,
  compressionEndings,
  compressionOf,
  contentName,
  zipContent,
} from './bytes/compression.js';
import { type RefusedFile, refusedContent, refusedName } from './bytes/refused.js';
import type { ZipMember } from './bytes/zip.js';
import { type FormatName, formatExtensions, formatNamed } from './formats.js';
import { isArrow, isIdx, isLmdb, isZip } from './magic.js';

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
  'sdf',
] satisfies FormatName[]);

/**
 * Throws InputError for an empty file, an unknown format, and a content that contradicts the name or the format asked for.
 * Text in another encoding than UTF-8 has to be recoded before.
 */
export async function detectFormat(file: ByteFile, given?: FormatName): Promise<FormatName> {
  const { name: path, size } = file;
  if (size === 0) throw new InputError(`${path}: empty file; expected records`);
  const compression = await compressionOf(file);
  const start = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  if (!file.recoded) checkEnding(path, compression?.kind ?? (isZip(start) ? 'zip' : undefined));
  const name = await contentName(file);
  const named = given ?? formatNamed(name);
  const refused = named === undefined ? refusedName(name) : undefined;
  if (refused) throw refusal(path, refused);
  const head = await contentHead(file, HEAD_BYTES);
  if (head.length === 0) throw new InputError(`${path}: empty after decompression; expected records`);
  const packed =
    !compression && isZip(head) ? await (await import('./bytes/zip.js')).zipMembers(file) : undefined;
  const held = packed && zipContent(packed);
  const format = named ?? (held === 'xlsx' || held === 'npz' ? held : formatOf(head));
  const isOwn = format === undefined || HAS_MAGIC.has(format) || TEXT_FORMATS.has(format);
  // Of a plug-in's format its reader knows what it begins with.
  if (isOwn && packed && held !== format) throw new InputError(`${path}: ${packedTrouble(packed, format)}`);
  const foreign = isOwn ? refusedContent(head) : undefined;
  if (foreign) throw refusal(path, foreign, format);
  if (!format) {
    const endings = Object.values(formatExtensions).flatMap((list) => list.map((ending) => `.${ending}`));
    // Standard input has no name.
    const advice =
      path === '-'
        ? `pass --format with one of ${Object.keys(formatExtensions).join(', ')}`
        : `name it ${endings.join(', ')}, or pass --format`;
    throw new InputError(`${path}: unknown format; ${advice}`);
  }
  const trouble = contradiction(format, head, compression?.kind);
  if (trouble) throw new InputError(`${path}: ${trouble}`);
  if (format !== 'json' && format !== 'jsonl') return format;
  // Files of either kind go by either name.
  const first = firstText(head)[0];
  if (first === '[') return 'json';
  if (first !== '{') return format;
  if (named === 'jsonl') return 'jsonl';
  const { isOneObject } = await import('./readers/json-table.js');
  return (await isOneObject(file)) ? 'json' : 'jsonl';
}

/** Throws InputError for a name that tells of a compression which the content has not. */
function checkEnding(path: string, kind: Compression['kind'] | undefined): void {
  const ending = /\.([^.]+)$/.exec(path.toLowerCase())?.[1] ?? '';
  if (!isCompressionEnding(ending) || compressionEndings[ending] === kind) return;
  const what = ending === 'zip' ? 'a zip archive' : compressionEndings[ending];
  throw new InputError(`${path}: named .${ending} but not ${what}; rename it, or compress it`);
}

const isCompressionEnding = (ending: string): ending is keyof typeof compressionEndings =>
  Object.hasOwn(compressionEndings, ending);

const refusal = (path: string, { what, instead }: RefusedFile, format?: FormatName): InputError =>
  new InputError(`${path}: ${what}${format ? `, not ${format}` : ', which is not read'}; ${instead}`);

/** What to say of an archive that is not of the format that was expected. */
function packedTrouble(members: readonly ZipMember[], format: FormatName | undefined): string {
  const names = members.map(({ name }) => name);
  if (names.some((name) => name.startsWith('word/'))) return 'a Word document; save its text as .txt';
  const held = zipContent(members);
  if (held !== 'files') return `${held} by its content, not ${format}; name it .${held}`;
  if (names.length === 0) return 'a zip archive without files';
  return `a zip archive of several files (${listed(names)}), one is read; unpack it and give the file or folder in it`;
}

/** Formats that begin with a mark of their own, what to say where that is missing, and whether they may be compressed. */
const MAGIC: Partial<Record<FormatName, { is: (head: Uint8Array) => boolean; not: string; plain?: string }>> =
  {
    parquet: {
      is: (head) => magicOf(head) === 'PAR1',
      not: 'Parquet (it does not begin with PAR1)',
      plain: 'Parquet is not read; decompress it, Parquet compresses itself',
    },
    idx: { is: isIdx, not: 'IDX unsigned bytes with 1, 3 or 4 axes' },
    lmdb: {
      is: isLmdb,
      not: 'LMDB (its first page has no LMDB mark)',
      plain: 'LMDB is not read; decompress it',
    },
    npy: { is: isNpy, not: 'a NumPy array (it does not begin with \\x93NUMPY)' },
    npz: { is: isZip, not: 'npz (it is no zip archive)' },
    xlsx: { is: isZip, not: 'xlsx (it is no zip archive)', plain: 'xlsx is not read; decompress it' },
    arrow: { is: isArrow, not: 'Arrow IPC (it begins with neither ARROW1 nor a schema)' },
  };

const HAS_MAGIC: ReadonlySet<string> = new Set(Object.keys(MAGIC));

function formatOf(head: Uint8Array): FormatName | undefined {
  for (const format of ['parquet', 'idx', 'lmdb', 'npy', 'arrow'] as const)
    if (MAGIC[format]!.is(head)) return format;
  const text = firstText(head);
  if (text.startsWith('>')) return 'fasta';
  if (text.startsWith('[')) return 'json';
  return text.startsWith('{') ? 'jsonl' : undefined;
}

/** What the content says against the format; one clause with what to do, or undefined. */
function contradiction(format: FormatName, head: Uint8Array, compressed?: string): string | undefined {
  const magic = MAGIC[format];
  if (magic) {
    if (!magic.is(head)) return `not ${magic.not}; check the file or its name`;
    return compressed && magic.plain ? `${PARTICIPLE[compressed]} ${magic.plain}` : undefined;
  }
  // Of a plug-in's format its reader knows what it begins with.
  if (!TEXT_FORMATS.has(format)) return undefined;
  if (magicOf(head) === 'PAR1') return `a Parquet file, not ${format}; name it .parquet`;
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

const PARTICIPLE: Readonly<Record<string, string>> = {
  gzip: 'gzipped',
  zstd: 'zstd-compressed',
  zip: 'zipped',
};

/** The content's beginning as text, from its first character that is not white space or a byte order mark. */
function firstText(head: Uint8Array): string {
  return new TextDecoder().decode(head).replace(/^[\s\uFEFF]+/, '');
}

const magicOf = (head: Uint8Array): string => String.fromCharCode(...head.subarray(0, 4));
