/** How each method looks, the same in every figure. */
import { PALETTE } from './charts.js';

export interface MethodStyle {
  readonly color: string;
  /** A frozen encoder: its marks are hollow and its lines dashed. */
  readonly frozen: boolean;
}

const [BLUE, VERMILION, GREEN, ...OTHERS] = PALETTE;
const GREY = '#777777';

/** An encoder keeps its colour, fine-tuned or frozen; one that was never pretrained is green. */
const ENCODERS: Readonly<Record<string, string>> = {
  SMA: BLUE,
  'random masking': VERMILION,
  'from scratch': GREEN,
  untrained: GREEN,
};

const encoderOf = (method: string) => method.replace(/, frozen$/, '');

/** Whether an encoder is part of a method; the rest are simple baselines. */
export const isEncoderMethod = (method: string): boolean => Object.hasOwn(ENCODERS, encoderOf(method));

/** Methods that are not encoders take the rest of the palette, then grey, in the order in which they come. */
export function methodStyles(methods: Iterable<string>): ReadonlyMap<string, MethodStyle> {
  const styles = new Map<string, MethodStyle>();
  const spare = [...OTHERS, GREY];
  let next = 0;
  for (const method of new Set(methods)) {
    const color = isEncoderMethod(method) ? ENCODERS[encoderOf(method)] : spare[next++ % spare.length];
    styles.set(method, { color, frozen: encoderOf(method) !== method });
  }
  return styles;
}

/** An objective as the methods name it. */
export const objectiveTitle = (objective: string): string =>
  objective === 'sma' ? 'SMA' : objective.replaceAll('-', ' ');
