import { describe, expect, it } from 'vitest';
import { hiddenAtoms, moleculeMaskPictures } from './masks-picture.js';

/** "·" is visible, "#" is hidden. */
const mask = (title: string, pattern: string) => ({ title, hidden: [...pattern].map((c) => c === '#') });
const highlights = (markup: string) => markup.split('<ellipse').length - 1;

describe('hiddenAtoms', () => {
  it('takes an atom when any of its characters is hidden, and nothing for bonds and rings', () => {
    expect(hiddenAtoms('ClCC=O', mask('', '·#··#·'))).toEqual([0]);
    expect(hiddenAtoms('C[N+]1CC1', mask('', '···##·#·#'))).toEqual([1, 2]);
    expect(hiddenAtoms('CCO', mask('', '·'))).toEqual([]);
  });
});

describe('moleculeMaskPictures', () => {
  it('draws each molecule once per mask, at the same size, with the hidden atoms highlighted', async () => {
    const aspirin = 'CC(=O)Oc1ccccc1C(=O)O';
    const { text } = await moleculeMaskPictures([
      {
        smiles: aspirin,
        masks: [mask('SMA', '##···················'), mask('random', '#···#················')],
      },
    ]);
    const sizes = [...text.matchAll(/<svg [^>]*?width='(\d+)px' height='(\d+)px'/g)].map((m) => [m[1], m[2]]);
    expect(sizes.length).toBe(2);
    expect(sizes[0]).toEqual(sizes[1]);
    expect(highlights(text)).toBe(4);
    expect(text).toContain('<mark>CC</mark>(=O)Oc1ccccc1C(=O)O');
    expect(text).toContain('aria-label="CC(=O)Oc1ccccc1C(=O)O, SMA: 2 atoms hidden"');
  });

  it('shows salts and single atoms', async () => {
    const { text } = await moleculeMaskPictures([
      { smiles: '[Na+].[Cl-]', masks: [mask('SMA', '·#·········')] },
      { smiles: 'C', masks: [mask('SMA', '#')] },
    ]);
    expect(text.split('<svg').length - 1).toBe(2);
    expect(highlights(text)).toBe(2);
  });

  it.each(['C1ClC1', 'not a molecule (', '', '<script>'])('falls back to text for %j', async (smiles) => {
    const { text } = await moleculeMaskPictures([{ smiles, masks: [mask('SMA', '#')] }]);
    expect(text).not.toContain('<svg');
    expect(text).not.toContain('<script');
    expect(text).toContain('<p class="mask-text">');
  });

  it('inverts runs of hidden letters and escapes the text', async () => {
    const { text } = await moleculeMaskPictures([
      { smiles: 'MK<T&', masks: [mask('SMA', '##·##'), mask('none', '')] },
    ]);
    expect(text).toContain('<p class="mask-text"><mark>MK</mark>&lt;<mark>T&amp;</mark></p>');
    expect(text).toContain('<p class="mask-text">MK&lt;T&amp;</p>');
  });
});
