import { describe, expect, it } from 'vitest';
import { isIdName, isLabelName, isSplitName, labelWord, mayNameRecord, splitByName } from './column-roles.js';

describe('names of columns', () => {
  it.each(['split', 'Split', 'scaffold_split', 'random-split'])('%s says the part', (name) => {
    expect(isSplitName(name)).toBe(true);
  });
  it.each(['splitter', 'split_time', 'unsplit'])('%s does not', (name) => {
    expect(isSplitName(name)).toBe(false);
  });

  it('a column called split comes before others that end in it, and numbers are no parts', () => {
    const text = (name: string) => ({ name, type: 'text' as const });
    expect(splitByName([text('random_split'), text('split')])).toBe('split');
    expect(splitByName([text('a'), text('random_split'), text('scaffold_split')])).toBe('random_split');
    expect(splitByName([{ name: 'split', type: 'number' }])).toBeUndefined();
  });

  it('tell ids for sure, and what may be an id or a heading', () => {
    expect(['id', 'ID', '_id', 'accession', 'uuid'].every(isIdName)).toBe(true);
    expect(['name', 'key', 'index', 'store_id', 'width'].some(isIdName)).toBe(false);
    expect(['molecule_chembl_id', 'name', 'description', 'index'].every(mayNameRecord)).toBe(true);
    expect(['width', 'filename2', 'titles_won', 'sequence', 'smiles'].some(mayNameRecord)).toBe(false);
  });

  it('tell labels for sure, and words that hint at one', () => {
    expect(['label', 'Class', 'target', 'y', 'fold_label'].every(isLabelName)).toBe(true);
    expect(['workclass', 'pos_y', 'activity'].some(isLabelName)).toBe(false);
    expect(
      ['log_fluorescence_score', 'LogScore', 'activity', 'y', 'pos_y', 'workclass'].map(labelWord),
    ).toEqual(['score', 'score', 'activity', 'y', undefined, undefined]);
  });
});
