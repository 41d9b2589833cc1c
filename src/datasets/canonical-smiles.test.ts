import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSource } from '../sources/open-source.js';
import { inAskedSmiles, inSpellingOf } from './canonical-smiles.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-canonical-smiles-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file of ethanol, aspirin and toluene as MoleculeNet, PubChem and a chemist may write them, and of what is no molecule. */
async function opened(name: string, rows: readonly string[]) {
  const path = join(folder, name);
  await writeFile(path, ['smiles,logS', ...rows, ''].join('\n'));
  return openSource(path);
}

const spelled = ['OCC,1.1', 'CC(=O)OC1=CC=CC=C1C(=O)O,-1.7', ',0.5', 'c1ccc(cc1)C,-2.2', 'no molecule,0'];

async function textsOf(source: Awaited<ReturnType<typeof opened>>) {
  const texts: (string | null)[] = [];
  for await (const { columns } of source.read())
    texts.push(...(columns.smiles.values as readonly (string | null)[]));
  return texts;
}

describe('a column of SMILES', () => {
  it('is read as RDKit writes it; a missing text and what is no molecule stay', async () => {
    const source = await opened('spelled.csv', spelled);
    const written = await inAskedSmiles(source, 'smiles');
    expect(await textsOf(written)).toEqual([
      'CCO',
      'CC(=O)Oc1ccccc1C(=O)O',
      null,
      'Cc1ccccc1',
      'no molecule',
    ]);
    expect(written.notes?.join()).toContain('RDKit reads 3 of the first 4 SMILES');
    expect(written.canonicalSmiles).toBe('smiles');
    // A later file is told of when it has been read, each of its texts once.
    const later = await inSpellingOf(source, { version: 1, columns: [], canonicalSmiles: 'smiles' });
    expect(later.found?.()).toEqual([]);
    for (let time = 0; time < 2; time++) await textsOf(later);
    expect(later.found?.()).toEqual([
      'RDKit does not read 1 SMILES, the first "no molecule"; what it does not read stays as it is',
    ]);
    for await (const { columns } of written.read({ columns: ['logS'] }))
      expect(Object.keys(columns)).toEqual(['logS']);
    // As the file has it, for the tables that carry it on.
    for await (const { texts } of written.read({ columns: ['smiles'], verbatim: ['smiles'] }))
      expect(texts?.smiles?.[0]).toBe('OCC');
  });

  it('is refused where it is not there, is of numbers, or is of no molecule', async () => {
    const source = await opened('refused.csv', ['hello,1', 'world,2']);
    await expect(inAskedSmiles(source, 'structure')).rejects.toThrow(
      '"structure" is not there; columns: smiles',
    );
    await expect(inAskedSmiles(source, 'logS')).rejects.toThrow('holds number, not text');
    await expect(inAskedSmiles(source, 'smiles')).rejects.toThrow('none of the first 2 texts');
    // Of a later file of a run, which may lack it.
    expect(
      await textsOf(await inSpellingOf(source, { version: 1, canonicalSmiles: 'structure', columns: [] })),
    ).toEqual(['hello', 'world']);
  });
});
