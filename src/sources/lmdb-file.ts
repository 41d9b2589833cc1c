/**
 * LMDB databases, read only: the main table of a file in data format 1 of a 64-bit little-endian machine, as LMDB 0.9
 * writes it. The format is that of `mdb.c` and `lmdb.h` of OpenLDAP's LMDB (Howard Chu, 2011).
 *
 * A file is pages of one size. The first two are meta pages, of which that with the larger transaction number holds;
 * it points to the root of a B+ tree of branch and leaf pages with keys in the order of their bytes. A value too long
 * for a leaf has pages of its own. Pages are read one by one, so memory stays small however large the file is.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../errors.js';
import { isLmdb, LMDB_MAGIC } from '../records/magic.js';
import { readError } from './disk-file.js';

export interface LmdbEntry {
  readonly key: Buffer;
  /** Reads the value, as long as the file is open. */
  readonly value: () => Buffer;
}

const FORMAT_VERSION = 1;
/** Page number, two bytes unused, flags, and the ends of the free space (or, of a long value, its number of pages). */
const PAGE_HEADER = 16;
const META_BYTES = PAGE_HEADER + 136;
/** Offsets in a meta page: the descriptions of the free list, which also holds the page size, and of the main table. */
const FREE_TABLE = PAGE_HEADER + 24;
const MAIN_TABLE = FREE_TABLE + 48;
const TRANSACTION = MAIN_TABLE + 56;
const [BRANCH, LEAF, OVERFLOW] = [1, 2, 4];
/** All flags that say what a page is; others say what a writer did with it. */
const KINDS = 0x6f;
/** Two halves of a value's length or a child's page, flags or the child's upper bits, length of the key. */
const NODE_HEADER = 8;
const [LONG_VALUE, SUBTABLE_OR_DUPLICATES] = [1, 6];
/** Levels of a tree, at most, as in LMDB's own cursors. */
const MAX_DEPTH = 32;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
const MAX_VALUE_BYTES = 1 << 28;
const CACHE_BYTES = 1 << 24;

/** The data file in a database's folder; undefined for a folder that is not named as one and holds none. */
export function lmdbDataFile(folder: string): string | undefined {
  const file = join(folder, 'data.mdb');
  if (statSync(file, { throwIfNoEntry: false })) return file;
  if (!/\.lmdb[/\\]*$/i.test(folder)) return undefined;
  throw new InputError(`${folder}: an LMDB folder without data.mdb; copy it again, or give the data file`);
}

interface Meta {
  readonly pageSize: number;
  readonly flags: number;
  readonly depth: number;
  readonly entries: number;
  readonly root: bigint;
  readonly transaction: bigint;
}

/** One open database; to be closed. Its methods throw InputError where the file is truncated or corrupt. */
export class LmdbFile {
  /** How many keys there are. */
  readonly entries: number;
  private readonly file: number;
  private readonly bytes: number;
  private readonly pageSize: number;
  private readonly depth: number;
  private readonly root: number;
  /** Pages read lately, the oldest first. */
  private readonly pages = new Map<number, Buffer>();

  /** Throws InputError when `path` is no data file or one of another format. */
  constructor(readonly path: string) {
    try {
      this.file = openSync(path, 'r');
    } catch (error) {
      throw readError(path, error);
    }
    try {
      this.bytes = fstatSync(this.file).size;
      const first = this.meta(0);
      this.pageSize = first.pageSize;
      const second = this.meta(first.pageSize);
      const { flags, depth, entries, root } = second.transaction > first.transaction ? second : first;
      if (flags !== 0) {
        throw new InputError(
          `${path}: an LMDB table with several values of a key, or with integer or reversed keys; expected plain keys`,
        );
      }
      const empty = root === NO_PAGE;
      if (depth > MAX_DEPTH || (depth === 0) !== empty || (entries === 0) !== empty) {
        throw this.damaged(`its tree has ${depth} levels and ${entries} keys`);
      }
      // No key takes less than its node's header and its place in the page.
      if (entries > this.bytes / (NODE_HEADER + 2))
        throw this.damaged(`${entries} keys in ${this.bytes} bytes`);
      this.entries = entries;
      this.depth = depth;
      this.root = Number(root);
    } catch (error) {
      closeSync(this.file);
      throw error;
    }
  }

