import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { className, describeLabels, encodeLabels, type TargetColumn } from './labels.js';

const numbers = (name: string, values: readonly number[]): TargetColumn => ({
  name,
  values: Float64Array.from(values),
});
const text = (name: string, values: readonly (string | null)[]): TargetColumn => ({ name, values });
const repeat = <T>(values: readonly T[], times: number) => Array.from({ length: times }, () => values).flat();

describe('describeLabels', () => {
  it('sees regression in measured numbers', () => {
    // The first rows of ESOL.
    const spec = describeLabels([numbers('log_solubility', [-0.77, -3.3, -2.06, -7.87, Number.NaN])]);
    expect(spec).toMatchObject({ task: 'regression', targets: 1, outputs: 1, classes: [] });
    expect(spec.reason).toBe('log_solubility: numbers, so regression');
  });

  it('sees a binary label in two values, the larger being positive', () => {
    expect(describeLabels([numbers('p_np', [1, 1, 0, Number.NaN, 1])])).toMatchObject({
      task: 'binary',
      outputs: 1,
      classes: [['0', '1']],
      reason: 'p_np: two values, 0 and 1, so binary; 1 is the positive class',
    });
    const { classes } = describeLabels([text('income', ['>50K', '<=50K', null, '<=50K'])]);
    expect(classes).toEqual([['<=50K', '>50K']]);
    expect(describeLabels([text('sign', ['1', '-1', '1'])]).classes).toEqual([['-1', '1']]);
  });

  it('sees classes in text, in code-unit order, and in gapless numbers, in numeric order', () => {
    const scop = describeLabels([text('scop_class', repeat(['c', 'a', null, 'b'], 3))]);
    expect(scop).toMatchObject({ task: 'multiclass', targets: 1, outputs: 3, classes: [['a', 'b', 'c']] });
    const digits = Array.from({ length: 12 }, (_, i) => 11 - i);
    const spec = describeLabels([numbers('digit', repeat(digits, 5))]);
    expect(spec.task).toBe('multiclass');
    expect(spec.classes[0].slice(0, 3)).toEqual(['0', '1', '2']);
    expect(spec.classes[0].at(-1)).toBe('11');
    expect(spec.reason).toContain('--task regression');
  });

  it('takes integers with gaps, or few of each, for amounts', () => {
    expect(describeLabels([numbers('quality', repeat([3, 4, 5, 7], 20))]).task).toBe('regression');
    expect(describeLabels([numbers('count', [0, 1, 2, 3, 4, 5])]).task).toBe('regression');
  });

  it('sees several yes/no columns as multilabel, also when one happens to be all 0', () => {
    const nan = Number.NaN;
    const columns = [
      numbers('NR-AR', [0, 1, nan]),
      numbers('NR-ER', [0, 0, 0]),
      numbers('SR-p53', [nan, 1, 0]),
    ];
    expect(describeLabels(columns)).toMatchObject({
      task: 'multilabel',
      targets: 3,
      outputs: 3,
      classes: repeat([['0', '1']], 3),
    });
    expect(describeLabels([numbers('homo', [0.1, 0.2, 0.3]), numbers('lumo', [1, 2, 2])]).task).toBe(
      'regression',
    );
  });

  it('obeys the task asked for', () => {
    const digit = numbers('digit', repeat([0, 1, 2], 5));
    expect(describeLabels([digit], 'regression').task).toBe('regression');
    expect(describeLabels([numbers('y', [0, 1, 1, 0])], 'multiclass')).toMatchObject({ outputs: 2 });
    expect(describeLabels([numbers('y', [0, 1])], 'multilabel')).toMatchObject({
      task: 'multilabel',
      outputs: 1,
    });
  });

  it('survives JSON', () => {
    const spec = describeLabels([text('kind', ['b', 'a', 'b'])]);
    expect(JSON.parse(JSON.stringify(spec))).toEqual(spec);
  });

  it.each([
    ['no column', [], undefined, 'no target column given'],
    ['all missing', [numbers('y', [Number.NaN])], undefined, 'every cell is missing'],
    ['constant number', [numbers('y', [4, 4])], undefined, 'every label is 4, nothing to learn'],
    ['constant text', [text('y', ['a', 'a'])], undefined, 'every label is a, nothing to learn'],
    ['an id', [text('y', ['a', 'b', 'c'])], undefined, '3 different values in 3 records'],
    ['text to regress', [text('y', ['a', 'b', 'a'])], 'regression', 'expected numbers, got text such as "a"'],
    ['three binary values', [numbers('y', [1, 2, 3])], 'binary', 'expected two values, got 3 (1, 2, 3)'],
    ['two binary columns', [numbers('y', [0, 1]), numbers('z', [0, 1])], 'binary', 'try multilabel'],
    ['two class columns', [text('y', ['a']), text('z', ['b'])], 'multiclass', 'takes one target column'],
    ['a mixed table', [numbers('y', [0, 1]), text('z', ['a', 'b', 'c'])], undefined, 'z: expected numbers'],
  ] as const)('refuses %s', (_, columns, task, message) => {
    const describing = () => describeLabels(columns, task);
    expect(describing).toThrow(InputError);
    expect(describing).toThrow(message);
  });
});

describe('encodeLabels', () => {
  it('puts targets side by side and keeps what is missing', () => {
    const columns = [numbers('a', [0, 1, Number.NaN]), text('b', ['yes', null, 'no'])];
    const labels = encodeLabels(describeLabels(columns), columns);
    expect(labels).toEqual(Float64Array.of(0, 1, 1, Number.NaN, Number.NaN, 0));
  });

  it('is undone by className', () => {
    const names = ['sheet', 'helix', 'coil', 'helix', 'sheet', 'coil'];
    const columns = [text('fold', names)];
    const spec = describeLabels(columns);
    const decoded = Array.from(encodeLabels(spec, columns), (index) => className(spec, 0, index));
    expect(decoded).toEqual(names);
    expect(() => className(spec, 0, 3)).toThrow('no class 3');
  });

  it('takes numbers and their text for the same class', () => {
    const spec = describeLabels([numbers('y', [-1, 1, 1])]);
    expect(encodeLabels(spec, [text('y', ['1', '-1'])])).toEqual(Float64Array.of(1, 0));
    const fromText = describeLabels([text('y', ['-1', '1'])]);
    expect(encodeLabels(fromText, [numbers('y', [1, -1])])).toEqual(Float64Array.of(1, 0));
  });

  it('leaves regression values as they are', () => {
    const columns = [numbers('y', [-0.77, 1e-9, Number.NaN, 3])];
    expect(encodeLabels(describeLabels(columns), columns)).toEqual(columns[0].values);
  });

  it('names the record of a label it cannot take', () => {
    const spec = describeLabels([text('kind', ['a', 'b'])]);
    expect(() => encodeLabels(spec, [text('kind', ['a', 'z'])])).toThrow(
      'target column kind, record 2: unknown class z, expected one of a, b',
    );
    const columns = [numbers('y', [1, 2, 3, Number.POSITIVE_INFINITY])];
    expect(() => encodeLabels(describeLabels(columns), columns)).toThrow(
      'record 4: expected a finite number',
    );
  });
});
