import { InputError } from '../errors.js';
import { withProduct } from '../numerics/matrix-product.js';
import { mixtureShares, nonnegativeFactors } from '../numerics/nonnegative-factors.js';
import type { LabelSpec } from '../scoring/labels.js';
import { kMeans } from '../search/k-means.js';
import { linearProbe } from './linear-probe.js';
import { nameClusters, namedOutputs } from './named-clusters.js';
import { chooseCandidate, type Protocol } from './protocol.js';

/** Clusters of the domain classifier's outputs, for each class: more than one, so that some hold a single class. */
const CLUSTERS_PER_CLASS = 3;

/**
 * Classes without labels from domains with other shares of them (latent label shift; Roberts, Mani, Garg & Lipton, NeurIPS
 * 2022): records of a class are alike in all domains, so that p(d | x) = Σ_y p(d | y) p(y | x). A classifier tells the domain d of a
 * record x; k-means makes clusters c of what it says, and the shares p(c | d) of clusters in domains are factors
 * p(c | y) p(y | d) of as many latent classes y as the labels have. With p(d | y) known, p(y | x) is the mixture that gives p(d | x), and
 * p(y | x, d) ∝ p(y | x) p(y | d) / p(y), domains counted as equally frequent.
 *
 * Departures: the classifier is softmax regression on the frozen embeddings and no network of its own; factors and mixtures are those nearest by
 * the Kullback–Leibler divergence, found by expectation maximisation, for least squares and a pseudo-inverse. Training
 * labels only name the classes, as in `classDiscovery`. Given are the accuracy on the test part, and `shares error`: the mean over domains of
 * Σ_y |p(y | d) − the share of labels| on the training part.
 */
export const latentLabelShift: Protocol['run'] = async function* ({
  parts: { train, valid, test },
  domains,
  dimension,
  spec,
  engine,
}) {
  if (!domains) throw new Error('latent label shift: no domains');
  const classes = spec.classes[0].length;
  const count = domains.names.length;
  const domainSpec: LabelSpec = {
    task: 'multiclass',
    columns: ['domain'],
    targets: 1,
    outputs: count,
    classes: [domains.names],
    reason: '',
  };
  const rows = train.labels.length;
  const frequency = new Float64Array(count);
  for (const domain of domains.train) frequency[domain] += 1 / rows;
  const absent = frequency.indexOf(0);
  if (absent >= 0)
    throw new InputError(
      `domain ${domains.names[absent]} has no training record; leave it out, or give larger parts to training`,
    );
  if (count < classes)
    throw new InputError(
      `${count} domains cannot tell ${classes} classes apart: expected at least as many domains as classes`,
    );
  const held = { features: valid.records, labels: Float64Array.from(domains.valid) };
  const { candidate } = await chooseCandidate(
    linearProbe(
      { count: rows, dimension, features: train.records, labels: Float64Array.from(domains.train) },
      domainSpec,
      engine,
    ),
    held,
    domainSpec,
    'log-loss',
  );
  const posterior = async (features: Float32Array) =>
    domainPosterior(await candidate.predict(features), frequency);
  const told = await posterior(train.records);
  const { shares, components } = await latentClasses(told, domains.train, { domains: count, classes });
  const classOf = (domainOf: Float64Array, of: Int32Array) =>
    likeliest(mixtureShares(components, domainOf, count), of, shares, classes);
  const members = classOf(told, domains.train);
  const named = nameClusters(members, train.labels, classes);
  const found = classOf(await posterior(test.records), domains.test);
  yield ['accuracy', test.score('accuracy', namedOutputs(found, named, spec)).value];
  yield ['shares error', sharesError(shares, named, { labels: train.labels, domains: domains.train })];
};

/** p(d | x) float64[n, domains] with domains as frequent as each other, from logits that learned them as they are. */
function domainPosterior(logits: Float64Array, frequency: Float64Array): Float64Array {
  const count = frequency.length;
  const out = new Float64Array(logits.length);
  for (let start = 0; start < logits.length; start += count) {
    const own = logits.subarray(start, start + count).map((logit, d) => logit - Math.log(frequency[d]));
    const most = own.reduce((a, b) => Math.max(a, b));
    const sum = own.reduce((total, logit) => total + Math.exp(logit - most), 0);
    for (let d = 0; d < count; d++) out[start + d] = Math.exp(own[d] - most) / sum;
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

/** int32[n]: the class with the largest p(y | x) p(y | d) / p(y). */
function likeliest(
  mixtures: Float64Array,
  domainOf: Int32Array,
  shares: Float64Array,
  classes: number,
): Int32Array {
  const domains = shares.length / classes;
  const prior = Float64Array.from({ length: classes }, (_, y) => {
    let sum = 0;
    for (let d = 0; d < domains; d++) sum += shares[y * domains + d];
    return sum / domains;
  });
  return Int32Array.from(domainOf, (domain, row) => {
    let [best, most] = [0, Number.NEGATIVE_INFINITY];
    for (let y = 0; y < classes; y++) {
      const value = (mixtures[row * classes + y] * shares[y * domains + domain]) / (prior[y] || 1);
      if (value > most) [best, most] = [y, value];
    }
    return best;
  });
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
