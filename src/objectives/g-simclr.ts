import { z } from 'zod';
import { InputError } from '../errors.js';
import { expand, input, iota, multiply, relu, reshape, scope, type Value } from '../graph/index.js';
import { linear } from '../layers/linear.js';
import { weightedMean } from '../layers/losses.js';
import { embedTokens, realTokens, tokenFeeds, tokenInputs } from '../layers/token-embedding.js';
import { product } from '../numerics/matrix-product.js';
import { type Batch, packBatch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import { kMeans, nearestCenters } from '../search/k-means.js';
import { permutation, random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import { decoderOutputs, hiddenCount, tokenLosses } from './masked-autoencoding.js';
import type { GroupingContext, Objective } from './objective.js';
import { type SimclrOptions, simclr } from './simclr.js';

/** The options of G-SimCLR. */
export interface GsimclrOptions extends SimclrOptions {
  /** Groups into which the records are put before training. */
  readonly clusters?: number;
}

/** The denoising autoencoder that the groups come from, and what k-means is given of it. */
const AUTOENCODER = {
  embedding: 16,
  hidden: 128,
  latent: 16,
  batch: 64,
  steps: 300,
  learningRate: 1e-3,
  noise: 0.3,
};
const KMEANS = { records: 10_000, iterations: 20 };
/** Without a choice: so many clusters, or fewer, that each has so many records on average. */
const USUAL = { clusters: 256, records: 3 };

/** Tokens of which some are blank → a few numbers → all tokens. */
function autoencoder(spec: TokenSpec): { loss: Value; outputs: { latent: Value } } {
  const { embedding, hidden, latent: width, batch } = AUTOENCODER;
  const count = spec.maxTokens;
  const tokens = tokenInputs(spec, batch, count);
  const real = realTokens(tokens);
  return scope('denoising_autoencoder', () => {
    const { embedded } = embedTokens(spec, tokens, embedding);
    const seen = multiply(
      embedded,
      reshape(multiply(real, input('seen', 'float32', [batch, count])), [batch, count, 1]),
    );
    const encoded = relu(linear('encoder', reshape(seen, [batch, count * embedding]), hidden));
    const latent = linear('latent', encoded, width);
    const decoded = relu(linear('decoder', latent, hidden));
    const outputs = decoderOutputs(spec);
    const predicted = reshape(linear('output', decoded, count * outputs), [batch, count, outputs]);
    const positions = expand(reshape(iota(count), [1, count]), [batch, count]);
    const { loss, scored } = tokenLosses(spec, tokens, positions, predicted);
    return { loss: weightedMean(loss, scored ? multiply(real, scored) : real).mean, outputs: { latent } };
  });
}

/** float32[batch, tokens]: 0 for the tokens that are blank, drawn for each row. */
function drawSeen(spec: TokenSpec, batch: Batch, seed: number, step: number) {
  const seen = new Float32Array(batch.size * batch.tokens).fill(1);
  for (let row = 0; row < batch.rows; row++) {
    const length = batch.lengths[row];
    const order = permutation(length, random(seed, 'blank tokens of a denoising autoencoder', step, row));
    for (const token of order.subarray(0, hiddenCount(spec, length, AUTOENCODER.noise)))
      seen[row * batch.tokens + token] = 0;
  }
  return seen;
}

/** The latents float32[records, latent] of all records under a denoising autoencoder trained on them. */
async function denoisedLatents({ spec, block, seed, train }: GroupingContext): Promise<Float32Array> {
  const { batch: size, steps, learningRate, latent: width } = AUTOENCODER;
  const feedsOf = (batch: Batch, seen: Float32Array) => ({
    ...tokenFeeds(batch),
    seen: hostTensor('float32', [size, spec.maxTokens], seen),
  });
  const pack = (records: Int32Array) => packBatch(block, records, size, spec.maxTokens);
  const run = await train({
    build: () => autoencoder(spec),
    feeds: (step) => {
      const { uniform } = random(seed, 'records of a denoising autoencoder', step, 0);
      const batch = pack(Int32Array.from({ length: size }, () => Math.floor(uniform() * block.count)));
      return feedsOf(batch, drawSeen(spec, batch, seed, step));
    },
    steps,
    learningRate,
  });
  const all = new Float32Array(size * spec.maxTokens).fill(1);
  const latents = new Float32Array(block.count * width);
  for (let first = 0; first < block.count; first += size) {
    const rows = Math.min(size, block.count - first);
    const { latent } = await run(feedsOf(pack(Int32Array.from({ length: rows }, (_, i) => first + i)), all));
    latents.set((latent.data as Float32Array).subarray(0, rows * width), first * width);
  }
  return latents;
}

/** The cluster of each point, int32[points], by k-means on some of them if there are many. */
async function clustersOf(points: Float32Array, dimension: number, clusters: number, seed: number) {
  const count = points.length / dimension;
  const order = permutation(count, random(seed, 'points for k-means', 0, 0)).subarray(0, KMEANS.records);
  const some = new Float32Array(order.length * dimension);
  order.forEach((point, i) => {
    some.set(points.subarray(point * dimension, (point + 1) * dimension), i * dimension);
  });
  const { iterations } = KMEANS;
  const { centers } = await kMeans(some, dimension, { clusters, seed, multiply: product, iterations });
  return (await nearestCenters(points, centers, dimension, product)).members;
}

/**
 * G-SimCLR (Chakraborty et al., ICDM workshops 2020): SimCLR on batches in which no two records are of one group, so that
 * records that look alike are not pushed apart. Groups are clusters of k-means on the latents of a denoising autoencoder.
 *
 * Departures from the paper: the autoencoder is a small perceptron on embedded tokens, for any data, that sees blank
 * tokens, not noisy pixels; there are enough clusters to fill batches; those of {@link simclr}.
 */
export const gSimclr: Objective<GsimclrOptions> = {
  ...simclr,
  paper:
    'Chakraborty et al., "G-SimCLR: Self-Supervised Contrastive Learning with Guided Projection via Pseudo Labelling", ICDM workshops 2020',
  options: {
    ...simclr.options,
    clusters: {
      type: z.int().min(2).optional(),
      description: 'groups of records, of which no batch holds two of one',
      example: 256,
    },
  },
  defaults: (spec, encoder, chosen) => ({
    ...simclr.defaults(spec, encoder, chosen),
    clusters: chosen.clusters,
  }),
  async groups({ clusters }, context) {
    const { count } = context.block;
    const usual = Math.max(1, Math.min(USUAL.clusters, Math.floor(count / USUAL.records)));
    const most = Math.min(count, KMEANS.records);
    if (clusters !== undefined && clusters > most) {
      throw new InputError(
        `objective.clusters: expected at most ${most}, as many as records are clustered, got ${clusters}; try ${usual}`,
      );
    }
    const latents = await denoisedLatents(context);
    return clustersOf(latents, AUTOENCODER.latent, clusters ?? usual, context.seed);
  },
};
