import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { resolveConfig } from './config/defaults.js';
import { configKeys, parseConfig } from './config/parse.js';
import type { UserConfig } from './config/schema.js';
import { convolution } from './encoders/convolution.js';
import type { Encoder } from './encoders/index.js';
import { encoders } from './encoders/index.js';
import { InputError } from './errors.js';
import { objectives } from './objectives/index.js';
import { loadPlugins, type Plugin, type ReaderPlugin, registerPlugin } from './plugins.js';
import { protocols } from './probes/index.js';
import { contentHead } from './records/bytes/bytes.js';
import { formatExtensions } from './records/formats.js';
import { byteReaders } from './records/open-bytes.js';
import { openSource } from './sources/open-source.js';
import { tokenizers } from './tokenizers/index.js';
import { molecules } from './tokenizers/real-records.case.js';
import { sequence } from './tokenizers/sequence.js';
import { numbers, records, texts } from './tokenizers/tokenizer.case.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-plugins-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const families = { objectives, encoders, tokenizers, byteReaders, protocols, formatExtensions };
const members = () => JSON.stringify(Object.values(families).map((family) => Object.keys(family)));

/** Numbers of one byte each behind a mark of four bytes, the last of which is 0. */
const MARK = 'OCT\0';
const octets: ReaderPlugin = {
  extensions: ['oct'],
  read(file) {
    const columns = [{ name: 'octet', type: 'number' as const }];
    return {
      columns,
      async *read() {
        const bytes = await contentHead(file, 1000);
        if (Buffer.from(bytes.subarray(0, 4)).toString() !== MARK)
          throw new InputError(`${file.name}: no octets`);
        yield records({ octet: numbers([...bytes.subarray(4)]) }, bytes.length - 4);
      },
    };
  },
};

describe('what is no plug-in', () => {
  const encode = () => {
    throw new Error('never run');
  };
  const run = async function* (): AsyncGenerator<readonly [string, number]> {};
  it.each<[string, unknown, string]>([
    [
      'nothing',
      undefined,
      'own.mjs: expected a default export with objectives, encoders, tokenizers, readers, protocols, got undefined',
    ],
    ['a function', () => {}, 'got function'],
    ['null', null, 'own.mjs: expected a default export'],
    [
      'another family',
      { losses: {} },
      'own.mjs: a plug-in has objectives, encoders, tokenizers, readers, protocols, not "losses"',
    ],
    [
      'a family that is none',
      { encoders: undefined },
      'own.mjs: encoders: expected members by name, got undefined',
    ],
    [
      'a family that is a text',
      { encoders: 'mine' },
      'own.mjs: encoders: expected members by name, got string',
    ],
    [
      'an encoder without its function',
      { encoders: { mine: {} } },
      'own.mjs: encoders.mine: expected a function "encode"',
    ],
    ['an encoder that is null', { encoders: { mine: null } }, 'encoders.mine: expected a function "encode"'],
    [
      'an objective without one of its functions',
      { objectives: { mine: { ...objectives.sma, draw: 3 } } },
      'objectives.mine: expected a function "draw"',
    ],
    [
      'a tokenizer without one of its functions',
      { tokenizers: { mine: { fit: sequence.fit } } },
      'tokenizers.mine: expected a function "restore"',
    ],
    [
      'a protocol without its function',
      { protocols: { mine: { unlabelled: true } } },
      'protocols.mine: expected a function "run"',
    ],
    [
      'a reader without its function',
      { readers: { mine: { extensions: ['x'] } } },
      'readers.mine: expected a function "read"',
    ],
    [
      'a reader without endings',
      { readers: { mine: { read: octets.read, extensions: [] } } },
      'readers.mine: expected "extensions"',
    ],
    [
      'a reader whose endings are no list',
      { readers: { mine: { read: octets.read, extensions: 'x' } } },
      'readers.mine: expected "extensions"',
    ],
    [
      'an encoder that there is',
      { encoders: { perceiver: { encode } } },
      'encoders.perceiver: there is one of this name; choose another',
    ],
    [
      'an objective that there is',
      { objectives: { sma: objectives.sma } },
      'objectives.sma: there is one of this name',
    ],
    [
      'a tokenizer that there is',
      { tokenizers: { grid: tokenizers.grid } },
      'tokenizers.grid: there is one of this name',
    ],
    [
      'a protocol that there is',
      { protocols: { linear: { run } } },
      'protocols.linear: there is one of this name',
    ],
    ['a reader that there is', { readers: { fasta: octets } }, 'readers.fasta: there is one of this name'],
    [
      'a reader of the disk that there is',
      { readers: { csv: octets } },
      'readers.csv: there is one of this name',
    ],
    [
      'an encoder with an option that is declared otherwise',
      {
        encoders: {
          mine: { encode, options: { latents: { type: z.int(), description: 'others', example: 1 } } },
        },
      },
      'encoders.mine: its option latents is declared otherwise by another one of encoders',
    ],
    [
      'one bad member behind a good one',
      { protocols: { good: { run } }, encoders: { mine: {} } },
      'encoders.mine',
    ],
  ])('%s, is refused, and adds nothing', (_, plugin, message) => {
    const before = members();
    expect(() => registerPlugin(plugin, 'own.mjs')).toThrow(InputError);
    expect(() => registerPlugin(plugin, 'own.mjs')).toThrow(message);
    expect(members()).toBe(before);
  });
});

