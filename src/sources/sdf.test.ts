import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRDKit, useMolecule } from '../molecules/rdkit.js';
import type { BadRecord } from '../records/record-batch.js';
import { openSource } from './open-source.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-sdf-'));
afterAll(() => rmSync(folder, { recursive: true }));

let ethanol: string;
let benzene: string;

beforeAll(async () => {
  const rdkit = await loadRDKit();
  ethanol = useMolecule(rdkit.get_mol('CCO'), (molecule) => molecule.get_molblock())!;
  benzene = useMolecule(rdkit.get_mol('c1ccccc1'), (molecule) => molecule.get_v3Kmolblock())!;
});

/** A record with a name in its first line. */
const record = (block: string, name: string, tags: Record<string, string>) =>
  [
    name + block.slice(block.indexOf('\n')).trimEnd(),
    ...Object.entries(tags).map(([tag, value]) => `>  <${tag}>\n${value}\n`),
    '$$$$\n',
  ].join('\n');

async function read(name: string, text: string | Uint8Array, columns?: string[]) {
  const path = join(folder, name);
  writeFileSync(path, text);
  const bad: BadRecord[] = [];
  const source = await openSource(path, { onBadRecord: 'skip', report: (found) => bad.push(found) });
  const values: Record<string, unknown[]> = {};
  for await (const batch of source.read({ columns }))
    for (const [column, cells] of Object.entries(batch.columns))
      values[column] = [...(values[column] ?? []), ...cells.values];
  return { source, values, bad };
}

describe('an SD file', () => {
  it('refuses a record with a tag that stands twice with different values', async () => {
    const twice = (first: string, second: string) =>
      record(ethanol, 'ethanol', { logP: first }).replace('$$$$', `>  <logP>\n${second}\n\n$$$$$$$$`);
    const { values, bad } = await read('twice.sdf', twice('-0.31', '4.5') + twice('-0.31', '-0.31'));
    expect(values.logP).toEqual([-0.31]);
    expect(bad).toMatchObject([
      { row: 0, column: 'logP', message: 'the tag stands twice, with different values' },
    ]);
    expect((await read('twice.sdf', twice('-0.31', '4.5'), ['smiles'])).bad).toEqual([]);
  });

  it('gives SMILES, names and a column for each tag, from either version of the block', async () => {
    const text =
      record(ethanol, 'ethanol', { logP: '-0.31', code: '007', note: 'two\nlines' }) +
      record(benzene, '', { logP: '2.13', code: '11', only: 'here' });
    for (const [name, content] of [
      ['a.sdf', text],
      ['b.sdf.gz', gzipSync(text)],
      ['crlf.sdf', text.replaceAll('\n', '\r\n')],
    ] as const) {
      const { source, values, bad } = await read(name, content);
      expect(source.format).toBe('sdf');
      expect(source.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
        'smiles text',
        'name text',
        'logP number',
        'code text',
        'note text',
        'only text',
      ]);
      expect(values).toEqual({
        smiles: ['CCO', 'c1ccccc1'],
        name: ['ethanol', null],
        logP: [-0.31, 2.13],
        code: ['007', '11'],
        note: ['two\nlines', null],
        only: [null, 'here'],
      });
      expect(bad).toEqual([]);
    }
  });

  it('has no column of names where there are none, and reads some columns alone', async () => {
    const text = record(ethanol, '', { y: '1' }) + record(benzene, '', { y: 'NA' });
    const { source, values } = await read('unnamed.sdf', text, ['y']);
    expect(source.columns.map(({ name }) => name)).toEqual(['smiles', 'y']);
    expect(values).toEqual({ y: [1, Number.NaN] });
  });

  it('tells a molecule that RDKit does not read with the line where it begins', async () => {
    const broken = 'nothing\n\n\n  9  9  0  0  0  0\nM  END\n$$$$\n';
    const text = record(ethanol, 'a', {}) + broken + record(benzene, 'b', {});
    const { values, bad } = await read('broken.sdf', text);
    expect(values.name).toEqual(['a', 'b']);
    const line = text.slice(0, text.indexOf('nothing')).split('\n').length;
    expect(bad).toMatchObject([
      { row: 1, line, column: 'smiles', message: 'a molecule that RDKit does not read' },
    ]);
    expect((await read('broken.sdf', text, ['name'])).values.name).toEqual(['a', 'nothing', 'b']);
    // An atom of no element, such as one in lower case.
    const lower = record(ethanol.replace(' O ', ' o '), 'c', {}) + record(ethanol, 'd', {});
    expect((await read('lower.sdf', lower)).values).toMatchObject({ name: ['d'], smiles: ['CCO'] });
  });

  it('keeps the digits of integers that no number holds, and has no infinite numbers', async () => {
    const text =
      record(ethanol, '', { id: '9007199254740993', y: '1e400' }) + record(benzene, '', { id: '12', y: '2' });
    const { values } = await read('large.sdf', text, ['id', 'y']);
    expect(values).toEqual({ id: ['9007199254740993', '12'], y: [Number.NaN, 2] });
  });

  it('leaves out a tag named like its own columns', async () => {
    const { source } = await read('own.sdf', record(ethanol, 'a', { smiles: 'C', name: 'b', y: '1' }));
    expect(source.columns.map(({ name }) => name)).toEqual(['smiles', 'name', 'y']);
    expect(source.leftOut?.map(({ name }) => name)).toEqual(['smiles', 'name']);
  });
});
