/** The members of a zip archive, from the directory at its end; each is read on its own, and nothing is held whole. */
import { InputError } from '../../errors.js';
import type { ByteFile } from './byte-file.js';
import { Crc32 } from './crc32.js';

/** A file in an archive. */
export interface ZipMember {
  readonly name: string;
  /** 0 is stored, 8 is deflated; others are not read. */
  readonly method: number;
  readonly encrypted: boolean;
  readonly crc: number;
  /** Bytes as stored, and of the content. */
  readonly stored: number;
  readonly size: number;
  /** Where its own header begins. */
  readonly at: number;
}

const STORED = 0;
const DEFLATED = 8;
const LOCAL_HEADER = 30;
const DIRECTORY_ENTRY = 46;
const END_RECORD = 22;
/** The archive's comment, which stands behind the end record, has at most so many bytes. */
const LONGEST_COMMENT = 0xffff;
const SLICE_BYTES = 1 << 20;

/**
 * The files of an archive in the order of its directory, without folders and what macOS adds. Throws InputError where the
 * directory is missing, as it is in a truncated archive, or points outside of the file.
 */
export async function zipMembers(file: ByteFile): Promise<ZipMember[]> {
  const damaged = (what: string) =>
    new InputError(
      `${file.name}: not a readable zip archive (${what}); it is truncated or corrupt, copy or download it again`,
    );
  const tailAt = Math.max(0, file.size - END_RECORD - LONGEST_COMMENT - 20);
  const tail = await viewOf(file, tailAt, file.size);
  let end = tail.byteLength - END_RECORD;
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw damaged('it has no directory at its end');
  let entries = tail.getUint16(end + 10, true);
  let size = tail.getUint32(end + 12, true);
  let at = tail.getUint32(end + 16, true);
  // Archives beyond 4 GiB or 65,535 files have a second end record, found through a locator before the first.
  if (end >= 20 && tail.getUint32(end - 20, true) === 0x07064b50) {
    const large = Number(tail.getBigUint64(end - 12, true));
    if (large + 56 > file.size) throw damaged('its directory lies beyond its end');
    const record = await viewOf(file, large, large + 56);
    entries = Number(record.getBigUint64(32, true));
    size = Number(record.getBigUint64(40, true));
    at = Number(record.getBigUint64(48, true));
  }
  if (at + size > file.size || entries * DIRECTORY_ENTRY > size)
    throw damaged('its directory lies beyond its end');
  const directory = await viewOf(file, at, at + size);
  const members: ZipMember[] = [];
  for (let i = 0, next = 0; i < entries; i++) {
    if (next + DIRECTORY_ENTRY > size || directory.getUint32(next, true) !== 0x02014b50)
      throw damaged(`entry ${i} of its directory`);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) =>
      directory.getUint16(next + field, true),
    );
    const nameAt = next + DIRECTORY_ENTRY;
    const following = nameAt + nameLength + extraLength + commentLength;
    if (following > size) throw damaged(`entry ${i} of its directory`);
    const bytes = new Uint8Array(directory.buffer, nameAt, nameLength);
    const member: ZipMember = {
      name: new TextDecoder().decode(bytes),
      method: directory.getUint16(next + 10, true),
      encrypted: (directory.getUint16(next + 8, true) & 1) === 1,
      crc: directory.getUint32(next + 16, true),
      ...largeSizes(directory, next, nameAt + nameLength, extraLength),
    };
    if (member.at + LOCAL_HEADER + member.stored > file.size)
      throw damaged(`${member.name} lies beyond its end`);
    if (member.size > mostContent(member))
      throw damaged(`${member.name} of ${member.stored} bytes would unpack to ${member.size}`);
    if (!member.name.endsWith('/') && !member.name.startsWith('__MACOSX/')) members.push(member);
    next = following;
  }
  return members;
}

/** What a member may unpack to at most: a byte of deflate stands for at most 1032. */
const mostContent = ({ method, stored }: ZipMember): number =>
  method === STORED ? stored : method === DEFLATED ? stored * 1032 + 1032 : Number.POSITIVE_INFINITY;

