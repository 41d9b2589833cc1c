/** How well a model finds what is relevant to a query, beside the words they share. */
import { InputError } from '../errors.js';
import { normalizedGain, type Relevance, recallWithin } from '../scoring/ranking.js';
import { type Interval, summarize } from '../scoring/statistics.js';
import { bm25, ranking, reciprocalRankFusion } from '../search/bm25.js';
import { openData } from './open-data.js';

/** A way to rank, and how well it did over the queries. */
export interface RetrievalScore {
  readonly method: 'embeddings' | 'BM25' | 'BM25 and embeddings';
  /** Normalised discounted cumulative gain of the first ten. */
  readonly gain: Interval;
  /** Share of what is relevant among the first hundred. */
  readonly recall: Interval;
  /** Its gain less that of BM25, query by query. */
  readonly aboveWords?: Interval;
}

/** Which records are relevant to which. */
export interface Retrieval {
  /** Queries that something is relevant to. */
  readonly queries: number;
  /** Judgements of a query or a record that the data do not have. */
  readonly unknown: number;
  readonly scores: readonly RetrievalScore[];
}

const COLUMNS = ['query-id', 'corpus-id', 'score'];

/** The records of one side: their ids, and their texts where they are texts. */
export interface IdentifiedRecords {
  readonly ids: readonly (string | null)[];
  readonly texts?: readonly string[];
}

/** How many of the most similar records fusion is given. */
export const FUSED = 1000;

/**
 * Scores rankings as BEIR does (Thakur et al. 2021), over the queries that have a relevant record: embeddings, and where
 * records are texts BM25 and the fusion of both.
 * @param path a file with the columns query-id, corpus-id and score, a whole number of which 0 is not relevant
 * @param nearest the most similar records of each query, the nearest first
 * @throws InputError for a file without these columns, or without a judgement of these records
 */
export async function scoreRetrieval(
  path: string,
  queries: IdentifiedRecords,
  corpus: IdentifiedRecords,
  nearest: (query: number) => readonly number[],
): Promise<Retrieval> {
  const { relevance, unknown } = await judgements(path, queries.ids, corpus.ids);
  const judged = [...relevance.keys()].sort((a, b) => a - b);
  if (judged.length === 0)
    throw new InputError(
      `${path}: calls no record of the data relevant to a query; its ids are those of the id columns of both files`,
    );
  const measure = (ranked: (query: number) => readonly number[]) => {
    const lists = judged.map((query) => [ranked(query), relevance.get(query) ?? new Map()] as const);
    return {
      gains: lists.map(([list, relevant]) => normalizedGain(list, relevant, 10)),
      recalls: lists.map(([list, relevant]) => recallWithin(list, relevant, 100)),
    };
  };
  const byEmbeddings = measure(nearest);
  const found: [RetrievalScore['method'], ReturnType<typeof measure>][] = [['embeddings', byEmbeddings]];
  if (queries.texts && corpus.texts) {
    const { texts } = queries;
    const search = bm25(corpus.texts);
    const byWords = new Map(judged.map((query) => [query, ranking(search(texts[query]))]));
    const words = (query: number) => byWords.get(query) ?? [];
    found.push(['BM25', measure(words)]);
    found.push([
      'BM25 and embeddings',
      measure((query) => reciprocalRankFusion([words(query).slice(0, FUSED), nearest(query)])),
    ]);
  }
  const words = found.find(([method]) => method === 'BM25')?.[1];
  return {
    queries: judged.length,
    unknown,
    scores: found.map(([method, { gains, recalls }]) => ({
      method,
      gain: summarize(gains, [0, 1]),
      recall: summarize(recalls, [0, 1]),
      ...(words &&
        method !== 'BM25' && {
          aboveWords: summarize(
            gains.map((gain, i) => gain - words.gains[i]),
            [-1, 1],
          ),
        }),
    })),
  };
}

/** The relevant records of each query that has one, by their places. */
async function judgements(
  path: string,
  queryIds: readonly (string | null)[],
  corpusIds: readonly (string | null)[],
): Promise<{ relevance: Map<number, Relevance>; unknown: number }> {
  const source = await openData(path, {});
  const lacking = COLUMNS.filter((name) => !source.columns.some((column) => column.name === name));
  if (lacking.length > 0)
    throw new InputError(`${path}: no column ${lacking.join(', ')}; judgements have ${COLUMNS.join(', ')}`);
  const [queryOf, recordOf] = [queryIds, corpusIds].map(
    (ids) => new Map(ids.map((id, place) => [id, place] as const)),
  );
  const relevance = new Map<number, Map<number, number>>();
  let unknown = 0;
  // Ids are compared as the files write them: 1.10 is not 1.1.
  for await (const { rows, texts } of source.read({
    columns: COLUMNS,
    verbatim: COLUMNS,
    textsAlone: COLUMNS,
  })) {
    for (const [place, line] of rows.entries()) {
      const [query, record, score] = COLUMNS.map((name) => texts?.[name][place] ?? '');
      const grade = Number(score);
      if (!(Number.isInteger(grade) && grade >= 0))
        throw new InputError(`${path}: record ${line}: expected 0, 1, 2, … as score, got "${score}"`);
      const [asked, found] = [queryOf.get(query), recordOf.get(record)];
      if (asked === undefined || found === undefined) unknown++;
      else if (grade > 0) relevance.set(asked, (relevance.get(asked) ?? new Map()).set(found, grade));
    }
  }
  return { relevance, unknown };
}
