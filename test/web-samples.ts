/** Small samples of three domains, the same at every call. */
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { loadRiskMolecules } from '../src/demo/molecules.js';
import { random } from '../src/tensor/random.js';

export interface Sample {
  readonly name: string;
  readonly text: string;
  readonly config: object;
}

const sizes = { encoder: { width: 16, embed_width: 16, layers: 1, heads: 2 } };

/** A table of numbers and categories that hang together. */
function table(): Sample {
  const draw = random(3, 'table');
  const lines = ['age,income,height,city,plan,rate'];
  for (let i = 0; i < 800; i++) {
    const [a, b, c] = [draw.normal(), draw.normal(), draw.integer(5)];
    const height = i % 50 === 0 ? '' : (170 + 9 * b).toFixed(1);
    const plan = 'xyz'[(c + (a > 0 ? 1 : 0)) % 3];
    lines.push(
      [
        (40 + 12 * a).toFixed(1),
        (30_000 + 9000 * a + 4000 * b).toFixed(0),
        height,
        'abcde'[c],
        plan,
        (0.3 * b + 0.1 * c).toFixed(3),
      ].join(),
    );
  }
  return { name: 'people.csv', text: `${lines.join('\n')}\n`, config: sizes };
}

async function molecules(): Promise<Sample> {
  const found = await loadRiskMolecules();
  return {
    name: 'molecules.smi',
    text: found
      .slice(0, 300)
      .map(({ smiles }) => `${smiles}\n`)
      .join(''),
    config: { ...sizes, tokenizer: { max_tokens: 48 } },
  };
}

/** Sequences of amino acids, each of two motifs among random ones. */
function proteins(): Sample {
  const draw = random(7, 'proteins');
  const letters = 'ACDEFGHIKLMNPQRSTVWY';
  const motifs = ['GKSTLLN', 'HEXXHWC', 'DFGAPEW', 'CPHCGAR'];
  let text = '';
  for (let i = 0; i < 300; i++) {
    const part = () => Array.from({ length: 5 + draw.integer(15) }, () => letters[draw.integer(20)]).join('');
    const [one, other] = [motifs[draw.integer(4)], motifs[draw.integer(4)]];
    text += `>p${i}\n${part()}${one}${part()}${other}${part()}\n`;
  }
  return { name: 'proteins.fasta', text, config: { ...sizes, tokenizer: { max_tokens: 48 } } };
}

export const samples = async (): Promise<readonly Sample[]> => [table(), await molecules(), proteins()];

/** A folder of files, or one file, that is no text. */
export interface MediaSample {
  readonly name: string;
  readonly files: readonly { readonly path: string; readonly content: Uint8Array }[];
  readonly config: object;
}

/** Images of 12 × 12 in two folders, half of them with noise. */
async function images(): Promise<MediaSample> {
  const draw = random(5, 'images');
  const [side, channels] = [12, 3] as const;
  const files = Array.from({ length: 24 }, async (_, i) => {
    const pixels = Uint8Array.from({ length: side * side * channels }, (_, at) =>
      i % 2 === 0 ? draw.integer(256) : (20 * Math.floor(at / channels) + 40 * i) % 256,
    );
    const image = sharp(pixels, { raw: { width: side, height: side, channels } });
    return { path: `${i % 2 === 0 ? 'noise' : 'stripes'}/${i}.png`, content: await image.png().toBuffer() };
  });
  return { name: 'patterns', files: await Promise.all(files), config: sizes };
}

/** A quarter of a second of a tone each, as WAV of 16 bits. */
function sounds(): MediaSample {
  const draw = random(6, 'sounds');
  const [rate, count] = [8000, 2000];
  const files = Array.from({ length: 24 }, (_, i) => {
    const content = Buffer.alloc(44 + 2 * count);
    content.write('RIFF');
    content.writeUInt32LE(36 + 2 * count, 4);
    content.write('WAVEfmt ', 8);
    content.writeUInt32LE(16, 16);
    content.writeUInt16LE(1, 20);
    content.writeUInt16LE(1, 22);
    content.writeUInt32LE(rate, 24);
    content.writeUInt32LE(2 * rate, 28);
    content.writeUInt16LE(2, 32);
    content.writeUInt16LE(16, 34);
    content.write('data', 36);
    content.writeUInt32LE(2 * count, 40);
    const pitch = 200 + 100 * (i % 8);
    for (let t = 0; t < count; t++) {
      const value = 9000 * Math.sin((2 * Math.PI * pitch * t) / rate) + 500 * draw.normal();
      content.writeInt16LE(Math.round(value), 44 + 2 * t);
    }
    return { path: `tone-${i}.wav`, content };
  });
  return { name: 'tones', files, config: sizes };
}

/** Images of 8 × 8 as MNIST has them, compressed. */
function idx(): MediaSample {
  const draw = random(8, 'idx');
  const [count, side] = [60, 8];
  const content = new Uint8Array(16 + count * side * side);
  new DataView(content.buffer).setUint32(0, 0x0803);
  [count, side, side].forEach((size, axis) => {
    new DataView(content.buffer).setUint32(4 + 4 * axis, size);
  });
  for (let i = 16; i < content.length; i++) content[i] = i % 3 === 0 ? draw.integer(256) : 0;
  const name = 'digits-idx3-ubyte.gz';
  return { name, files: [{ path: name, content: gzipSync(content) }], config: sizes };
}

export const mediaSamples = async (): Promise<readonly MediaSample[]> => [await images(), sounds(), idx()];
