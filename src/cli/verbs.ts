/** Where the commands find what they ask for. */
import type { Verbs } from '../worker/verb-table.js';

export type { Verbs } from '../worker/verb-table.js';

/** The library itself, loaded only when a command runs, so that help and usage errors do not wait for it. */
export const loadVerbs = (): Promise<Verbs> => import('../index.js');
