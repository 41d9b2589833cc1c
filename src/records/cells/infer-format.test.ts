import { describe, expect, it } from 'vitest';
import { MISSING_WORDS } from './cell-format.js';
import { type InferOptions, inferColumn } from './infer-format.js';

const csv: InferOptions = { missing: new Set(MISSING_WORDS), chosen: false, numbers: true };
const many = (cells: string[], times = 40) => Array.from({ length: times }, () => cells).flat();

describe('inferColumn', () => {
  it('takes numbers for numbers, with one stray cell in a hundred', () => {
    expect(inferColumn(['1', '-2.5', '1e3', 'NA', null, ''], csv)).toEqual({ type: 'number' });
    expect(inferColumn([...many(['1', '2']), 'oops'], csv)).toEqual({ type: 'number' });
    expect(inferColumn([...many(['1', '2']), 'oops', 'again'], csv).type).toBe('text');
    expect(inferColumn(['1', '2', 'oops'], csv)).toEqual({ type: 'text' });
  });
  it('keeps codes and ids that a number would change', () => {
    for (const cells of [
      ['007', '12'],
      ['1_01', '10_1'],
      ['9007199254740993', '1'],
      ['12345678901234567890'],
    ])
      expect(inferColumn(cells, csv)).toEqual({ type: 'text' });
    expect(inferColumn(['0.5', '0'], csv)).toEqual({ type: 'number' });
    expect(inferColumn(['9007199254740991', '0.12345678901234567'], csv)).toEqual({ type: 'number' });
  });
  it('takes days in eight digits for dates where all are days, and there are three', () => {
    expect(inferColumn(['19580329', '19580405', 'NA', '20000229'], csv)).toEqual({
      type: 'number',
      format: { kind: 'date', holds: 'date', order: 'ymd' },
      doubt: '"19580329" is read as the day 1958-03-29',
    });
    for (const cells of [
      ['19580329', '19580405'],
      ['19580329', '19580405', '19580431'],
      ['19580329', '19580405', '195805'],
      ['19580329', '19580405', '19580329.5'],
    ])
      expect(inferColumn(cells, csv)).toEqual({ type: 'number' });
  });
  it('says what stands among the numbers of a column of text, unless these are names and codes', () => {
    const numbers = Array.from({ length: 20 }, (_, i) => `${i}.5`);
    const doubt = (cells: string[], more = {}) => inferColumn(cells, { ...csv, ...more }).doubt;
    expect(doubt([...numbers, '<0.5', 'NA', '<0.7'])).toBe(
      '20 of 22 cells are numbers, others such as "<0.5", and all are read as text; correct them, or read them as missing with --missing "<0.5"',
    );
    expect(doubt([...numbers.map((cell) => cell.replace('.', ',')), '<0,5', '<0,7'])).toContain('20 of 22');
    expect(doubt([...numbers, '0,5', '1,5'])).toContain('20 of 22');
    expect(doubt([...numbers, ...numbers.map((_, i) => `PC ${i}`)])).toBeUndefined();
    expect(doubt([...numbers, '007a', '007b', '007'])).toBeUndefined();
    expect(doubt([...numbers, 'a', 'b'], { numbers: false })).toBeUndefined();
    expect(doubt(['1', '2', 'oops'])).toBeUndefined();
  });
  it('takes zeros before a number for a code only where there is neither point nor exponent', () => {
    expect(inferColumn(['42.9', '05.3', '0012.04'], csv)).toEqual({
      type: 'number',
      doubt: '"05.3" is read as 5.3',
    });
    expect(inferColumn(['42,9', '05,3'], csv)).toMatchObject({
      format: { decimal: ',' },
      doubt: '"05,3" is read as 5.3',
    });
    const { type, doubt } = inferColumn([...many(['42', '7.5']), '053'], csv);
    expect(type).toBe('text');
    expect(doubt).toBe('80 of 81 cells are numbers, others codes such as "053"; all are read as text');
  });
  it('prefers a format that fits every cell to one that fits nearly all, and leaves plain numbers what they are', () => {
    const lab = inferColumn([...many(['9,524', '5,474'], 150), '7,5', '4,5'], csv);
    expect(lab).toEqual({
      type: 'number',
      format: { kind: 'number', decimal: ',' },
      doubt: '"9,524" is read as 9.524, with a decimal comma',
    });
    expect(inferColumn([...many(['1.234', '2.345'], 150), '7,5'], csv)).toEqual({ type: 'number' });
    expect(inferColumn([...many(['5', '7'], 150), '$9'], csv).format).toMatchObject({ unit: '$' });
  });
  it('takes padded numbers beside what is no number for codes, and an exponent without a point', () => {
    expect(inferColumn([...many(['001.3', '288.2'], 150), 'V58.1'], csv).type).toBe('text');
    expect(inferColumn(many(['08E3', '12E1']), csv).type).toBe('text');
  });
  it('reads the minus that typesetters use', () => {
    for (const cells of [
      ['\u22120.5', '1.5'],
      [...many(['0.5', '-1.5']), '\u22122.5'],
    ])
      expect(inferColumn(cells, csv)).toEqual({
        type: 'number',
        format: { kind: 'number', decimal: '.' },
      });
  });
  it('says what a ratio or a number within a year is read as, and leaves seasons text', () => {
    expect(inferColumn(['1:10', '1:20'], csv).doubt).toBe('"1:10" is read as the time 01:10:00');
    expect(inferColumn(['2024/03', '2024/07'], csv).doubt).toBe('"2024/03" is read as the day 2024-03-01');
    for (const cells of [['2024-03', '2024-07'], ['10:20:30'], ['9:05 pm']]) {
      const { format, doubt } = inferColumn(cells, csv);
      expect(format?.kind).toBe('date');
      expect(doubt).toBeUndefined();
    }
    expect(inferColumn(['2001/02', '2002/03'], csv)).toEqual({ type: 'text' });
    expect(inferColumn(['2001-02', '2001-02'], csv).format?.kind).toBe('date');
  });
  it('knows words and booleans between blanks', () => {
    expect(inferColumn([' true', 'false', ' NA', ' '], csv).format?.kind).toBe('boolean');
    expect(inferColumn([' NA', ' '], csv)).toEqual({ type: 'text', empty: true });
  });
  it('leaves numbers in quotes as text where the format has numbers of its own', () => {
    expect(inferColumn(['1', '2'], { ...csv, numbers: false })).toEqual({ type: 'text' });
    expect(inferColumn(['$1', '$2'], { ...csv, numbers: false }).type).toBe('number');
    expect(inferColumn(['2024-01-01'], { ...csv, numbers: false }).type).toBe('number');
  });
  it('reads None among numbers as missing, unless the user names the words', () => {
    const cells = ['1', '2', 'None'];
    expect(inferColumn(cells, csv)).toEqual({ type: 'number', format: { kind: 'number', decimal: '.' } });
    expect(inferColumn(cells, { ...csv, missing: new Set(), chosen: true })).toEqual({ type: 'text' });
  });
  it('finds units, separators and decimal signs', () => {
    const format = (cells: string[], more = {}) => inferColumn(cells, { ...csv, ...more }).format;
    expect(format(['$5,533,000', '$49'])).toEqual({
      kind: 'number',
      decimal: '.',
      thousands: ',',
      unit: '$',
    });
    expect(format(['0,00', '1,37'])).toEqual({ kind: 'number', decimal: ',' });
    expect(format(['1.234,5', '2,5'])).toEqual({ kind: 'number', decimal: ',', thousands: '.' });
    expect(format(['1,5', '2'], { decimal: '.' })).toBeUndefined();
    expect(inferColumn(['$5', '€6'], csv)).toEqual({ type: 'text' });
    expect(inferColumn(['7%', '0.07', '8%', '0.08'], csv)).toEqual({ type: 'text' });
    expect(inferColumn(['$7', '7', '$8', '8'], csv).format).toMatchObject({ unit: '$' });
    expect(inferColumn(['A-12', 'B-13'], csv)).toEqual({ type: 'text' });
  });
  it('says what a comma before three digits may mean', () => {
    const { format, doubt } = inferColumn(['1,234', '12,345'], csv);
    expect(format).toEqual({ kind: 'number', decimal: '.', thousands: ',' });
    expect(doubt).toBe('"1,234" is read as 1234; --decimal , reads it as 1.234');
    expect(inferColumn(['1,234', '12,345'], { ...csv, decimal: ',' }).format).toEqual({
      kind: 'number',
      decimal: ',',
    });
    expect(inferColumn(['1,234', '0,345'], csv).format).toEqual({ kind: 'number', decimal: ',' });
    expect(inferColumn(['$1000,000', '$2000,000'], csv).doubt).toBe(
      '"$1000,000" is read as 1000, with a decimal comma',
    );
    expect(inferColumn(['1000,00', '2000,50'], csv).doubt).toBeUndefined();
  });
  it('finds dates, their order, and says where no cell tells it', () => {
    expect(inferColumn(['2024-03-01 00:10:00', '2024-03-02'], csv).format).toEqual({
      kind: 'date',
      holds: 'date and time',
      order: 'ymd',
    });
    expect(inferColumn(['03/04/2024', '13/04/2024'], csv)).toEqual({
      type: 'number',
      format: { kind: 'date', holds: 'date', order: 'dmy' },
    });
    expect(inferColumn(['03/04/2024'], csv).doubt).toContain('"03/04/2024" is read as 2024-03-04');
    expect(inferColumn(['03.04.2024'], csv).doubt).toContain('"03.04.2024" is read as 2024-04-03');
    expect(inferColumn(['10:30', '11:45'], csv).format).toMatchObject({ holds: 'time' });
    expect(inferColumn(['2019', '2020'], csv)).toEqual({ type: 'number' });
  });
  it('leaves the type of an empty column open', () => {
    expect(inferColumn([null, '', 'NA'], csv)).toEqual({ type: 'text', empty: true });
  });
});
