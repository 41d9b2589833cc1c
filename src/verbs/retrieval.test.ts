import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { neighbors } from './neighbors.js';
import { pretrain } from './pretrain.js';
import { scoreRetrieval } from './retrieval.js';

/** Titles of the Cranfield collection (Cleverdon 1967). */
const titles = [
  'experimental investigation of the aerodynamics of a wing in a slipstream',
  'simple shear flow past a flat plate in an incompressible fluid of small viscosity',
  'the boundary layer in simple shear flow past a flat plate',
  'approximate solutions of the incompressible laminar boundary layer equations',
  'one dimensional transient heat conduction into a double layer slab',
  'one dimensional transient heat flow in a multilayer slab',
  'the effect of controlled three dimensional roughness on boundary layer transition',
  'measurements of the effect of two dimensional and three dimensional roughness',
  'transition studies and skin friction measurements on an insulated flat plate',
  'the theory of the impact tube at low pressure',
];
const queries = ['heat flow into a slab', 'roughness and transition of the boundary layer'];

let folder: string;
const at = (name: string) => join(folder, name);
const judgements = (lines: readonly string[], header = 'query-id\tcorpus-id\tscore') =>
  writeFile(at('relevant.tsv'), `${[header, ...lines].join('\n')}\n`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-retrieval-'));
  const written = (texts: readonly string[]) =>
    texts.map((text, i) => `${JSON.stringify({ _id: `${i}`, text })}\n`).join('');
  await writeFile(at('corpus.jsonl'), written(titles));
  await writeFile(at('queries.jsonl'), written(queries));
  await writeFile(at('nameless.jsonl'), queries.map((text) => `${JSON.stringify({ text })}\n`).join(''));
});
afterAll(() => rm(folder, { recursive: true }));

const identified = (texts: readonly string[]) => ({ ids: texts.map((_, i) => `${i}`), texts });
const sides = [identified(queries), identified(titles)] as const;

describe('scoreRetrieval', () => {
  it('scores a ranking by nDCG@10 and recall@100 over the queries that are judged', async () => {
    await judgements(['0\t4\t1', '0\t5\t1', '0\t1\t0', '1\t6\t1', '1\t99\t1']);
    const {
      queries: count,
      unknown,
      scores,
    } = await scoreRetrieval(at('relevant.tsv'), ...sides, (query) => (query === 0 ? [9, 5, 4] : [6]));
    expect({ count, unknown }).toEqual({ count: 2, unknown: 1 });
    const [embeddings, words, both] = scores;
    const discount = (rank: number) => 1 / Math.log2(rank + 1);
    const first = (discount(2) + discount(3)) / (discount(1) + discount(2));
    expect(embeddings.method).toBe('embeddings');
    expect(embeddings.gain.mean).toBeCloseTo((first + 1) / 2, 12);
    expect(embeddings.recall.mean).toBe(1);
    // Both slabs share three words with the first query, and others one; roughness and transition stand in one title.
    expect([words.method, words.gain.mean, words.aboveWords]).toEqual(['BM25', 1, undefined]);
    expect(both.method).toBe('BM25 and embeddings');
    expect(embeddings.aboveWords?.mean).toBeCloseTo((first - 1) / 2, 12);
  });

  it('compares ids as the files write them', async () => {
    await judgements(['1.10\t2.10\t1', '1.1\t2.1\t1']);
    const named = (ids: string[], texts: string[]) => ({ ids, texts });
    const { queries: count, scores } = await scoreRetrieval(
      at('relevant.tsv'),
      named(['1.1', '1.10'], queries),
      named(['2.1', '2.10'], titles.slice(0, 2)),
      (query) => [query],
    );
    expect(count).toBe(2);
    expect(scores[0].gain.mean).toBe(1);
  });

  it('scores embeddings alone where records are no texts', async () => {
    await judgements(['0\t4\t2']);
    const [queried, corpus] = sides.map(({ ids }) => ({ ids }));
    const { scores } = await scoreRetrieval(at('relevant.tsv'), queried, corpus, () => [4]);
    expect(scores).toHaveLength(1);
    expect(scores[0]).toMatchObject({ method: 'embeddings', gain: { mean: 1 } });
  });

  it('refuses judgements that it cannot read or that are of nothing here', async () => {
    const scored = () => scoreRetrieval(at('relevant.tsv'), ...sides, () => []);
    await judgements(['0\t4\t1'], 'query\tcorpus-id\tscore');
    await expect(scored()).rejects.toThrow('no column query-id');
    await judgements(['0\t4\tvery']);
    await expect(scored()).rejects.toThrow('record 0: expected 0, 1, 2, … as score, got "very"');
    await judgements(['0\t4\t0', 'x\t4\t1']);
    await expect(scored()).rejects.toThrow('calls no record of the data relevant to a query');
  });
});

describe('neighbors with judgements', () => {
  it('scores its search by the ids of both files, and says what it lacks', async () => {
    await pretrain({
      data: at('corpus.jsonl'),
      out: at('run'),
      config: {
        data: { valid_fraction: 0.2, test_fraction: 0 },
        encoder: { kind: 'transformer', width: 16, layers: 1, heads: 2 },
        objective: { kind: 'random-masking' },
        training: { steps: 2, batch_size: 4, threads: 1 },
      },
    });
    await judgements(['0\t4\t1', '1\t6\t1']);
    const asked = {
      run: at('run'),
      data: at('queries.jsonl'),
      of: at('corpus.jsonl'),
      relevant: at('relevant.tsv'),
      out: at('near.csv'),
    };
    const { retrieval } = await neighbors(asked);
    expect(retrieval?.queries).toBe(2);
    expect(retrieval?.scores.map(({ method }) => method)).toEqual([
      'embeddings',
      'BM25',
      'BM25 and embeddings',
    ]);
    // All ten are among the first hundred.
    expect(retrieval?.scores[0].recall.mean).toBe(1);
    await expect(neighbors({ ...asked, of: undefined })).rejects.toThrow('with --of');
    await expect(neighbors({ ...asked, data: at('nameless.jsonl') })).rejects.toThrow('no id column');
  });
});
