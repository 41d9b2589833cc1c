import { checkDeclared, declaredOptions, mergeOptions } from '../options.js';
import { byol } from './byol.js';
import { gSimclr } from './g-simclr.js';
import { groupMasking } from './group-masking.js';
import { mp3 } from './mp3.js';
import { msbreg } from './msbreg.js';
import { myow } from './myow.js';
import type { Objective } from './objective.js';
import { randomMasking } from './random-masking.js';
import { regularized, regularizedViews } from './regularizers.js';
import { selfDistillation } from './self-distillation.js';
import { selfie } from './selfie.js';
import { simclr } from './simclr.js';
import { sma } from './sma.js';
import { tJepa } from './t-jepa.js';

/** Every objective there is, by the name `objective.kind` has. */
export const objectives = {
  sma: regularized(sma),
  'random-masking': regularized(randomMasking),
  'group-masking': regularized(groupMasking),
  selfie: regularized(selfie),
  'self-distillation': regularized(selfDistillation),
  mp3: regularized(mp3),
  't-jepa': regularized(tJepa),
  byol: regularizedViews(byol),
  myow: regularizedViews(myow),
  msbreg,
  simclr: regularizedViews(simclr),
  'g-simclr': regularizedViews(gSimclr),
} satisfies Record<string, Objective>;

/** The names of all objectives. */
export type ObjectiveKind = keyof typeof objectives;

type Intersection<U> = (U extends unknown ? (value: U) => void : never) extends (value: infer I) => void
  ? I
  : never;

type OwnOptions<K extends ObjectiveKind> = Partial<ReturnType<(typeof objectives)[K]['defaults']>>;

/** The options of all objectives, any of which may be there. */
export type ObjectiveOptions = Intersection<{ [K in ObjectiveKind]: OwnOptions<K> }[ObjectiveKind]>;

/** An objective and its own options, under the names that the configuration has for them. */
export type ObjectiveConfig = { readonly kind: ObjectiveKind } & ObjectiveOptions;

/** Objectives of plug-ins, by name, with their options: declare yours here to have a configuration checked. */
// biome-ignore lint/suspicious/noEmptyInterface: it is filled by who writes a plug-in
export interface PluginObjectives {}

/** An objective and some of its options, as a configuration chooses them; an option of another one is a type error. */
export type ObjectiveChoice =
  | { [K in ObjectiveKind]: { readonly kind: K } & OwnOptions<K> }[ObjectiveKind]
  | ({ readonly kind?: undefined } & OwnOptions<'sma'>)
  | {
      [K in keyof PluginObjectives]: { readonly kind: K } & Partial<PluginObjectives[K]>;
    }[keyof PluginObjectives];

/** An objective by its name, as shared code sees it. */
export const objectiveNamed = (kind: ObjectiveKind): Objective => objectives[kind];

/** The declarations of all options, by key. */
export const objectiveOptions = () => mergeOptions(objectives, 'objective');

/** The options among `given` that an objective has. */
export const ownOptions = (kind: ObjectiveKind, given: ObjectiveOptions): ObjectiveOptions =>
  declaredOptions(objectives[kind], given);

/** Throws InputError that names an option which the objective has not, and those that it has. */
export const checkOwnOptions = (kind: ObjectiveKind, given: ObjectiveOptions): void =>
  checkDeclared(objectives[kind], given, { section: 'objective', kind });

/** Its options in words, such as "masking ratio 0.2, tied output true". */
export const describeOptions = ({ kind, ...given }: ObjectiveConfig): string =>
  Object.entries(ownOptions(kind, given))
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key.replaceAll('_', ' ')} ${value}`)
    .join(', ');

export { z } from 'zod';
export type { Option, OptionsOf } from '../options.js';
// What an objective is, and what those that are there share.
export type { ByolOptions } from './byol.js';
export type { GsimclrOptions } from './g-simclr.js';
export type { GroupMaskingOptions } from './group-masking.js';
export {
  batchNormOver,
  checkViews,
  cosineDistance,
  cosineMomentum,
  drawViewNoise,
  encodeViews,
  layerNormalization,
  type Normalization,
  type ProjectionOptions,
  project,
  projectionDefaults,
  projectionOptions,
  splitViews,
  spread,
  stackedCopies,
  type TargetNetworkOptions,
  targetMomentum,
  unit,
  type ViewChanges,
  viewChanges,
  viewDefaults,
  viewNoise,
  viewsByRecord,
} from './joint-embedding.js';
export {
  askStates,
  checkMasking,
  decode,
  decoderOutputs,
  encodeVisible,
  hiddenCount,
  leadingOnes,
  type MaskingOptions,
  maskedAutoencoding,
  maskingDefaults,
  maskingOptions,
  mostHidden,
  reconstruct,
  type Selection,
  selectedMask,
  selectLargest,
  tokenLosses,
} from './masked-autoencoding.js';
export type { Mp3Options } from './mp3.js';
export type { MsbregOptions } from './msbreg.js';
export type { MyowOptions } from './myow.js';
export type {
  BatchShape,
  GroupingContext,
  NoiseType,
  Objective,
  ObjectiveInputs,
  ObjectiveOutputs,
  RunFacts,
  Targets,
} from './objective.js';
export { randomPositions, selectRandom } from './random-masking.js';
export {
  centroidLoss,
  diffusiveLoss,
  type RegularizerOptions,
  randomDirections,
  regularized,
  regularizedViews,
  regularizerOptions,
  singularValueLoss,
  type ViewRegularizerOptions,
} from './regularizers.js';
export type { SelfDistillationOptions } from './self-distillation.js';
export type { SelfieOptions } from './selfie.js';
export { contrastiveLoss, type SimclrOptions } from './simclr.js';
export type { SmaOptions } from './sma.js';
export type { TJepaOptions } from './t-jepa.js';
export { type SharedRows, wholeMeans } from './whole-batch.js';
