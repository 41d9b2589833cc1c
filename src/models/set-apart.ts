/** What sets the records of a cluster apart from the others. */
import { MISSING_ID, type TokenBlock } from '../records/token-block.js';
import type { Tokenizer } from '../tokenizers/index.js';

/** A column, patch, word or group of letters, and by how much a cluster has more or less of it. */
export interface Trait {
  readonly name: string;
  /**
   * Of numbers, patches and categories: the cluster's mean less that of all records, in deviations of all. Of words: the share
   * of the cluster's records that have it, times the logarithm of one over the share of all that do (tf-idf).
   */
  readonly weight: number;
}

/** Traits of a cluster that are named. */
const TRAITS = 5;

/** Letters of a group, where texts have no words. */
const LETTERS = 3;

/**
 * The traits with the largest weight of each cluster, the largest first; none of series, whose steps are not the same part of
 * every record. `members` are the clusters of the block's records, `texts` their texts, where one column of texts is read.
 */
export function traitsOf(
  tokenizer: Tokenizer,
  block: TokenBlock,
  members: ArrayLike<number>,
  { clusters, texts }: { readonly clusters: number; readonly texts?: readonly string[] },
): Trait[][] {
  if (texts) return wordTraits(texts, members, clusters);
  const { spec } = tokenizer;
  const features = spec.kind === 'fields' ? fieldFeatures(tokenizer, block) : patchFeatures(tokenizer, block);
  const traits = Array.from({ length: clusters }, (): Trait[] => []);
  for (const { name, numberOf } of features) {
    const sums = Array.from({ length: clusters + 1 }, () => ({ count: 0, sum: 0, squares: 0 }));
    for (let record = 0; record < block.count; record++) {
      const value = numberOf(record);
      if (Number.isNaN(value)) continue;
      for (const into of [sums[members[record]], sums[clusters]]) {
        into.count++;
        into.sum += value;
        into.squares += value * value;
      }
    }
    const all = sums[clusters];
    const mean = all.sum / all.count;
    const deviation = Math.sqrt(Math.max(0, all.squares / all.count - mean * mean));
    if (!(deviation > 1e-6)) continue;
    sums.slice(0, clusters).forEach(({ count, sum }, cluster) => {
      if (count > 0) traits[cluster].push({ name, weight: (sum / count - mean) / deviation });
    });
  }
  return traits.map((own) => own.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, TRAITS));
}

interface Feature {
  readonly name: string;
  /** NaN where it is missing. */
  readonly numberOf: (record: number) => number;
}

/** Each numeric column, and each category of the others. */
function fieldFeatures({ spec, tokenLabel }: Tokenizer, { offsets, ids, values }: TokenBlock): Feature[] {
  if (spec.kind !== 'fields') return [];
  return spec.fields.flatMap(({ type, firstId, size }, position): Feature[] => {
    const at = (record: number) => offsets[record] + position;
    if (type === 'numeric') {
      const numberOf = (record: number) =>
        ids![at(record)] === MISSING_ID ? Number.NaN : values![at(record)];
      return [{ name: tokenLabel(position), numberOf }];
    }
    return Array.from({ length: size }, (_, i) => ({
      name: tokenLabel(position, firstId + i),
      numberOf: (record: number) => (ids![at(record)] === firstId + i ? 1 : 0),
    }));
  });
}

/** The mean of each patch of an image. */
function patchFeatures({ spec, tokenLabel }: Tokenizer, { offsets, values }: TokenBlock): Feature[] {
  if (spec.kind !== 'continuous' || !spec.grid) return [];
  const { channels, maxTokens } = spec;
  return Array.from({ length: maxTokens }, (_, position) => ({
    name: tokenLabel(position),
    numberOf(record: number) {
      const start = (offsets[record] + position) * channels;
      let sum = 0;
      for (let i = start; i < start + channels; i++) sum += values![i] / channels;
      return sum;
    },
  }));
}

/** Words where most texts have some, and else groups of three letters. */
function wordTraits(texts: readonly string[], members: ArrayLike<number>, clusters: number): Trait[][] {
  const spaced = texts.filter((text) => /\s/.test(text.trim())).length * 2 > texts.length;
  const termsOf = (text: string): Set<string> =>
    new Set(
      spaced
        ? (text.toLowerCase().match(/[\p{L}\p{N}]{2,}/gu) ?? [])
        : Array.from({ length: Math.max(0, text.length - LETTERS + 1) }, (_, i) =>
            text.slice(i, i + LETTERS),
          ),
    );
  const sizes = new Float64Array(clusters);
  const counts = new Map<string, Float64Array>();
  texts.forEach((text, record) => {
    sizes[members[record]]++;
    for (const term of termsOf(text)) {
      const own = counts.get(term) ?? new Float64Array(clusters);
      own[members[record]]++;
      counts.set(term, own);
    }
  });
  const traits = Array.from({ length: clusters }, (): Trait[] => []);
  for (const [name, own] of counts) {
    const total = own.reduce((sum, count) => sum + count, 0);
    if (total < 2) continue;
    own.forEach((count, cluster) => {
      if (count > 0)
        traits[cluster].push({ name, weight: (count / sizes[cluster]) * Math.log(texts.length / total) });
    });
  }
  return traits.map((own) =>
    own.sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1)).slice(0, TRAITS),
  );
}