  close(): void {
    closeSync(this.file);
  }

  /** The entry of a key. */
  get(key: string): LmdbEntry | undefined {
    const wanted = Buffer.from(key);
    const entry = this.seek(wanted);
    return entry?.key.equals(wanted) ? entry : undefined;
  }

  /** The first entry whose key is the given one or comes after it. */
  seek(key: Buffer): LmdbEntry | undefined {
    if (this.entries === 0) return undefined;
    const entry = this.walk(this.root, 1, key).next().value ?? undefined;
    if (entry && entry.key.compare(key) < 0) throw this.damaged('keys are out of order');
    return entry;
  }

  /** All entries in the order of their keys' bytes. Throws InputError at the end when there were more or fewer than announced. */
  *inKeyOrder(): Generator<LmdbEntry> {
    let previous: Buffer | undefined;
    let count = 0;
    for (const entry of this.entries === 0 ? [] : this.walk(this.root, 1)) {
      if (previous && entry.key.compare(previous) <= 0) throw this.damaged('keys are out of order');
      previous = entry.key;
      if (++count > this.entries) break;
      yield entry;
    }
    if (count !== this.entries) {
      throw this.damaged(`${count < this.entries ? count : 'more'} keys where ${this.entries} are announced`);
    }
  }

  /** The entries below a page from a key on, or all. */
  private *walk(number: number, level: number, from?: Buffer): Generator<LmdbEntry, undefined> {
    const leaf = level === this.depth;
    const page = this.page(number, leaf ? LEAF : BRANCH);
    const count = (page.readUInt16LE(12) - PAGE_HEADER) >> 1;
    let i = from ? this.firstPlace(page, number, count, leaf, from) : 0;
    for (let key = from; i < count; i++, key = undefined) {
      const node = this.node(page, number, i);
      if (leaf) yield this.entry(page, number, node);
      else {
        const low = page.readUInt32LE(node);
        yield* this.walk(low + page.readUInt16LE(node + 4) * 2 ** 32, level + 1, key);
      }
    }
    return undefined;
  }

  /**
   * Where a key's entry is or would be in a leaf, or the child in a branch that would hold it. The first key of a branch
   * stands for all that come before the second.
   */
  private firstPlace(page: Buffer, number: number, count: number, leaf: boolean, key: Buffer): number {
    let low = leaf ? 0 : 1;
    let high = count;
    while (low < high) {
      const middle = (low + high) >> 1;
      const node = this.node(page, number, middle);
      const start = node + NODE_HEADER;
      const order = key.compare(page, start, start + page.readUInt16LE(node + 6));
      if (order > 0 || (order === 0 && !leaf)) low = middle + 1;
      else high = middle;
    }
    return leaf ? low : low - 1;
  }

  /** Where the node `i` of a page begins; its header and key lie within the page. */
  private node(page: Buffer, number: number, i: number): number {
    const at = page.readUInt16LE(PAGE_HEADER + 2 * i);
    const inside = at >= page.readUInt16LE(14) && at + NODE_HEADER <= page.length;
    if (!inside || at + NODE_HEADER + page.readUInt16LE(at + 6) > page.length) {
      throw this.damaged(`entry ${i} of page ${number} lies outside of it`);
    }
    return at;
  }

  private entry(page: Buffer, number: number, node: number): LmdbEntry {
    const start = node + NODE_HEADER;
    const end = start + page.readUInt16LE(node + 6);
    return { key: page.subarray(start, end), value: () => this.value(page, number, node, end) };
  }

