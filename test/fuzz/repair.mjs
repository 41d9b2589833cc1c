// @ts-nocheck: plain JavaScript that runs what is built
/** Checksums set right again, so that what stands behind them is reached; bytes that are too damaged stay as they are. */
import { createHash } from 'node:crypto';
import { crc32, inflateRawSync } from 'node:zlib';

const MOST = { maxOutputLength: 1 << 22 };

/** Of a gzip file of one member with a header of ten bytes. */
export function repairedGzip(file) {
  if (file.length < 18) return file;
  try {
    const content = inflateRawSync(file.subarray(10, -8), MOST);
    file.writeUInt32LE(crc32(content), file.length - 8);
    file.writeUInt32LE(content.length, file.length - 4);
  } catch {}
  return file;
}

/** Of each file of a zip archive, as its directory places it. */
export function repairedZip(file) {
  try {
    const end = file.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
    let entry = file.readUInt32LE(end + 16);
    for (let left = file.readUInt16LE(end + 10); left > 0; left--) {
      const [method, stored] = [file.readUInt16LE(entry + 10), file.readUInt32LE(entry + 20)];
      const at = file.readUInt32LE(entry + 42);
      const start = at + 30 + file.readUInt16LE(at + 26) + file.readUInt16LE(at + 28);
      const kept = file.subarray(start, start + stored);
      const content = method === 8 ? inflateRawSync(kept, MOST) : kept;
      file.writeUInt32LE(crc32(content), entry + 16);
      file.writeUInt32LE(content.length, entry + 24);
      entry += 46 + [28, 30, 32].reduce((sum, field) => sum + file.readUInt16LE(entry + field), 0);
    }
  } catch {}
  return file;
}

/** Of each chunk of a PNG. */
export function repairedPng(file) {
  if (file.length < 8 || file[1] !== 0x50) return file;
  try {
    for (let at = 8; at < file.length; ) {
      const end = at + 8 + file.readUInt32BE(at);
      file.writeUInt32BE(crc32(file.subarray(at + 4, end)), end);
      at = end + 4;
    }
  } catch {}
  return file;
}

/** Of a checkpoint, in its own metadata. */
export function repairedCheckpoint(file) {
  const found = /"sha256":"([0-9a-f]{64})"/.exec(file.toString('latin1'));
  if (!found) return file;
  const at = found.index + '"sha256":"'.length;
  file.write('0'.repeat(64), at, 'latin1');
  file.write(createHash('sha256').update(file).digest('hex'), at, 'latin1');
  return file;
}

/** The length of the header of a safetensors file, where it ends before the bytes that the tensors were given. */
export function repairedSafetensors(file) {
  const end = file.indexOf('}}', 8);
  if (end > 0) file.writeBigUInt64LE(BigInt(end + 2 - 8), 0);
  return file;
}
