/** What a reader cannot know from the files alone. */
import type { PixelShape } from './record-batch.js';

export interface ReaderOptions {
  /**
   * The shape that images are brought to; by default it is told from a look at some of them. A run that was trained on
   * images of one shape, which is in the state of its grid tokenizer, would give that shape here whenever it opens others:
   * in `embed`, `predict` and `readLabelledFile`.
   */
  readonly shape?: PixelShape;
  /** Words for a missing cell, beside the empty one; the usual ones by default. */
  readonly missing?: readonly string[];
  /** What lists of whole numbers are in each column that a run knows: the steps of a series, or words of a text. */
  readonly lists?: ReadonlyMap<string, 'series' | 'text'>;
  /** What sound becomes: a log-mel spectrogram, which is the default, or its samples. */
  readonly audio?: 'log-mel' | 'samples';
}
