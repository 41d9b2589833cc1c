import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { map } from './map.js';
import { pretrain } from './pretrain.js';

/** Real molecules (ESOL, Delaney 2004). */
const texts =
  `CC(C)=CCCC(C)=CC(=O) c1ccsc1 c2ccc1scnc1c2 O=C1CCCN1 Clc1ccc2ccccc2c1 CCCC=C CCCCCCCCCCCCCC CC(C)Cl CCC(C)CO
N#Cc1ccccc1 CCCCCCCCCC(C)O CCCCCCCO`.split(/\s+/);

let folder: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-map-'));
  await writeFile(at('m.csv'), `smiles,kind\n${texts.map((text, i) => `${text},${i % 2}`).join('\n')}\n`);
  await pretrain({
    data: at('m.csv'),
    out: at('run'),
    config: {
      data: { columns: ['smiles'], valid_fraction: 0.3, test_fraction: 0 },
      encoder: { kind: 'transformer', width: 16, layers: 1, heads: 2 },
      training: { steps: 2, batch_size: 4, threads: 1 },
    },
  });
});
afterAll(() => rm(folder, { recursive: true }));

const dataOf = async (page: string) =>
  JSON.parse(/id="data">(.*?)<\/script>/s.exec(await readFile(page, 'utf8'))![1]);

it('draws every record with its cells, its neighbours and what is hidden of it', async () => {
  const out = at('map.html');
  expect(await map({ run: at('run'), data: at('m.csv'), out, colour: 'kind' })).toMatchObject({
    file: out,
    rows: 12,
    rejected: 0,
  });
  const data = await dataOf(out);
  expect(data.columns).toEqual(['smiles', 'kind']);
  expect(data.cells.map(([smiles]: string[]) => smiles)).toEqual(texts);
  expect(data.hidden.map(({ length }: string) => length)).toEqual(texts.map(({ length }) => length));
  expect(data.hidden.join('')).toContain('1');
  expect([data.text, data.colour, data.k]).toEqual([0, 'kind', 6]);
});

it('takes the first records up to a limit and says so, and refuses in words what it cannot draw', async () => {
  const told: string[] = [];
  const out = at('few.html');
  const onEvent = (event: object) => void ('message' in event && told.push(String(event.message)));
  const summary = await map({ run: at('run'), data: at('m.csv'), out, limit: 5 }, { onEvent });
  expect(summary.rows).toBe(5);
  expect(told.join('\n')).toContain('the map has the first 5 records; --limit says how many');
  const asked = { run: at('run'), data: at('m.csv'), out };
  await expect(map({ ...asked, limit: 0 })).rejects.toThrow('limit: expected a whole number of at least 1');
  await expect(map({ ...asked, limit: 2 })).rejects.toThrow('needs at least three records, got 2');
  await expect(map({ ...asked, out: at('x.png') })).rejects.toThrow('ends in .html');
  await expect(map({ ...asked, colour: 'shade' })).rejects.toThrow('choose among smiles, kind');
});
