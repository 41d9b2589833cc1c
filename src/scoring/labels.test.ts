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

  it('tells what numbers are that were dates', () => {
    const opened = { ...numbers('opened', [86_400, 172_800, 345_600]), unit: 'seconds since 1970' };
    expect(describeLabels([opened, numbers('price', [1.5, 2, 3])]).reason).toBe(
      'opened in seconds since 1970, price: numbers, so regression',
    );
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

  it.each([
    ['TRUE', 'false'],
    ['true', 'FALSE'],
    ['YES', 'no'],
    ['t', 'F'],
  ])('takes %s for the positive class beside %s', (yes, no) => {
    expect(describeLabels([text('passed', [yes, no, yes])]).classes).toEqual([[no, yes]]);
  });

  it('sees classes in text, in code-unit order, and in gapless numbers, in numeric order', () => {
    const scop = describeLabels([text('scop_class', repeat(['c', 'a', null, 'b'], 3))]);
    expect(scop).toMatchObject({ task: 'multiclass', targets: 1, outputs: 3, classes: [['a', 'b', 'c']] });
    expect(scop.reason).toBe('scop_class: 3 classes (a, b, c), so multiclass');
    const digits = Array.from({ length: 12 }, (_, i) => 11 - i);
    const spec = describeLabels([numbers('digit', repeat(digits, 5))]);
    expect(spec.task).toBe('multiclass');
    expect(spec.classes[0].slice(0, 3)).toEqual(['0', '1', '2']);
    expect(spec.classes[0].at(-1)).toBe('11');
    expect(spec.reason).toContain('--task regression');
  });

  it('counts classes from 0 or from 1, three at least, with five records of each on average', () => {
    const task = (values: readonly number[]) => describeLabels([numbers('grade', values)]).task;
    expect(task(repeat([0, 1, 2], 5))).toBe('multiclass');
    expect(task(repeat([1, 2, 3], 5))).toBe('multiclass');
    expect(task(repeat([1, 2, 3], 5).slice(1))).toBe('regression');
    expect(task([...repeat([1, 2], 7), 3])).toBe('multiclass');
    expect(task(repeat([2, 3, 4], 5))).toBe('regression');
    expect(task(repeat([-1, 0, 1], 5))).toBe('regression');
    expect(task(repeat([0, 1, 3], 5))).toBe('regression');
    expect(describeLabels([numbers('grade', repeat([0, 1, 3], 5))]).reason).toContain('--task multiclass');
    expect(task(repeat([0, 0.5, 1], 5))).toBe('regression');
    // A constant is no class to tell from others.
    expect(() => task(repeat([1], 9))).toThrow('every label is 1');
    expect(() => task(repeat([0], 9))).toThrow('every label is 0');
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

  it('takes a column of only 0 or only 1 for yes/no, but not one of another number or of text', () => {
    const two = numbers('a', [0, 1, 1]);
    for (const other of [numbers('b', [0, 0, 0]), numbers('b', [1, 1, 1]), text('b', ['1', '1', null])]) {
      const spec = describeLabels([two, other]);
      expect(spec).toMatchObject({ task: 'multilabel', classes: repeat([['0', '1']], 2) });
      expect(spec.reason).toBe('a, b: two values each, so multilabel');
    }
    expect(() => describeLabels([two, numbers('b', [5, 5, 5])])).toThrow('b: every label is 5');
    expect(() => describeLabels([two, numbers('b', [5, 5, 5])], 'multilabel')).toThrow(
      'target column b: expected two values, got 1 (5); it was asked to be a multilabel task',
    );
    expect(describeLabels([two, numbers('b', [0, 1, 2])]).task).toBe('regression');
    expect(() => describeLabels([two, numbers('b', [0, 1, 2])], 'multilabel')).toThrow(
      'target column b: expected two values, got 3 (0, 1, 2)',
    );
    expect(() => describeLabels([numbers('b', [0, 1, 2, 3])], 'binary')).toThrow('got 4 (0, 1, 2, …)');
  });

  it('sorts values as numbers only where all are', () => {
    const classes = (values: readonly string[]) => describeLabels([text('y', repeat(values, 3))]).classes[0];
    expect(classes(['10', '9', '1'])).toEqual(['1', '9', '10']);
    expect(classes(['10', '9', 'a'])).toEqual(['10', '9', 'a']);
    // Blanks are a value, but no number, though Number reads them as 0.
    expect(classes(['10', ' ', '9'])).toEqual([' ', '10', '9']);
    expect(classes(['10', '', '9'])).toEqual(['', '10', '9']);
    expect(classes(['10', 'Infinity', '9'])).toEqual(['10', '9', 'Infinity']);
  });

  it('has an output for each class of tokens', () => {
    const states = text('ss3', repeat(['H', 'E', 'C', null], 4));
    expect(describeLabels([states], 'per-token')).toEqual({
      task: 'per-token',
      columns: ['ss3'],
      targets: 1,
      outputs: 3,
      classes: [['C', 'E', 'H']],
      reason: 'ss3: 3 classes (C, E, H), one letter for each token, so per-token',
    });
    expect(() => describeLabels([states, states], 'per-token')).toThrow(
      'per-token takes one target column, got ss3, ss3; it was asked to be a per-token task',
    );
    expect(() => describeLabels([text('ss3', ['H', 'H'])], 'per-token')).toThrow('every label is H');
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
  it.each([1e300, -1e39, Number.POSITIVE_INFINITY])('refuses %d, which no network can hold', (value) => {
    const columns = [numbers('y', [1.5, value, 1e38])];
    expect(() => encodeLabels(describeLabels(columns, 'regression'), columns)).toThrow(
      'target column y, record 2: expected a number of at most 3.4e+38',
    );
  });

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
    expect(() => className(spec, 1, 0)).toThrow('target 1 of a multiclass task has no class 0');
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

  it('names the classes that it knows, the first twelve of many', () => {
    const letters = [...'abcdefghijklm'];
    for (const [count, list] of [
      [12, 'a, b, c, d, e, f, g, h, i, j, k, l'],
      [13, 'a, b, c, d, e, f, g, h, i, j, k, l, … (13)'],
    ] as const) {
      const spec = describeLabels([text('kind', repeat(letters.slice(0, count), 2))]);
      expect(() => encodeLabels(spec, [text('kind', ['z'])])).toThrow(
        new InputError(`target column kind, record 1: unknown class z, expected one of ${list}`),
      );
    }
  });

  it('takes as many columns as there are targets', () => {
    const column = numbers('y', [1, 2, 3.5]);
    const spec = describeLabels([column]);
    expect(() => encodeLabels(spec, [column, column])).toThrow('2 columns, expected 1');
  });

  it('names the record of a label it cannot take', () => {
    const spec = describeLabels([text('kind', ['a', 'b'])]);
    expect(() => encodeLabels(spec, [text('kind', ['a', 'z'])])).toThrow(
      'target column kind, record 2: unknown class z, expected one of a, b',
    );
    const columns = [numbers('y', [1, 2, 3, Number.POSITIVE_INFINITY])];
    expect(() => encodeLabels(describeLabels(columns), columns)).toThrow(
      'record 4: expected a number of at most',
    );
  });
});
