import { describe, expect, it } from 'vitest';
import { lookOf, type TextLook } from './text-look.js';

const cases: [TextLook | undefined, string, string[]][] = [
  ['UUID', 'session', ['123e4567-e89b-12d3-a456-426614174000', '9B2E4567-E89B-12D3-A456-42661417400A']],
  ['hash', 'digest', ['d41d8cd98f00b204e9800998ecf8427e', '900150983cd24fb0d6963f7d28e17f72']],
  ['IP address', 'host', ['192.168.0.1', '10.0.0.7:8080', '2001:db8::ff00:42:8329']],
  ['e-mail address', 'contact', ['ada@example.org', 'c.babbage@mail.example.com']],
  ['URL', 'page', ['https://example.org/a?b=c', 'www.example.org']],
  ['path', 'file', ['/data/images/0001.png', 'images/0002.jpeg', 'C:\\scans\\3.tiff']],
  ['sequence', 'x', ['OCC3OC(OCC2OC)C3O', 'Cc1occc1C(=O)Nc2ccccc2', 'CCO']],
  ['sequence', 'x', ['C[C@H](N)C(=O)O', 'F/C=C/F', 'CC(C)CC1=CC=C(C=C1)[C@@H](C)C(=O)O.Cl']],
  ['sequence', 'x', ['OCC3OC(OCC2OC)C3O ', ' c2ccc1scnc1c2 ']],
  ['sequence', 'x', ['MQIFVKTLTGK', 'MVLSPADKTN', 'GIVEQCCTS-C*']],
  ['sequence', 'x', ['acgtnacg', 'ggcatt']],
  ['sequence', 'x', ['CC(=O)O.OCC>>CC(=O)OCC |f:0.1|', 'C=C |r|']],
  ['sequence', 'x', ['M Q I F V K T', 'M V L S P A D']],
  ['sequence', 'smiles', ['CCO', 'CCN']],
  [
    'prose',
    'x',
    ['when are bears bears and when are they not', 'the theory holds for a wing in a slipstream'],
  ],
  [
    'prose',
    'x',
    [
      '翼の揚力は理論よりも大きいことが実験によって確かめられた。',
      '理論は滑流の中の翼に対して成り立つことが本研究により示されている。',
    ],
  ],
  [undefined, 'x', ['Braund, Mr. Owen Harris', 'Heikkinen, Miss Laina']],
  [undefined, 'x', ['221B Baker Street, London NW1 6XE', '12 Rue de la Paix, 75002 Paris']],
  [undefined, 'x', ['AAPL', 'MSFT']],
  [undefined, 'x', ['A/5 21171', 'PC 17599']],
  [undefined, 'x', ['SKU-12345-XL', 'SKU-99-S']],
  [undefined, 'x', ['2024-03-01 00:10:00', '2024-03-01 00:20:00']],
  [undefined, 'x', []],
  [undefined, 'x', ['', '']],
];

describe('what texts look like', () => {
  it.each(cases)('%s: column %s of %j', (look, name, texts) => {
    expect(lookOf(name, texts)).toBe(look);
  });

  it('is told by most of them, from the first thousand', () => {
    const hosts = Array.from({ length: 19 }, (_, i) => `10.0.0.${i}`);
    expect(lookOf('host', [...hosts, 'localhost'])).toBe('IP address');
    expect(lookOf('host', [...hosts.slice(0, 5), 'localhost', 'gateway'])).toBeUndefined();
    function* endless() {
      for (let i = 0; ; i++) yield `10.0.${i >> 8}.${i & 255}`;
    }
    expect(lookOf('host', endless())).toBe('IP address');
  });
});
