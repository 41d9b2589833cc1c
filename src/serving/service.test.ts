import { expect, it } from 'vitest';
import { InputError } from '../errors.js';
import type { Model } from '../models/load.js';
import type { ServedModel } from './served-model.js';
import { checkLimits, DEFAULT_LIMITS, type ServiceOptions, service } from './service.js';

/** A model of one column of texts whose embedding is a text's length, and that waits for `gate` before it answers. */
function modelOf(gate: Promise<void> = Promise.resolve()): Model {
  return {
    columns: ['text'],
    width: 1,
    targets: ['length'],
    async embed(records, { signal } = {}) {
      await gate;
      signal?.throwIfAborted();
      return records.map((record) => {
        if (typeof record !== 'string') throw new InputError('records: record 0: expected a text');
        return Float32Array.of(record.length / 3);
      });
    },
    predict: async (records) => records.map((record) => ({ length: String(record).length })),
    neighbors: async (records, k) =>
      records.map(() =>
        Array.from({ length: k }, (_, row) => ({ row, similarity: 1 / 3, record: { text: 'C' } })),
      ),
    score: async (records) =>
      records.map(() => ({
        score: 1,
        pValue: 0.5,
        neighborDistance: 1,
        mahalanobisDistance: 2,
        blame: [],
      })),
    dispose: async () => {},
  };
}

const appOf = (options: Partial<ServiceOptions> = {}, model: Model = modelOf()) =>
  service({
    served: { model, since: new Date(0), swaps: 0 } as ServedModel,
    limits: DEFAULT_LIMITS,
    ...options,
  });
const json = { 'content-type': 'application/json' };
const asking = (records: unknown, headers: Record<string, string> = json) => ({
  method: 'POST',
  headers,
  body: typeof records === 'string' ? records : JSON.stringify({ records }),
});
const told = async (response: Response) =>
  [response.status, (await response.json()) as { error: string; paths: object }] as const;

it('answers each record in order, in as many digits as single precision has', async () => {
  const app = appOf();
  expect(await told(await app.request('/embed', asking(['C', 'CC'])))).toEqual([
    200,
    { embeddings: [[0.333333343], [0.666666687]] },
  ]);
  expect(await told(await app.request('/predict', asking(['CCC'])))).toEqual([
    200,
    { predictions: [{ length: 3 }] },
  ]);
  const near = { row: 0, similarity: 0.333333333, record: { text: 'C' } };
  const body = JSON.stringify({ records: ['CCC'], k: 2 });
  expect(await told(await app.request('/neighbors', asking(body)))).toEqual([
    200,
    { neighbors: [[near, { ...near, row: 1 }]] },
  ]);
  const [status, { error }] = await told(
    await app.request('/neighbors', asking(JSON.stringify({ records: ['C'], k: 0 }))),
  );
  expect([status, error]).toEqual([400, 'k: expected a whole number from 1 to 1000, got 0']);
  expect((await told(await app.request('/score', asking(['CCC']))))[1]).toMatchObject({
    scores: [{ pValue: 0.5 }],
  });
});

it('puts what the model warns of beside the answer', async () => {
  const model = modelOf();
  const warned: Model = {
    ...model,
    predict: async (records, { onEvent } = {}) => {
      onEvent?.({ type: 'warning', message: 'record 0 holds a letter' });
      return model.predict(records);
    },
  };
  expect(await told(await appOf({}, warned).request('/predict', asking(['CCC'])))).toEqual([
    200,
    { predictions: [{ length: 3 }], warnings: ['record 0 holds a letter'] },
  ]);
});

it.each([
  ['a record that cannot be read', asking([3]), 400, 'record 0: expected a text'],
  ['no list', asking({ a: 1 }), 400, 'expected {"records": […]} with a list of records'],
  ['no JSON', asking('{'), 400, 'the body is not JSON'],
  ['too many records', asking(['a', 'b', 'c']), 400, 'at most 2 records, got 3'],
  ['too many bytes', asking(['a'.repeat(200)]), 413, 'at most 100 bytes'],
  ['a form of another page', asking(['a'], { 'content-type': 'text/plain' }), 415, 'expected JSON with'],
])('refuses in words: %s', async (_, request, status, error) => {
  const app = appOf({ limits: { ...DEFAULT_LIMITS, records: 2, bytes: 100 } });
  const [got, body] = await told(await app.request('/embed', request));
  expect(got).toBe(status);
  expect(body.error).toContain(error);
});

