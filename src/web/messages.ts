/** What a page and its worker say to each other. */
import type { ProgressEvent } from '../learning/progress-event.js';
import type { SentError } from '../worker/sent-error.js';
import type { GivenFile } from './files.js';
import type { RuntimeSettings } from './runtime.js';

/** What `open` is asked with. */
export interface OpenSettings {
  readonly runtime: RuntimeSettings;
  readonly storage: 'private' | 'memory';
  /** The folder of the origin's private file system. */
  readonly folder: string;
}

export interface Call {
  readonly verb: string;
  /** Plain data; files are named by their paths. */
  readonly options: unknown;
  readonly files: readonly GivenFile[];
}

export type Question =
  | ({ readonly id: number; readonly type: 'call' } & Call)
  | { readonly id: number; readonly type: 'stop' };

export type Answer = { readonly id: number } & (
  | { readonly type: 'event'; readonly event: ProgressEvent }
  | { readonly type: 'result'; readonly result: unknown }
  | { readonly type: 'error'; readonly error: SentError }
);
