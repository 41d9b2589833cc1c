/** How each method looks, the same in every figure. */
import { PALETTE } from './charts.js';
import type { Results } from './results.js';

export interface MethodStyle {
  readonly color: string;
  /** Hollow marks and dashed lines: an encoder that is frozen, a mean of folds, trained for equal total compute or of convolutions, beside one of its colour. */
  readonly hollow: boolean;
}

const [BLUE, VERMILION, GREEN, ...REST] = PALETTE;
/** A table of all methods has more than the palette: these are told from it, and from each other, on light and on dark. */
const SPARE = [...REST, '#8c564b', '#8e6bbf', '#8a8a1c', '#d62976'];

/** An encoder keeps its colour, fine-tuned or frozen; one that was never pretrained is green. */
const ENCODERS: Readonly<Record<string, string>> = {
  SMA: BLUE,
  'random masking': VERMILION,
  'from scratch': GREEN,
  untrained: GREEN,
};
const CONSTANT = '#777777';

/** What is done with an encoder, or which it is, as the names of methods end; it does not change their colour. */
const CONDITIONS = [
  'frozen',
  'mean of folds',
  'equal total',
  'convolution encoder',
  'attentive convolutions',
];
const CONDITION = new RegExp(`(, (${CONDITIONS.join('|')}))+$`);
/** For captions: which methods are hollow. */
export const whereHollow = `where the name ends in ${CONDITIONS.slice(0, -1).join(', ')} or ${CONDITIONS.at(-1)}`;
const encoderOf = (method: string) => method.replace(CONDITION, '');

/** Ensembles, of which an encoder may be a part: they have colours of their own. */
const isFit = (method: string) => method.startsWith('fit');

/** Whether an encoder is part of a method; the rest are simple baselines. */
export const isEncoderMethod = (method: string, pretraining?: string): boolean =>
  pretraining !== undefined || Object.hasOwn(ENCODERS, encoderOf(method));

/**
 * By method, over all suites. A variant under a name of its own takes the colour of the objective that pretrained it;
 * simple baselines and fits take, in the order in which they come, the other colour that the fewest methods of their suites have.
 */
export function methodStyles(all: readonly Results[]): ReadonlyMap<string, MethodStyle> {
  const styles = new Map<string, MethodStyle>();
  const sparest = (method: string): string => {
    const names = all.map(({ methods }) => methods.map(({ name }) => name));
    const beside = new Set(names.filter((suite) => suite.includes(method)).flat());
    const uses = SPARE.map((spare) => [...beside].filter((name) => styles.get(name)?.color === spare).length);
    return SPARE[uses.indexOf(Math.min(...uses))];
  };
  for (const { methods, cells, pretraining } of all) {
    for (const { name } of methods) {
      if (styles.has(name)) continue;
      const run = cells.find(({ method, pretraining: start }) => method === name && start)?.pretraining;
      const objective = pretraining.find((known) => known.name === run)?.objective;
      const color =
        ENCODERS[encoderOf(name)] ??
        (isFit(name) ? undefined : ENCODERS[objectiveTitle(objective ?? '')]) ??
        (name === 'constant' ? CONSTANT : sparest(name));
      styles.set(name, { color, hollow: CONDITION.test(name) });
    }
  }
  for (const [name, color] of Object.entries(ENCODERS)) {
    styles.set(name, { color, hollow: false });
    styles.set(`${name}, frozen`, { color, hollow: true });
  }
  return styles;
}

/** An objective as the methods name it. */
export const objectiveTitle = (objective: string): string =>
  objective === 'sma' ? 'SMA' : objective.replaceAll('-', ' ');