it('names the method of a route that is asked by another', async () => {
  const app = appOf();
  const got = await app.request('/embed');
  expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
  const posted = await app.request('/health', asking(['a']));
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET']);
});

it('refuses a body that is not UTF-8', async () => {
  const body = new Uint8Array([...new TextEncoder().encode('{"records":["'), 0xff, 0x22, 0x5d, 0x7d]);
  const response = await appOf().request('/embed', { method: 'POST', headers: json, body });
  expect(await told(response)).toEqual([400, { error: 'the body is not text in UTF-8' }]);
});

it('knows limits that no request keeps', () => {
  expect(() => checkLimits({ records: 0 })).toThrow('limits.records: expected a number above 0, got 0');
  expect(() => checkLimits({ seconds: Number.NaN })).toThrow(InputError);
  expect(() => checkLimits({ record: 3 } as object)).toThrow(
    'limits.record: the limits are records, bytes, seconds, waiting',
  );
});

it('tells requests to come again when too many wait, and answers those that waited', async () => {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const app = appOf({ limits: { ...DEFAULT_LIMITS, waiting: 2 } }, modelOf(gate));
  const waiting = [app.request('/embed', asking(['a'])), app.request('/embed', asking(['b']))];
  const refused = await app.request('/embed', asking(['c']));
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  open();
  for (const response of waiting) expect((await response).status).toBe(200);
  expect((await app.request('/embed', asking(['c']))).status).toBe(200);
});

it('gives up an answer that takes too long, and answers the next', async () => {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const app = appOf({ limits: { ...DEFAULT_LIMITS, seconds: 0.02 } }, modelOf(gate));
  const [status, { error }] = await told(await app.request('/embed', asking(['a'])));
  expect([status, error]).toEqual([504, expect.stringContaining('no answer within 0.02 seconds')]);
  open();
  expect((await app.request('/embed', asking(['a']))).status).toBe(200);
});

it('asks for its token everywhere but at its health', async () => {
  const app = appOf({ token: 'secret' });
  const bearer = (token: string) => asking(['a'], { ...json, authorization: `Bearer ${token}` });
  expect((await app.request('/embed', asking(['a']))).status).toBe(401);
  expect((await app.request('/embed', bearer('secrets'))).status).toBe(401);
  expect((await app.request('/metrics')).status).toBe(401);
  expect((await app.request('/embed', bearer('secret'))).status).toBe(200);
  expect((await app.request('/health')).status).toBe(200);
});

it('answers no page of another name that resolves to this machine', async () => {
  const app = appOf({ hosts: ['localhost', '127.0.0.1'] });
  expect((await app.request('http://evil.example/embed', asking(['a']))).status).toBe(403);
  expect((await app.request('http://localhost/embed', asking(['a']))).status).toBe(200);
});

it('counts requests, records and durations, and describes itself', async () => {
  const app = appOf();
  await app.request('/embed', asking(['a', 'b']));
  await app.request('/embed', asking([1]));
  await app.request('/nowhere');
  const metrics = await (await app.request('/metrics')).text();
  expect(metrics).toContain('lacuna_requests_total{route="/embed",status="200"} 1\n');
  expect(metrics).toContain('lacuna_requests_total{route="/embed",status="400"} 1\n');
  expect(metrics).toContain('lacuna_requests_total{route="other",status="404"} 1\n');
  expect(metrics).toContain('lacuna_request_seconds_bucket{route="/embed",le="+Inf"} 2\n');
  expect(metrics).toContain('lacuna_records_total 2\n');
  const [, description] = await told(await app.request('/openapi.json'));
  expect(Object.keys(description.paths)).toEqual([
    '/embed',
    '/neighbors',
    '/score',
    '/predict',
    '/health',
    '/metrics',
  ]);
  const page = await (await app.request('/')).text();
  expect(page).toContain('POST /embed');
  expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
});
