/**
 * A column of dates or times, in seconds: one token for the position in time, and two for each circle it goes round, which
 * are the sine and cosine of an angle, so that midnight is beside 23:59 and December beside January.
 */
import { z } from 'zod';
import { MISSING_ID } from '../records/token-block.js';
import { type Field, type FieldFit, numericTokens, wrongType } from './field.js';
import { addMoments, noMoments, numericCells, scaleOf, writeNumbers } from './field-number.js';

const DAY = 86_400;
const mod = (value: number, by: number) => value - by * Math.floor(value / by);
const dayOf = (seconds: number) => Math.floor(seconds / DAY);

/** The month of a number of seconds since 1970 in UTC, January is 0, by integers alone (Hinnant, "chrono-compatible low-level date algorithms"). */
function monthOf(seconds: number): number {
  const days = dayOf(seconds) + 719_468;
  const day = days - Math.floor(days / 146_097) * 146_097;
  const year = Math.floor(
    (day - Math.floor(day / 1460) + Math.floor(day / 36_524) - Math.floor(day / 146_096)) / 365,
  );
  const ofYear = day - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  return (Math.floor((5 * ofYear + 2) / 153) + 2) % 12;
}

/** The circles, by name: what part of the way round seconds `s` are, in words and in fact. */
const circles = {
  'time of day': { turn: '(s mod 86400) / 86400', of: (s: number) => mod(s, DAY) / DAY },
  'day of week': {
    turn: '(floor(s / 86400) + 3) mod 7 / 7, Monday is 0',
    of: (s: number) => mod(dayOf(s) + 3, 7) / 7,
  },
  month: { turn: 'months since January / 12, in UTC', of: (s: number) => monthOf(s) / 12 },
} as const;

type Circle = keyof typeof circles;
const circleNames = Object.keys(circles) as Circle[];

/** Shorter spans of days say nothing of the week, or of the year. */
const WEEKS = 14 * DAY;
const MONTHS = 60 * DAY;

export const dateSchema = z.strictObject({
  name: z.string(),
  type: z.literal('date'),
  mean: z.number(),
  sd: z.number().positive(),
  /** Each is two tokens after that of the position: sine and cosine of 2π · turn, not standardised. */
  circles: z
    .array(z.strictObject({ name: z.enum(circleNames), turn: z.string() }))
    .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, 'must be different')
    .refine((list) => list.every(({ name, turn }) => turn === circles[name].turn), 'has another formula'),
});

export type DateState = z.infer<typeof dateSchema>;

export function fitDate(name: string): FieldFit<DateState> {
  const moments = noMoments();
  let time = Number.NaN;
  let timesVary = false;
  return {
    add(column, count) {
      if (column.type !== 'number') throw wrongType(name, column.type, 'dates');
      addMoments(moments, column.values, count);
      for (let row = 0; row < count && !timesVary; row++) {
        const seconds = column.values[row];
        if (!Number.isFinite(seconds)) continue;
        const ofDay = mod(seconds, DAY);
        timesVary = !Number.isNaN(time) && ofDay !== time;
        time = ofDay;
      }
    },
    state() {
      if (moments.count === 0) return undefined;
      const span = moments.maximum - moments.minimum;
      const told: Record<Circle, boolean> = {
        'time of day': timesVary,
        'day of week': span >= WEEKS,
        month: span >= MONTHS,
      };
      const kept = circleNames.filter((circle) => told[circle]);
      return {
        name,
        type: 'date',
        ...scaleOf(name, moments),
        circles: kept.map((circle) => ({ name: circle, turn: circles[circle].turn })),
      };
    },
  };
}

/** Sines and cosines are not standardised. */
const UNIT = { mean: 0, sd: 1 };

export function dateField(state: DateState): Field {
  const { name } = state;
  const names = [
    name,
    ...state.circles.flatMap((circle) => [
      `${name}: ${circle.name}, sine`,
      `${name}: ${circle.name}, cosine`,
    ]),
  ];
  return {
    column: name,
    tokens: numericTokens(names),
    write(column, cells) {
      const seconds = numericCells(name, column);
      writeNumbers(column, seconds, cells, state);
      let { start } = cells;
      for (const circle of state.circles) {
        const { of } = circles[circle.name];
        // What is no time stays what it is, so that every token of the record is missing or bad alike.
        const angles = seconds.map((s) => (Number.isFinite(s) ? 2 * Math.PI * of(s) : s));
        for (const wave of [Math.sin, Math.cos]) {
          const values = angles.map((angle) => (Number.isFinite(angle) ? wave(angle) : angle));
          writeNumbers(column, values, { ...cells, start: ++start }, UNIT);
        }
      }
    },
    /** Seconds for the position; a sine or cosine is what it is. */
    decode: (token, value) => (token === 0 ? state.mean + state.sd * value : value),
    label: (token, id) => (id === MISSING_ID ? `${names[token]} missing` : names[token]),
  };
}