/** Sizes and place of a member; those that need 8 bytes stand in an extra field, in this order. */
function largeSizes(directory: DataView, entry: number, extraAt: number, extraLength: number) {
  const fields = { size: 24, stored: 20, at: 42 };
  const found = { size: 0, stored: 0, at: 0 };
  let large = -1;
  for (let at = extraAt; at + 4 <= extraAt + extraLength; at += 4 + directory.getUint16(at + 2, true))
    if (directory.getUint16(at, true) === 1) large = at + 4;
  for (const name of ['size', 'stored', 'at'] as const) {
    found[name] = directory.getUint32(entry + fields[name], true);
    if (found[name] !== 0xffffffff || large < 0 || large + 8 > extraAt + extraLength) continue;
    found[name] = Number(directory.getBigUint64(large, true));
    large += 8;
  }
  return found;
}

/** The content of a member as a stream. Throws InputError where it is not of the size or checksum that the directory says. */
export async function* memberChunks(file: ByteFile, member: ZipMember): AsyncGenerator<Uint8Array> {
  const { name, method, size } = member;
  const unreadable = (why: string) => new InputError(`${file.name}: ${name}: ${why}`);
  if (member.encrypted) throw unreadable('encrypted; decrypt the archive');
  if (method !== STORED && method !== DEFLATED)
    throw unreadable(`compressed by method ${method}; write the archive with deflate`);
  const start = await memberStart(file, member);
  const stored = slices(file, start, start + member.stored);
  const content = method === STORED ? stored : (await import('./inflate.js')).inflated(stored);
  const crc = new Crc32();
  let seen = 0;
  const wrong = 'its content does not have the size and checksum that the archive says';
  try {
    for await (const chunk of content) {
      seen += chunk.length;
      if (seen > size) throw unreadable(`${wrong}; copy or download it again`);
      crc.add(chunk);
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(
      `${file.name}: ${name}: the deflate stream is truncated or corrupt (${(cause as Error).message}); copy or download it again`,
      { cause },
    );
  }
  if (seen !== size || crc.value !== member.crc) throw unreadable(`${wrong}; copy or download it again`);
}

/** The whole content of a member, whose size the caller has bounded. Throws InputError as `memberChunks` does. */
export async function memberContent(file: ByteFile, member: ZipMember): Promise<Uint8Array> {
  const whole = new Uint8Array(member.size);
  let held = 0;
  for await (const chunk of memberChunks(file, member)) {
    whole.set(chunk, held);
    held += chunk.length;
  }
  return whole;
}

/** A member as a file of its own. Where it is stored without compression any piece of it can be read. */
export async function memberFile(file: ByteFile, member: ZipMember): Promise<ByteFile | undefined> {
  if (member.method !== STORED || member.encrypted || member.stored !== member.size) return undefined;
  const start = await memberStart(file, member);
  return {
    name: `${file.name}: ${member.name}`,
    size: member.size,
    stream: () => slices(file, start, start + member.size),
    slice: (from, to) => file.slice(start + Math.min(from, member.size), start + Math.min(to, member.size)),
  };
}

/** Where a member's bytes begin: its own header may be longer than the directory's entry tells. */
async function memberStart(file: ByteFile, { name, at, stored }: ZipMember): Promise<number> {
  const header = await viewOf(file, at, at + LOCAL_HEADER);
  const start =
    header.byteLength < LOCAL_HEADER || header.getUint32(0, true) !== 0x04034b50
      ? Number.POSITIVE_INFINITY
      : at + LOCAL_HEADER + header.getUint16(26, true) + header.getUint16(28, true);
  if (start + stored <= file.size) return start;
  throw new InputError(`${file.name}: ${name} is not where the archive says; copy or download it again`);
}

async function* slices(file: ByteFile, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += SLICE_BYTES)
    yield new Uint8Array(await file.slice(at, Math.min(end, at + SLICE_BYTES)).arrayBuffer());
}

const viewOf = async (file: ByteFile, start: number, end: number): Promise<DataView> =>
  new DataView(await file.slice(start, end).arrayBuffer());
