/** What a reader cannot know from the files alone. */
import type { PixelShape } from './record-batch.js';

export interface ReaderOptions {
  /** The shape that images are brought to: that of a run's training file; by default it is told from a look at some of them. */
  readonly shape?: PixelShape;
  /** Words for a missing cell, beside the empty one; the usual ones by default. */
  readonly missing?: readonly string[];
  /** What lists of whole numbers are in each column that a run knows: the steps of a series, or words of a text. */
  readonly lists?: ReadonlyMap<string, 'series' | 'text'>;
}
