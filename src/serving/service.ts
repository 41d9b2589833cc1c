/** A model as an HTTP service: JSON in, JSON out. */

import { createHash, timingSafeEqual } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { InputError } from '../errors.js';
import { float32Digits } from '../files/float32-digits.js';
import type { CallOptions, Model } from '../models/load.js';
import type { MemoryRecord } from '../records/memory-records.js';
import { version } from '../version.js';
import { ServiceMetrics } from './metrics.js';
import { MOST_NEIGHBORS, NEIGHBORS, openApi } from './openapi.js';
import { page } from './page.js';
import type { ServedModel } from './served-model.js';

/** What a service takes on. */
export interface ServiceLimits {
  /** Records in a request. */
  readonly records: number;
  /** Bytes of a request. */
  readonly bytes: number;
  /** Seconds for an answer. */
  readonly seconds: number;
  /** Requests that wait or are worked on; later ones are told to come again. */
  readonly waiting: number;
}

export const DEFAULT_LIMITS: ServiceLimits = { records: 1000, bytes: 10_000_000, seconds: 30, waiting: 256 };

export interface ServiceOptions {
  readonly served: ServedModel;
  readonly limits: ServiceLimits;
  /** What every request but that for its health must carry, as `Authorization: Bearer TOKEN`. */
  readonly token?: string;
  /**
   * The names that it may be called by, of requests without a token: a page of another name that resolves to this machine is
   * no one that may ask.
   */
  readonly hosts?: readonly string[];
}

/** The routes that ask the model. */
type Asked = (
  model: Model,
  records: readonly MemoryRecord[],
  call: CallOptions,
  body: Readonly<Record<string, unknown>>,
) => Promise<object>;