  private value(page: Buffer, number: number, node: number, start: number): Buffer {
    const length = page.readUInt32LE(node);
    const flags = page.readUInt16LE(node + 4);
    if (flags & SUBTABLE_OR_DUPLICATES) {
      throw new InputError(
        `${this.path}: an LMDB database with named tables or several values of a key; expected one table of plain keys`,
      );
    }
    if (length > MAX_VALUE_BYTES) {
      throw new InputError(
        `${this.path}: a value of ${length} bytes; at most ${MAX_VALUE_BYTES >> 20} MiB are read`,
      );
    }
    const inPage = start + (flags & LONG_VALUE ? 8 : length) <= page.length;
    if (!inPage) throw this.damaged(`a value of page ${number} lies outside of it`);
    if (!(flags & LONG_VALUE)) return page.subarray(start, start + length);
    const first = Number(page.readBigUInt64LE(start));
    const bytes = this.read(first * this.pageSize, PAGE_HEADER + length, `page ${first}`);
    this.checkPage(bytes, first, OVERFLOW);
    if (bytes.readUInt32LE(12) * this.pageSize < bytes.length)
      throw this.damaged(`page ${first} is too short`);
    return bytes.subarray(PAGE_HEADER);
  }

  /** A branch or leaf page whose own header is sound. */
  private page(number: number, kind: number): Buffer {
    let page = this.pages.get(number);
    if (page) {
      this.checkPage(page, number, kind);
      return page;
    }
    page = this.read(number * this.pageSize, this.pageSize, `page ${number}`);
    this.checkPage(page, number, kind);
    const [lower, upper] = [page.readUInt16LE(12), page.readUInt16LE(14)];
    if (lower % 2 !== 0 || lower <= PAGE_HEADER || lower > upper || upper > page.length) {
      throw this.damaged(`page ${number} has no valid list of entries`);
    }
    if (this.pages.size >= CACHE_BYTES / this.pageSize) this.pages.delete(this.pages.keys().next().value!);
    this.pages.set(number, page);
    return page;
  }

  private checkPage(page: Buffer, number: number, kind: number): void {
    const itself = page.readUInt32LE(0) + page.readUInt32LE(4) * 2 ** 32;
    if (itself === number && (page.readUInt16LE(10) & KINDS) === kind) return;
    const name = { [BRANCH]: 'branch', [LEAF]: 'leaf' }[kind] ?? 'long value';
    throw this.damaged(`page ${number} is not the ${name} it should be`);
  }

  private meta(at: number): Meta {
    const page = this.read(at, META_BYTES, 'the first pages');
    if (page.readUInt32LE(PAGE_HEADER) !== LMDB_MAGIC) {
      if (!isLmdb(page)) throw this.damaged('a first page has no LMDB mark');
      throw new InputError(
        `${this.path}: an LMDB lock file, or data of a 32-bit or big-endian machine; expected data.mdb of a 64-bit little-endian one`,
      );
    }
    const version = page.readUInt32LE(PAGE_HEADER + 4);
    if (version !== FORMAT_VERSION) {
      throw new InputError(
        `${this.path}: LMDB data format ${version}; expected format ${FORMAT_VERSION}, which LMDB 0.9 writes; copy its records with that`,
      );
    }
    const pageSize = page.readUInt32LE(FREE_TABLE);
    if (pageSize < 512 || pageSize > 65536 || (pageSize & (pageSize - 1)) !== 0) {
      throw this.damaged(`pages of ${pageSize} bytes`);
    }
    return {
      pageSize,
      flags: page.readUInt16LE(MAIN_TABLE + 4),
      depth: page.readUInt16LE(MAIN_TABLE + 6),
      entries: Number(page.readBigUInt64LE(MAIN_TABLE + 32)),
      root: page.readBigUInt64LE(MAIN_TABLE + 40),
      transaction: page.readBigUInt64LE(TRANSACTION),
    };
  }

  private read(at: number, length: number, what: string): Buffer {
    if (at + length > this.bytes) throw this.damaged(`${what} lies beyond its end at ${this.bytes} bytes`);
    const buffer = Buffer.allocUnsafeSlow(length);
    try {
      if (readSync(this.file, buffer, 0, length, at) === length) return buffer;
    } catch (error) {
      throw readError(this.path, error);
    }
    throw this.damaged(`${what} ends early`);
  }

  /** What to throw where the file contradicts itself. */
  damaged(what: string): InputError {
    return new InputError(
      `${this.path}: not a readable LMDB file (${what}); it is truncated or corrupt, copy or download it again`,
    );
  }
}
