import { InputError } from '../errors.js';
import { byol } from './byol.js';
import { gSimclr } from './g-simclr.js';
import { groupMasking } from './group-masking.js';
import { mp3 } from './mp3.js';
import { msbreg } from './msbreg.js';
import { myow } from './myow.js';
import type { Objective, Option } from './objective.js';
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

/** The options of all objectives, any of which may be there. */
export type ObjectiveOptions = Intersection<
  { [K in ObjectiveKind]: Partial<ReturnType<(typeof objectives)[K]['defaults']>> }[ObjectiveKind]
>;

/** An objective and its own options, under the names that the configuration has for them. */
export type ObjectiveConfig = { readonly kind: ObjectiveKind } & ObjectiveOptions;

/** The declarations of all options, by key. Throws where two objectives mean different things by one key. */
export function mergeOptions(
  family: Readonly<Record<string, Pick<Objective, 'options'>>>,
): Record<string, Option> {
  const merged: Record<string, Option> = {};
  for (const [kind, { options }] of Object.entries(family)) {
    for (const [key, option] of Object.entries(options)) {
      if (key in merged && merged[key] !== option) {
        throw new Error(`objective ${kind}: option ${key} is declared elsewhere; share that declaration`);
      }
      merged[key] = option;
    }
  }
  return merged;
}

/** The options among `given` that an objective has. */
export function ownOptions(kind: ObjectiveKind, given: ObjectiveOptions): ObjectiveOptions {
  const { options } = objectives[kind];
  return Object.fromEntries(Object.entries(given).filter(([key]) => key in options));
}

/** Throws InputError that names an option which the objective has not, and those that it has. */
export function checkOwnOptions(kind: ObjectiveKind, given: ObjectiveOptions): void {
  const own = Object.keys(objectives[kind].options);
  const foreign = Object.keys(given).find((key) => !own.includes(key));
  if (foreign === undefined) return;
  throw new InputError(
    `objective.${foreign}: is not an option of ${kind}, which has ${own.join(', ')}; leave it out, or choose another objective`,
  );
}

/** Its options in words, such as "masking ratio 0.2, tied output true". */
export const describeOptions = ({ kind, ...given }: ObjectiveConfig): string =>
  Object.entries(ownOptions(kind, given))
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key.replaceAll('_', ' ')} ${value}`)
    .join(', ');

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
  Option,
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
export type { SimclrOptions } from './simclr.js';
export type { SmaOptions } from './sma.js';
export type { TJepaOptions } from './t-jepa.js';
