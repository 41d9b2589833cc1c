import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { mapPage, type RecordMap } from './map-page.js';
import { MAP_SCRIPT } from './map-script.js';

const map: RecordMap = {
  title: 'flowers <of> iris',
  intro: 'Three records.',
  rows: Int32Array.of(0, 2, 7),
  places: Float32Array.of(0, 0, 1, 1, 0.5, 0.25),
  neighbors: Int32Array.of(1, 2, 0, 2, 0, 1),
  k: 2,
  columns: ['kind'],
  cells: [['setosa'], ['</script><b>'], [null]],
};

it('is one file that asks for nothing, and whose only script is its own', () => {
  const text = mapPage(map);
  expect(text).toContain('flowers &lt;of&gt; iris');
  expect(text).not.toMatch(/(src|href)=/);
  const hash = createHash('sha256').update(MAP_SCRIPT).digest('base64');
  expect(text).toContain(`script-src 'sha256-${hash}'`);
  expect(text).toContain(`<script>${MAP_SCRIPT}</script>`);
});

it('holds places, neighbours and cells as they were, whatever is in the cells', () => {
  const [, json] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(mapPage(map))!;
  const data = JSON.parse(json);
  const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));
  expect(Array.from(new Uint16Array(bytes(data.places).buffer))).toEqual([0, 0, 65535, 65535, 32768, 16384]);
  expect(Array.from(new Int32Array(bytes(data.neighbors).buffer))).toEqual([1, 2, 0, 2, 0, 1]);
  expect(data.cells).toEqual(map.cells);
  expect(data.rows).toEqual([0, 2, 7]);
});

it('has a script that parses', () => {
  expect(() => new Function(MAP_SCRIPT)).not.toThrow();
});

it('is coloured at first by a column that tells groups apart, else by numbers, else not at all', () => {
  const colourOf = (cells: string[][]) => {
    const columns = cells[0].map((_, at) => `c${at}`);
    const page = mapPage({ ...map, columns, cells });
    return JSON.parse(/id="data">(.*?)<\/script>/s.exec(page)![1]).colour;
  };
  const rows = Array.from({ length: 12 }, (_, i) => [`text ${i}`, String(i / 8), i % 2 === 0 ? 'a' : 'b']);
  expect(colourOf(rows)).toBe('c2');
  expect(colourOf(rows.map(([text, number]) => [text, number]))).toBe('c1');
  expect(colourOf(rows.map(([text]) => [text]))).toBeUndefined();
});
