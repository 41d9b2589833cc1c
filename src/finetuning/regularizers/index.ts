import { mergeOptions, type Option } from '../../options.js';
import { coreTuning } from './core-tuning.js';
import { look } from './look.js';
import { mixup } from './mixup.js';
import type { Regularizer, RegularizerOptions } from './regularizer.js';

/** Every regularizer there is, by the name `finetune.regularizer` has. */
export const regularizers = { mixup, 'core-tuning': coreTuning, look } satisfies Record<string, Regularizer>;

/** The names of all regularizers. */
export type RegularizerKind = keyof typeof regularizers;

/** A regularizer and its options. */
export type RegularizerConfig = { readonly kind: RegularizerKind } & RegularizerOptions;

/** A regularizer by its name, as shared code sees it. */
export const regularizerNamed = (kind: RegularizerKind): Regularizer => regularizers[kind];

/** The declarations of all their options. */
export const regularizerOptions = (): Record<string, Option> => mergeOptions(regularizers, 'regularizer');

export type { Regularizer, RegularizerOptions } from './regularizer.js';
