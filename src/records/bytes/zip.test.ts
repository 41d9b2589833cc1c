import { strToU8, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../errors.js';
import { memberChunks, memberFile, zipMembers } from './zip.js';

const long = Array.from({ length: 50_000 }, (_, i) => `${i} ${i % 7}`).join('\n');
const archive = zipSync({
  'deep/long.txt': strToU8(long),
  'stored.txt': [strToU8('as it is'), { level: 0 }],
  '__MACOSX/._x': strToU8('x'),
  'deep/': new Uint8Array(0),
});

const asFile = (bytes: Uint8Array, name = 'a.zip') => new File([new Uint8Array(bytes)], name);

async function content(file: File, name: string) {
  const member = (await zipMembers(file)).find((other) => other.name === name)!;
  const chunks: Uint8Array[] = [];
  for await (const chunk of memberChunks(file, member)) chunks.push(chunk.slice());
  return Buffer.concat(chunks).toString();
}

describe('a zip archive', () => {
  it('lists its files, without folders, and gives the content of each', async () => {
    const file = asFile(archive);
    expect((await zipMembers(file)).map(({ name }) => name)).toEqual(['deep/long.txt', 'stored.txt']);
    expect(await content(file, 'deep/long.txt')).toBe(long);
    expect(await content(file, 'stored.txt')).toBe('as it is');
  });

  it('gives a stored file in pieces, and no deflated one', async () => {
    const file = asFile(archive);
    const [deflated, stored] = await zipMembers(file);
    expect(await memberFile(file, deflated)).toBeUndefined();
    const piece = (await memberFile(file, stored))!.slice(3, 100);
    expect(Buffer.from(await piece.arrayBuffer()).toString()).toBe('it is');
  });

  it('is refused where it is cut off, or its content is not what the directory says', async () => {
    await expect(zipMembers(asFile(archive.subarray(0, archive.length - 30)))).rejects.toThrow(
      'a.zip: not a readable zip archive (it has no directory at its end)',
    );
    for (const at of [60, 40_000]) {
      const damaged = archive.slice();
      damaged[at] ^= 0x55;
      const read = content(asFile(damaged), 'deep/long.txt');
      await expect(read).rejects.toThrow(InputError);
      await expect(read).rejects.toThrow('a.zip: deep/long.txt: ');
    }
  });

  it('is refused where a file says that it unpacks to more than it can, before memory is taken', async () => {
    const lying = archive.slice();
    const view = new DataView(lying.buffer, lying.byteOffset);
    const directory = view.getUint32(lying.length - 6, true);
    view.setUint32(directory + 24, 2 ** 31, true);
    await expect(zipMembers(asFile(lying))).rejects.toThrow('would unpack to 2147483648');
  });

  it('is refused whatever its directory says, never with another error', async () => {
    const end = archive.length - 22;
    const start = new DataView(archive.buffer, archive.byteOffset).getUint32(end + 16, true);
    for (let at = start; at < archive.length; at++) {
      const damaged = archive.slice();
      damaged[at] = 0xff;
      try {
        const file = asFile(damaged);
        for (const member of await zipMembers(file)) for await (const _ of memberChunks(file, member));
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
      }
    }
  });
});
