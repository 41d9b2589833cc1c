/** What records say without an encoder, as something that is probed like its embeddings. */
import type { LabelledData } from '../datasets/labelled-data.js';
import { type FeatureSet, type FeatureState, featureSetsFor } from '../features/index.js';
import { takeRecords } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';

/** One set of features of labelled records. */
export interface OwnFeatures {
  readonly name: string;
  /** Whether the set is made for linear models alone. */
  readonly forLinearModels: boolean;
  /** float32[all records, dimension], the set fitted to the training records of a draw. A missing cell is 0. */
  of(draw: Pick<LabelledData, 'members'>): Promise<{ all: Float32Array; dimension: number }>;
}

/** The sets that suit the records. Throws InputError where records lack what a set reads. */
export async function ownFeatures(
  { block, texts }: Pick<LabelledData, 'block' | 'texts'>,
  spec: TokenSpec,
): Promise<readonly OwnFeatures[]> {
  const raw = { spec, block, texts };
  const of = (set: FeatureSet): OwnFeatures => {
    /** Most sets learn nothing, so that a draw has the rows of the one before. */
    let last: { state: string; all: Float32Array } | undefined;
    const rowsBy = async (state: FeatureState) => {
      const key = JSON.stringify(state);
      if (last?.state !== key) {
        const rows = await set.of(raw, state);
        last = { state: key, all: rows.map((value) => (Number.isNaN(value) ? 0 : value)) };
      }
      return last.all;
    };
    return {
      name: set.name,
      forLinearModels: set.forLinearModels ?? false,
      async of({ members: { train } }) {
        const state = await set.fit({
          spec,
          block: takeRecords(block, train),
          ...(texts && { texts: Array.from(train, (record) => texts[record]) }),
        });
        return { all: await rowsBy(state), dimension: state.dimension };
      },
    };
  };
  return (await featureSetsFor(raw)).map(of);
}
