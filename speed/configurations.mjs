/** The models that speed is measured on, and the data of one shape that they are measured with. */

/**
 * @typedef {import('../dist/learning/model.js').ModelConfig} ModelConfig
 * @typedef {{ model: ModelConfig, batch: number }} Configuration
 */

/** @returns {ModelConfig['spec']} */
const letters = (/** @type {number} */ vocabulary, /** @type {number} */ maxTokens) => ({
  kind: 'discrete',
  vocabulary,
  maxTokens,
});

/** @returns {ModelConfig['spec']} */
const numericFields = (/** @type {number} */ count) => ({
  kind: 'fields',
  vocabulary: 2,
  maxTokens: count,
  fields: Array.from({ length: count }, (_, i) => ({
    name: `field ${i}`,
    type: /** @type {const} */ ('numeric'),
    firstId: 0,
    size: 0,
  })),
});

/**
 * @param {ModelConfig['spec']} spec
 * @param {Partial<ModelConfig['encoder']> & { width: number, heads: number }} encoder
 * @param {number} maskingRatio
 * @returns {ModelConfig}
 */
const modelWith = (spec, encoder, maskingRatio) => ({
  spec,
  encoder: {
    kind: 'perceiver',
    latents: 0,
    embed_width: encoder.width,
    layers: 4,
    cross_heads: 1,
    widening: 4,
    ...encoder,
  },
  objective: {
    ...(encoder.kind === 'transformer'
      ? { kind: 'random-masking' }
      : {
          kind: 'sma',
          per_query: Math.max(1, Math.round((maskingRatio * spec.maxTokens) / 4)),
          schedule_fraction: 0.25,
        }),
    masking_ratio: maskingRatio,
    decoder_heads: encoder.heads,
    tied_output: true,
  },
});

/** @type {Readonly<Record<string, Configuration>>} */
export const configurations = {
  proteins: {
    model: modelWith(letters(26, 512), { latents: 128, width: 256, heads: 8 }, 0.15),
    batch: 8,
  },
  molecules: {
    model: modelWith(letters(64, 256), { latents: 64, width: 128, heads: 4 }, 0.3),
    batch: 16,
  },
  events: {
    model: modelWith(numericFields(28), { latents: 28, width: 128, heads: 8 }, 0.2),
    batch: 64,
  },
  transformer: {
    model: modelWith(letters(26, 128), { kind: 'transformer', width: 256, heads: 8 }, 0.15),
    batch: 8,
  },
  large: {
    model: modelWith(letters(26, 512), { latents: 256, width: 512, heads: 8, layers: 8 }, 0.15),
    batch: 8,
  },
};

/** What is trained in a page. @type {Configuration} */
export const inPage = {
  model: modelWith(letters(32, 64), { kind: 'transformer', width: 128, heads: 8 }, 0.15),
  batch: 16,
};

/** The configuration of that name; where there is none, ends the program with the names of those there are. */
export function configurationNamed(/** @type {string} */ name) {
  const found = configurations[name];
  if (found !== undefined) return found;
  console.error(`no configuration "${name}"; there are ${Object.keys(configurations).join(', ')}`);
  process.exit(2);
}