const routes: Readonly<Record<string, Asked>> = {
  '/embed': async (model, records, call) => ({
    embeddings: (await model.embed(records, call)).map((embedding) => Array.from(embedding, float32Digits)),
  }),
  '/predict': async (model, records, call) => ({ predictions: await model.predict(records, call) }),
  '/neighbors': async (model, records, call, { k = NEIGHBORS }) => {
    if (!(typeof k === 'number' && Number.isInteger(k) && k >= 1 && k <= MOST_NEIGHBORS))
      throw new InputError(
        `k: expected a whole number from 1 to ${MOST_NEIGHBORS}, got ${JSON.stringify(k)}`,
      );
    const found = await model.neighbors(records, k, call);
    return {
      neighbors: found.map((own) =>
        own.map(({ similarity, ...neighbor }) => ({ ...neighbor, similarity: float32Digits(similarity) })),
      ),
    };
  },
  '/score': async (model, records, call) => ({ scores: await model.score(records, call) }),
};

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The service as a function from requests to answers. */
export function service({ served, limits, token, hosts }: ServiceOptions): Hono {
  const metrics = new ServiceMetrics();
  let waiting = 0;
  const app = new Hono();
  const refuse = (context: Context, status: 400 | 401 | 403 | 413 | 415 | 503 | 504, error: string) =>
    context.json({ error }, status);

  app.use(async (context, next) => {
    const begun = performance.now();
    await next();
    const known = context.req.path in routes || paths.has(context.req.path);
    metrics.request(
      known ? context.req.path : 'other',
      context.res.status,
      (performance.now() - begun) / 1000,
    );
  });
  app.use(async (context, next) => {
    if (context.req.path === '/health') return next();
    if (token !== undefined) {
      const given = /^Bearer (.+)$/.exec(context.req.header('authorization') ?? '')?.[1] ?? '';
      if (!timingSafeEqual(digest(given), digest(token))) {
        context.header('www-authenticate', 'Bearer');
        return refuse(
          context,
          401,
          'expected the header Authorization: Bearer TOKEN with the token of this service',
        );
      }
    } else if (hosts && !hosts.includes(new URL(context.req.url).hostname))
      return refuse(context, 403, `this service answers to ${hosts.join(', ')} alone`);
    return next();
  });
  app.use(
    bodyLimit({
      maxSize: limits.bytes,
      onError: (context) =>
        refuse(context, 413, `a request has at most ${limits.bytes} bytes; send fewer records at a time`),
    }),
  );
  for (const [path, ask] of Object.entries(routes)) {
    app.post(path, async (context) => {
      if (!/^application\/json\b/i.test(context.req.header('content-type') ?? ''))
        return refuse(context, 415, 'expected JSON with the header Content-Type: application/json');
      if (waiting >= limits.waiting) {
        context.header('retry-after', '1');
        return refuse(context, 503, `${waiting} requests are waiting already; come again in a second`);
      }
      waiting++;
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), 1000 * limits.seconds);
      try {
        const { records, body } = await recordsOf(context, limits);
        const overdue = new Promise<never>((_, reject) => {
          late.signal.addEventListener('abort', () => reject(late.signal.reason), { once: true });
        });
        const warnings: string[] = [];
        const onEvent: CallOptions['onEvent'] = (event) => {
          if (event.type === 'warning') warnings.push(event.message);
        };
        const asked = ask(served.model, records, { signal: late.signal, onEvent }, body);
        asked.catch(() => {});
        const answer = await Promise.race([asked, overdue]);
        metrics.answered(records.length);
        return context.json(warnings.length > 0 ? { ...answer, warnings } : answer);
      } catch (error) {
        if (error instanceof InputError) return refuse(context, 400, error.message);
        if (late.signal.aborted)
          return refuse(
            context,
            504,
            `no answer within ${limits.seconds} seconds; send fewer records at a time`,
          );
        throw error;
      } finally {
        clearTimeout(timer);
        waiting--;
      }
    });
  }
  app.get('/health', (context) => {
    const { model, since, swaps } = served;
    const { columns, width, targets } = model;
    return context.json({ status: 'ok', version, since, swaps, columns, width, targets });
  });
  app.get('/metrics', (context) =>
    context.text(
      metrics.text({
        lacuna_waiting: [waiting, 'Requests that wait or are worked on.'],
        lacuna_swaps: [served.swaps, 'How often another model took the place of the first.'],
        lacuna_model_timestamp_seconds: [served.since.getTime() / 1000, 'When the model was opened.'],
        process_resident_memory_bytes: [process.memoryUsage.rss(), 'Resident memory.'],
      }),
    ),
  );
  app.get('/openapi.json', (context) =>
    context.json(openApi(served.model, { limits, token: token !== undefined })),
  );
  app.get('/', (context) => context.html(page(served.model, { limits, token: token !== undefined })));
  app.notFound((context) => {
    const { method, path } = context.req;
    const allowed = path in routes ? 'POST' : paths.has(path) ? 'GET' : undefined;
    if (allowed === undefined)
      return context.json({ error: `${method} ${path}: no such route; see / for those there are` }, 404);
    context.header('allow', allowed);
    return context.json({ error: `${method} ${path}: expected the method ${allowed}` }, 405);
  });
  app.onError((error, context) => context.json({ error: `this is a bug in lacuna: ${error.message}` }, 500));
  return app;
}

const paths = new Set(['/', '/health', '/metrics', '/openapi.json']);

/** Throws InputError for limits that no request keeps. */
export function checkLimits(limits: Partial<ServiceLimits>): void {
  for (const [name, limit] of Object.entries<unknown>(limits)) {
    if (!(name in DEFAULT_LIMITS))
      throw new InputError(`limits.${name}: the limits are ${Object.keys(DEFAULT_LIMITS).join(', ')}`);
    if (!(typeof limit === 'number' && limit > 0))
      throw new InputError(`limits.${name}: expected a number above 0, got ${JSON.stringify(limit)}`);
  }
}

/** The JSON of a body. Throws InputError where it is none. */
async function jsonOf(context: Context): Promise<unknown> {
  const bytes = await context.req.arrayBuffer();
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? `JSON: ${cause.message}` : 'text in UTF-8';
    throw new InputError(`the body is not ${why}`, { cause });
  }
}

/** Throws InputError for a body that is no list of records, or of too many. */
async function recordsOf(context: Context, limits: ServiceLimits) {
  const body = await jsonOf(context);
  const fields = (typeof body === 'object' ? (body ?? {}) : {}) as Readonly<Record<string, unknown>>;
  const { records } = fields;
  if (!Array.isArray(records)) throw new InputError('expected {"records": […]} with a list of records');
  if (records.length > limits.records)
    throw new InputError(`a request has at most ${limits.records} records, got ${records.length}`);
  return { records: records as MemoryRecord[], body: fields };
}
