/** What each verb takes beside its configuration, for callers whose language has no types. */
import { nearestName } from '../config/nearest-name.js';
import { InputError } from '../errors.js';
import type { VerbName, Verbs } from './verb-table.js';

const expected = {
  text: 'a text',
  texts: 'a list of texts',
  'text or texts': 'a text or a list of texts',
  number: 'a number',
  flag: 'true or false',
  object: 'an object',
} as const;
type Kind = keyof typeof expected;

/** Of each option its kind; one that may be left out ends in a question mark. */
type Kinds<T> = { readonly [K in keyof T]-?: Record<string, never> extends Pick<T, K> ? `${Kind}?` : Kind };

const reading = { keep: 'texts?', config: 'object?', device: 'text?' } as const;
const labelled = { data: 'text', targets: 'texts', config: 'object?' } as const;
const asked = { run: 'text', data: 'text', out: 'text' } as const;

const known: { readonly [V in VerbName]: Kinds<NonNullable<Parameters<Verbs[V]>[0]>> } = {
  inspect: { data: 'text', config: 'object?' },
  pretrain: {
    data: 'text',
    out: 'text',
    config: 'object?',
    resume: 'flag?',
    until: 'number?',
    tensorboard: 'flag?',
    blockValues: 'number?',
    plugins: 'texts?',
    rankTimeout: 'number?',
  },
  fit: { ...labelled, out: 'text', resume: 'flag?', run: 'text or texts?', plugins: 'texts?' },
  finetune: {
    ...labelled,
    run: 'text',
    out: 'text',
    tensorboard: 'flag?',
    resume: 'flag?',
    rankTimeout: 'number?',
  },
  probe: { ...labelled, run: 'text' },
  rank: { ...labelled, runs: 'texts' },
  attribute: { ...labelled, run: 'text', out: 'text', k: 'number?', records: 'number?' },
  embed: { ...asked, ...reading, shard: 'object?' },
  predict: { ...asked, ...reading, shard: 'object?' },
  compare: { runs: 'texts', out: 'text' },
  map: { ...asked, ...reading, colour: 'text?', limit: 'number?' },
  trajectories: { ...asked, limit: 'number?', config: 'object?' },
  watch: { runs: 'texts', port: 'number?' },
  neighbors: { ...asked, ...reading, of: 'text?', k: 'number?', whiten: 'flag?', relevant: 'text?' },
  anomalies: { ...asked, ...reading, normal: 'text?', falseAlarms: 'number?', also: 'texts?' },
  duplicates: { ...asked, ...reading, pairs: 'text?', threshold: 'number?' },
  clusters: { ...asked, ...reading, k: 'number?', domain: 'text?' },
  select: { ...asked, ...reading, method: 'text', for: 'text?', count: 'number?', seed: 'number?' },
  serve: {
    run: 'text',
    host: 'text?',
    port: 'number?',
    token: 'text?',
    pool: 'text?',
    limits: 'object?',
    onUnknown: 'text?',
    threads: 'number?',
    device: 'text?',
  },
  exportRun: { run: 'text', out: 'text' },
  sweep: { config: 'object', out: 'text', parallel: 'number?', plugins: 'texts?', shard: 'object?' },
  verify: { folder: 'text', data: 'text?' },
  bench: {
    suite: 'text',
    out: 'text',
    data: 'text?',
    targets: 'texts?',
    only: 'object?',
    budget: 'number?',
    threads: 'number?',
    device: 'text?',
    shard: 'object?',
  },
  benchmarks: { suite: 'text?', targets: 'texts?' },
  report: { results: 'text', out: 'text', check: 'flag?' },
  demo: { out: 'text', seed: 'number', quick: 'flag?' },
};

const isText = (value: unknown): boolean => typeof value === 'string';
const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);

const fits: { readonly [K in Kind]: (value: unknown) => boolean } = {
  text: isText,
  texts: areTexts,
  'text or texts': (value) => isText(value) || areTexts(value),
  number: (value) => typeof value === 'number' && !Number.isNaN(value),
  flag: (value) => typeof value === 'boolean',
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

const shown = (value: unknown): string =>
  value === undefined ? 'nothing' : Number.isNaN(value) ? 'NaN' : JSON.stringify(value);

/** Throws InputError for an option that the verb has not, one of another kind, and one that has to be there. */
export function checkOptions(verb: VerbName, options: object = {}): void {
  const own: Readonly<Record<string, string>> = { ...known[verb], plugins: 'texts?' };
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || Object.hasOwn(own, name)) continue;
    const near = nearestName(name, Object.keys(own));
    const advice = near ? `did you mean ${near}?` : `known here are ${Object.keys(own).join(', ')}`;
    throw new InputError(`${verb}: ${name}: unknown option; ${advice}`);
  }
  for (const [name, said] of Object.entries(own)) {
    const value: unknown = Reflect.get(options, name);
    const kind = said.replace('?', '') as Kind;
    if ((value === undefined && said.endsWith('?')) || fits[kind](value)) continue;
    throw new InputError(`${verb}: ${name}: expected ${expected[kind]}, got ${shown(value)}`);
  }
}
