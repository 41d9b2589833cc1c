import type { Engine } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { withProduct } from '../numerics/matrix-product.js';
import { mixtureShares, nonnegativeFactors } from '../numerics/nonnegative-factors.js';
import { softmax } from '../numerics/softmax.js';
import type { LabelSpec } from '../scoring/labels.js';
import { kMeans } from '../search/k-means.js';
import { linearProbe } from './linear-probe.js';
import { nameClusters, namedOutputs } from './named-clusters.js';
import { chooseCandidate, type Protocol } from './protocol.js';

/** Clusters of the domain classifier's outputs, for each class: more than one, so that some hold a single class. */
const CLUSTERS_PER_CLASS = 3;

/** Rows float32[n, dimension], and the number of the domain of each, int32[n]. */
export interface RowsOfDomains {
  readonly features: Float32Array;
  readonly domains: Int32Array;
}

/** Classes that were found without labels. */
export interface LatentClasses {
  /** float64[classes, domains]: p(y | d), how frequent each class is in each domain. */
  readonly shares: Float64Array;
  /** The likeliest class of each row, int32[n], and its p(y | x, d), float64[n]. */
  classOf(rows: RowsOfDomains): Promise<{ members: Int32Array; probabilities: Float64Array }>;
}

/**
 * Classes without labels from domains with other shares of them (latent label shift; Roberts, Mani, Garg & Lipton, NeurIPS
 * 2022): records of a class are alike in all domains, so that p(d | x) = Σ_y p(d | y) p(y | x). A classifier tells the domain d of a
 * record x; k-means makes clusters c of what it says, and the shares p(c | d) of clusters in domains are factors
 * p(c | y) p(y | d) of so many latent classes y. With p(d | y) known, p(y | x) is the mixture that gives p(d | x), and
 * p(y | x, d) ∝ p(y | x) p(y | d) / p(y), domains counted as equally frequent.
 *
 * Departures: the classifier is softmax regression on the frozen embeddings and no network of its own, with the penalty that is best on `valid`;
 * factors and mixtures are those nearest by the Kullback–Leibler divergence, found by expectation maximisation, for least squares and a
 * pseudo-inverse. Throws InputError for fewer domains than classes, and a domain that training has no record of.
 */
export async function fitLatentClasses(
  { train, valid }: { readonly train: RowsOfDomains; readonly valid: RowsOfDomains },
  {
    names,
    classes,
    dimension,
    engine,
  }: {
    readonly names: readonly string[];
    readonly classes: number;
    readonly dimension: number;
    readonly engine?: Engine;
  },
): Promise<LatentClasses> {
  const count = names.length;
  const spec: LabelSpec = {
    task: 'multiclass',
    columns: ['domain'],
    targets: 1,
    outputs: count,
    classes: [names],
    reason: '',
  };
  const rows = train.domains.length;
  const frequency = new Float64Array(count);
  for (const domain of train.domains) frequency[domain] += 1 / rows;
  const absent = frequency.indexOf(0);
  if (absent >= 0)
    throw new InputError(
      `domain ${names[absent]} has no training record; leave it out, or give larger parts to training`,
    );
  if (count < classes)
    throw new InputError(
      `${count} domains cannot tell ${classes} classes apart: expected at least as many domains as classes`,
    );
  const { candidate } = await chooseCandidate(
    linearProbe(
      { count: rows, dimension, features: train.features, labels: Float64Array.from(train.domains) },
      spec,
      engine,
    ),
    { features: valid.features, labels: Float64Array.from(valid.domains) },
    spec,
    'log-loss',
  );
  const posterior = async (features: Float32Array) =>
    domainPosterior(await candidate.predict(features), frequency);
  const told = await posterior(train.features);
  const { shares, components } = await latentClasses(told, train.domains, { domains: count, classes });
  return {
    shares,
    classOf: async ({ features, domains }) =>
      likeliest(mixtureShares(components, await posterior(features), count), domains, shares, classes),
  };
}

/**
 * Classes by {@link fitLatentClasses}, which training labels only name, as in `classDiscovery`. Given are the accuracy on the
 * test part, and `shares error`: the mean over domains of Σ_y |p(y | d) − the share of labels| on the training part.
 */
