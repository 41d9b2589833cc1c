import type { Command } from 'commander';
import type { Hooks } from '../learning/progress-event.js';
import type { Verbs } from './verbs.js';

/** What a command does once its arguments are read: calls a verb, and says in words what came of it. */
export interface Session {
  /** The arguments as they were typed, for a hint that repeats them. */
  readonly argv: readonly string[];
  /** Prints one JSON object to stdout when `json`, else `describe(result)` to stderr. */
  run<T extends object>(
    json: boolean | undefined,
    verb: (verbs: Verbs, hooks: Hooks) => Promise<T>,
    describe: (result: T) => string,
  ): Promise<void>;
}

/** Gives a command its arguments, its options and what it does. */
export type Define = (command: Command, session: Session) => void;
