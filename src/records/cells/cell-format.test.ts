import { describe, expect, it } from 'vitest';
import {
  areBooleans,
  type DateFormat,
  dateParts,
  dateValue,
  formattedNumber,
  isMissingNumber,
  plainNumber,
} from './cell-format.js';

const seconds = (iso: string) => Date.parse(iso) / 1000;

describe('plainNumber', () => {
  it('reads what every language writes for a number', () => {
    expect(['1', '-2.5', '+3', '.5', '5.', '1e3', ' 7 ', '1E-2'].map(plainNumber)).toEqual([
      1, -2.5, 3, 0.5, 5, 1000, 7, 0.01,
    ]);
  });
  it('refuses what some programs take for a number', () => {
    for (const cell of ['1_000', '0x10', '1e', '', '1,5', 'Infinity', 'true', '1 2', '--1'])
      expect(plainNumber(cell)).toBeUndefined();
  });
});

describe('formattedNumber', () => {
  it.each([
    ['$5,533,000', { decimal: '.', thousands: ',', unit: '$' }, 5533000],
    ['-$5', { decimal: '.', unit: '$' }, -5],
    ['$ -5', { decimal: '.', unit: '$' }, -5],
    ['1.234,50 €', { decimal: ',', thousands: '.', unit: '€' }, 1234.5],
    ['12 %', { decimal: '.', unit: '%' }, 12],
    ['1\u202f234,5', { decimal: ',', thousands: ' ' }, 1234.5],
    ["1'234.5", { decimal: '.', thousands: "'" }, 1234.5],
    ['(1,234)', { decimal: '.', thousands: ',' }, -1234],
    ['12', { decimal: '.', thousands: ',', unit: '$' }, 12],
  ] as const)('reads %s', (cell, format, value) => {
    expect(formattedNumber(cell, { kind: 'number', ...format })).toBe(value);
  });
  it('refuses groups that are not of three digits, and other units', () => {
    const format = { kind: 'number', decimal: '.', thousands: ',', unit: '$' } as const;
    for (const cell of ['$1,23', '1,2345', '€5', '$', 'about 5', '(-5)'])
      expect(formattedNumber(cell, format)).toBeUndefined();
  });
});

describe('dateValue', () => {
  const date = (holds: DateFormat['holds'], order: DateFormat['order'] = 'ymd'): DateFormat => ({
    kind: 'date',
    holds,
    order,
  });
  it.each([
    ['2024-03-01', date('date'), '2024-03-01Z'],
    ['2024/3/1', date('date'), '2024-03-01Z'],
    ['2024-03', date('date'), '2024-03-01Z'],
    ['01.02.2024', date('date', 'dmy'), '2024-02-01Z'],
    ['01/02/2024', date('date', 'mdy'), '2024-01-02Z'],
    ['3 March 2024', date('date'), '2024-03-03Z'],
    ['Mar 3, 2024', date('date'), '2024-03-03Z'],
    ['03-Mar-2024', date('date'), '2024-03-03Z'],
    ['2024-03-01 10:20:30', date('date and time'), '2024-03-01T10:20:30Z'],
    ['2024-03-01T10:20:30.25Z', date('date and time'), '2024-03-01T10:20:30.25Z'],
    ['2024-03-01T10:20+02:00', date('date and time'), '2024-03-01T08:20:00Z'],
    ['1/2/2024 1:05 PM', date('date and time', 'mdy'), '2024-01-02T13:05:00Z'],
    ['2024-03-01', date('date and time'), '2024-03-01Z'],
  ])('reads %s', (cell, format, iso) => {
    expect(dateValue(cell, format)).toBe(seconds(iso));
  });
  it('reads a time alone as seconds since midnight', () => {
    expect(
      ['10:20', '10:20:30', '12:05 am', '9:05 p.m.'].map((cell) => dateValue(cell, date('time'))),
    ).toEqual([37200, 37230, 300, 75900]);
  });
  it('refuses days and times that there are not, and other words', () => {
    for (const cell of [
      '2024-02-30',
      '2024-13-01',
      '1234-5',
      'may',
      'Nov 31, 2023',
      '5 apples 2024',
      '12 Decks 2020',
      '1 janvier 2024',
    ])
      expect(dateValue(cell, date('date'))).toBeUndefined();
    expect(dateValue('25:00', date('time'))).toBeUndefined();
    expect(dateParts('31/31/2024')).toBeUndefined();
  });
  it('tells which digits leave the order open', () => {
    expect(dateParts('13/02/2024')).toEqual({ holds: 'date', order: 'dmy' });
    expect(dateParts('02/13/2024')).toEqual({ holds: 'date', order: 'mdy' });
    expect(dateParts('02/03/2024')).toEqual({ holds: 'date', ambiguous: true });
    expect(dateParts('03/03/2024')).toEqual({ holds: 'date', ambiguous: false });
  });
});

it('a number is missing by the usual words, or by those that the user names alone', () => {
  const usual = new Set(['NA']);
  expect(['None', '-', 'inf', 'n/a', 'NA', ''].every((cell) => isMissingNumber(cell, usual, false))).toBe(
    true,
  );
  expect(['None', '-', 'n/a'].some((cell) => isMissingNumber(cell, usual, true))).toBe(false);
  expect(['inf', '-Infinity', 'nan'].every((cell) => isMissingNumber(cell, usual, true))).toBe(true);
  expect(isMissingNumber('0', usual, false)).toBe(false);
});

it('a boolean has both words of a pair and no other', () => {
  expect(areBooleans(['TRUE', 'false', 'True'])).toBe(true);
  expect(areBooleans(['yes', 'No'])).toBe(true);
  expect(areBooleans(['true', 'no'])).toBe(false);
  expect(areBooleans(['true'])).toBe(false);
  expect(areBooleans(['true', 'false', 'maybe'])).toBe(false);
});
