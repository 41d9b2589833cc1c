import { InputError } from '../../errors.js';
import {
  type ParameterNode,
  replaceParameters,
  sharingLeaves,
  stopGradient,
  type Value,
} from '../../graph/index.js';
import { mergeOptions, type Option } from '../../options.js';
import { frozen } from './frozen.js';
import { full } from './full.js';
import { lora } from './lora.js';
import { norms } from './norms.js';
import { projection } from './projection.js';
import { reprogramming } from './reprogramming.js';
import type { Tuning, TuningOptions } from './tuning.js';

/** Every tuning there is, by the name `finetune.tuning` has. */
export const tunings = { full, frozen, lora, norms, reprogramming, projection } satisfies Record<
  string,
  Tuning
>;

/** The names of all tunings. */
export type TuningKind = keyof typeof tunings;

/** A tuning and its options. */
export type TuningConfig = { readonly kind: TuningKind } & TuningOptions;

/** A tuning by its name, as shared code sees it. */
export const tuningNamed = (kind: TuningKind): Tuning => tunings[kind];

/** The declarations of all their options. */
export const tuningOptions = (): Record<string, Option> => mergeOptions(tunings, 'tuning');

/**
 * The values with what the tuning has in the place of the encoder's parameters; `encoder` says whether a parameter is the
 * encoder's. Nothing is tracked of one that is not trained whole. Throws InputError where the tuning has nothing to adapt.
 */
export function tuned(
  values: readonly Value[],
  config: TuningConfig | undefined,
  encoder: (name: string) => boolean,
): readonly Value[] {
  if (config === undefined || config.kind === 'full') return values;
  const { moves, instead } = tuningNamed(config.kind);
  let adapted = instead === undefined;
  const replaced = sharingLeaves(() =>
    replaceParameters(values, (node: ParameterNode) => {
      const [own] = node.outputs;
      if (!encoder(node.name) || moves(node.name)) return own;
      const fixed = stopGradient(own);
      const other = instead?.(node, fixed, config) ?? fixed;
      adapted ||= other !== fixed;
      return other;
    }),
  );
  if (!adapted)
    throw new InputError(
      `finetune.tuning: this encoder has nothing that ${config.kind} adapts; choose full, frozen or norms`,
    );
  return replaced;
}

export { AUXILIARY, type Tuning, type TuningOptions } from './tuning.js';
