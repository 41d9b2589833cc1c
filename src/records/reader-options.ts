/** What a reader cannot know from the files alone. */
import type { PixelShape } from './record-batch.js';

export interface ReaderOptions {
  /**
   * The shape that images are brought to; by default it is told from a look at some of them. A run that was trained on
   * images of one shape gives that shape here whenever it opens others.
   */
  readonly shape?: PixelShape;
  /** What sound becomes: a log-mel spectrogram, which is the default, or its samples. */
  readonly audio?: 'log-mel' | 'samples';
}