describe('a reader of a plug-in', () => {
  it('opens files of its endings, binary ones and gzipped ones, too', async () => {
    const plugin: Plugin = { readers: { octets } };
    registerPlugin(plugin, 'own.mjs');
    const content = Buffer.from(`${MARK}\x05\x00\x07`, 'latin1');
    for (const [name, bytes] of [
      ['three.oct', content],
      ['three.oct.gz', gzipSync(content)],
    ] as const) {
      const path = join(folder, name);
      await writeFile(path, bytes);
      const source = await openSource(path);
      expect(source).toMatchObject({ format: 'octets', columns: [{ name: 'octet', type: 'number' }] });
      for await (const { columns } of source.read()) expect([...columns.octet.values]).toEqual([5, 0, 7]);
    }
    const other = join(folder, 'other.bin');
    await writeFile(other, content);
    await expect(openSource(other)).rejects.toThrow(/unknown format; name it .*\.oct/);
    expect((await openSource(other, { format: 'octets' as 'json' })).format).toBe('octets');
    expect(configKeys().get('data.format')?.choices).toContain('octets');
  });
});

describe('an encoder of a plug-in', () => {
  const smiles = texts(molecules);
  const dilated: Encoder<{ dilation: number }> = {
    options: {
      dilation: { type: z.int().min(1), description: 'steps between what a filter reads', example: 2 },
    },
    defaults: (_, __, { dilation = 3 }) => ({ dilation }),
    encode: convolution.encode,
  };
  const resolve = async (encoder: object) =>
    resolveConfig(parseConfig({ encoder }, 'config') as UserConfig, {
      path: 'molecules.csv',
      format: 'csv',
      hash: 'sha256:0',
      tokenizer: await sequence.fit([records({ smiles }, molecules.length)], { columns: ['smiles'] }),
      heldOut: { valid: 0.05, test: 0 },
      records: molecules.length,
      threads: 1,
      versions: {},
    });

  it('has its options known to configurations, and refused for other encoders', async () => {
    expect(() => parseConfig({ encoder: { dilation: 2 } }, 'config')).toThrow('unknown key');
    expect(configKeys().get('encoder.dilation')).toBe(undefined);
    registerPlugin({ encoders: { dilated } }, 'own.mjs');
    expect(configKeys().get('encoder.dilation')).toMatchObject({
      type: 'integer',
      description: 'steps between what a filter reads',
      example: 2,
    });
    expect(configKeys().get('encoder.kind')?.choices).toContain('dilated');
    expect((await resolve({ kind: 'dilated' })).encoder).toMatchObject({ kind: 'dilated', dilation: 3 });
    expect((await resolve({ kind: 'dilated', dilation: 5 })).encoder).toMatchObject({ dilation: 5 });
    await expect(resolve({ kind: 'dilated', dilation: 0 })).rejects.toThrow('encoder.dilation: expected');
    for (const kind of ['perceiver', 'transformer', 'convolution', 'residual-network'])
      await expect(resolve({ kind, dilation: 5 })).rejects.toThrow(
        `encoder.dilation: is not an option of ${kind}`,
      );
    await expect(resolve({ kind: 'dilated', latents: 4 })).rejects.toThrow(
      'encoder.latents: is not an option of dilated',
    );
    expect((await resolve({ kind: 'convolution' })).encoder).not.toHaveProperty('dilation');
  });
});

describe('an objective of a plug-in', () => {
  it('keeps the methods of its class, and has no options where it declares none', () => {
    class Own {
      defaults = () => ({});
      noise() {
        return {};
      }
      draw() {}
      build() {
        return 'built';
      }
    }
    registerPlugin({ objectives: { own: new Own() } }, 'own.mjs');
    const own: Readonly<Record<string, unknown>> = Reflect.get(objectives, 'own');
    expect(own.options).toEqual({});
    expect((own.build as () => string)()).toBe('built');
    expect(configKeys().get('objective.kind')?.choices).toContain('own');
  });
});

describe('a module of a plug-in', () => {
  const counter = globalThis as { lacunaLoads?: number };
  const module = async (name: string, text: string) => {
    const path = join(folder, name);
    await writeFile(path, text);
    return path;
  };

  it('is loaded once, however often it is named', async () => {
    counter.lacunaLoads = 0;
    const path = await module(
      'constant.mjs',
      'globalThis.lacunaLoads++; export default { protocols: { constant: { async *run() { yield ["one", 1]; } } } };',
    );
    await Promise.all([loadPlugins([path]), loadPlugins([path, path])]);
    await loadPlugins([join(folder, '.', 'constant.mjs')]);
    expect(counter.lacunaLoads).toBe(1);
    expect(protocols).toHaveProperty('constant');
  });

  it('is refused, with its path, where it cannot be loaded or exports no plug-in', async () => {
    const absent = join(folder, 'absent.mjs');
    const failing = await module('failing.mjs', 'throw new Error("of its own");');
    const named = await module('named.mjs', 'export const protocols = {};');
    for (const [path, message] of [
      [absent, 'could not load this plug-in'],
      [failing, 'could not load this plug-in: of its own'],
      [named, 'expected a default export'],
    ]) {
      await expect(loadPlugins([path])).rejects.toThrow(InputError);
      await expect(loadPlugins([path])).rejects.toThrow(`${path}: ${message}`);
    }
  });
});
