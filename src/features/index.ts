import { isMolecule } from '../molecules/descriptors.js';
import type { FeatureSet, RawRecords } from './feature-set.js';
import { lettersAndRuns, positions } from './letters.js';
import { FEWEST_STEPS, miniRocketFeatures } from './minirocket.js';
import { descriptors, fingerprints, fingerprintsAndDescriptors } from './molecules.js';
import { seriesShape } from './series.js';
import { values } from './values.js';
import { runsOfCharacters, words } from './words.js';

export type {
  FeatureColumns,
  FeatureSet,
  FeatureState,
  RawRecords,
} from './feature-set.js';

/** Every set of features, by its name, which is also that of its state. */
export const featureSets: ReadonlyMap<string, FeatureSet> = new Map(
  [
    values,
    fingerprints,
    descriptors,
    fingerprintsAndDescriptors,
    lettersAndRuns,
    positions,
    words,
    runsOfCharacters,
    miniRocketFeatures,
  ].map((set) => [set.name, set]),
);

/** Texts that are looked at for what they are. */
const LOOKED_AT = 200;
/** The share of them that has to be so. */
const NEARLY_ALL = 0.95;
/** Pairs of letters have a column each, so that a larger alphabet, or pieces of words, would have too many. */
const MOST_LETTERS = 256;
/** One-hot positions take no more columns than this. */
const MOST_POSITIONS = 8192;
/** MiniRocket has more columns than this has records, which makes a linear model on them a matter of seconds. */
const MOST_SERIES = 1024;

/**
 * The sets of features that suit the training records, plainest first: of tables, series and images the values; of up to
 * 1,024 series MiniRocket as well; of texts, those of molecules where RDKit reads nearly all of them, those of words where nearly all have spaces, and else runs of
 * letters and the letter at each position.
 */
export async function featureSetsFor({ spec, block, texts }: RawRecords): Promise<readonly FeatureSet[]> {
  if (spec.kind !== 'discrete') {
    const convolved = seriesShape(spec).steps >= FEWEST_STEPS && block.count <= MOST_SERIES;
    return convolved ? [values, miniRocketFeatures] : [values];
  }
  const looked = (texts ?? []).slice(0, LOOKED_AT);
  const share = (count: number) => (looked.length === 0 ? 0 : count / looked.length);
  let molecules = 0;
  for (const text of looked) molecules += Number(await isMolecule(text));
  if (share(molecules) >= NEARLY_ALL) return [descriptors, fingerprints, fingerprintsAndDescriptors];
  if (share(looked.filter((text) => /\s/.test(text.trim())).length) >= NEARLY_ALL) {
    return [words, runsOfCharacters];
  }
  const short = spec.maxTokens * spec.vocabulary <= MOST_POSITIONS;
  const few = spec.vocabulary <= MOST_LETTERS;
  return [
    ...(few ? [lettersAndRuns] : []),
    ...(short ? [positions] : []),
    ...(looked.length > 0 ? [runsOfCharacters] : []),
  ];
}