export const latentLabelShift: Protocol['run'] = async function* ({
  parts: { train, valid, test },
  domains,
  dimension,
  spec,
  engine,
}) {
  if (!domains) throw new Error('latent label shift: no domains');
  const { names } = domains;
  const classes = spec.classes[0].length;
  const learned = { features: train.records, domains: domains.train };
  const { shares, classOf } = await fitLatentClasses(
    { train: learned, valid: { features: valid.records, domains: domains.valid } },
    { names, classes, dimension, engine },
  );
  const named = nameClusters((await classOf(learned)).members, train.labels, classes);
  const found = await classOf({ features: test.records, domains: domains.test });
  yield ['accuracy', test.score('accuracy', namedOutputs(found.members, named, spec)).value];
  yield ['shares error', sharesError(shares, named, { labels: train.labels, domains: domains.train })];
};

/** p(d | x) float64[n, domains] with domains as frequent as each other, from logits that learned them as they are. */
function domainPosterior(logits: Float64Array, frequency: Float64Array): Float64Array {
  const count = frequency.length;
  const out = new Float64Array(logits.length);
  for (let start = 0; start < logits.length; start += count) {
    const own = logits.subarray(start, start + count).map((logit, d) => logit - Math.log(frequency[d]));
    out.set(softmax(own), start);
  }
  return out;
}

/**
 * The latent classes behind p(d | x): `shares` float64[classes, domains] are p(y | d), `components` float64[classes, domains]
 * p(d | y), domains counted as equally frequent.
 * @param told float64[n, domains]: p(d | x) of each record
 * @param domainOf int32[n]: the domain that it is from
 */
export async function latentClasses(
  told: Float64Array,
  domainOf: Int32Array,
  { domains, classes, seed = 0 }: { domains: number; classes: number; seed?: number },
): Promise<{ shares: Float64Array; components: Float64Array }> {
  const clusters = Math.min(CLUSTERS_PER_CLASS * classes, domainOf.length);
  const { members } = await withProduct(undefined, (multiply) =>
    kMeans(Float32Array.from(told), domains, { clusters, seed, multiply }),
  );
  const sizes = new Float64Array(domains);
  for (const domain of domainOf) sizes[domain]++;
  const table = new Float64Array(clusters * domains);
  domainOf.forEach((domain, row) => {
    table[members[row] * domains + domain] += 1 / sizes[domain];
  });
  const { shares } = nonnegativeFactors(table, domains, { rank: classes });
  const components = new Float64Array(shares.length);
  for (let y = 0; y < classes; y++) {
    let sum = 0;
    for (let d = 0; d < domains; d++) sum += shares[y * domains + d];
    for (let d = 0; d < domains; d++)
      components[y * domains + d] = sum > 0 ? shares[y * domains + d] / sum : 1 / domains;
  }
  return { shares, components };
}

/** The class of each row with the largest p(y | x) p(y | d) / p(y), and its part of the sum. */
function likeliest(
  mixtures: Float64Array,
  domainOf: Int32Array,
  shares: Float64Array,
  classes: number,
): { members: Int32Array; probabilities: Float64Array } {
  const domains = shares.length / classes;
  const prior = Float64Array.from({ length: classes }, (_, y) => {
    let sum = 0;
    for (let d = 0; d < domains; d++) sum += shares[y * domains + d];
    return sum / domains;
  });
  const members = new Int32Array(domainOf.length);
  const probabilities = new Float64Array(domainOf.length);
  domainOf.forEach((domain, row) => {
    let [total, most] = [0, -1];
    for (let y = 0; y < classes; y++) {
      const value = (mixtures[row * classes + y] * shares[y * domains + domain]) / (prior[y] || 1);
      total += value;
      if (value > most) [members[row], most] = [y, value];
    }
    probabilities[row] = total > 0 ? most / total : 1 / classes;
  });
  return { members, probabilities };
}

function sharesError(
  shares: Float64Array,
  named: readonly number[],
  { labels, domains }: { labels: Float64Array; domains: Int32Array },
): number {
  const classes = named.length;
  const count = shares.length / classes;
  const truth = new Float64Array(shares.length);
  const sizes = new Float64Array(count);
  labels.forEach((label, row) => {
    if (Number.isNaN(label)) return;
    truth[label * count + domains[row]]++;
    sizes[domains[row]]++;
  });
  let sum = 0;
  for (let y = 0; y < classes; y++)
    for (let d = 0; d < count; d++)
      if (sizes[d] > 0)
        sum += Math.abs(shares[y * count + d] - truth[named[y] * count + d] / sizes[d]) / count;
  return sum;
}
