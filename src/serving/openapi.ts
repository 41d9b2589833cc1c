/** The service in the terms of OpenAPI 3.1. */
import type { Model } from '../models/load.js';
import { version } from '../version.js';
import type { ServiceLimits } from './service.js';

/** Neighbours of a record, by default and at most. */
export const [NEIGHBORS, MOST_NEIGHBORS] = [5, 1000];

export interface Described {
  readonly limits: ServiceLimits;
  readonly token: boolean;
}

const json = (schema: object) => ({ 'application/json': { schema } });
const error = (description: string) => ({
  description,
  content: json({ type: 'object', required: ['error'], properties: { error: { type: 'string' } } }),
});

/** A record of the model, by which a request may be tried. */
export const exampleRecord = ({ columns }: Model): unknown =>
  columns.length === 1 ? `a value of ${columns[0]}` : Object.fromEntries(columns.map((name) => [name, null]));

/** The document that `/openapi.json` gives. */
export function openApi(model: Model, { limits, token }: Described): object {
  const { columns, width, targets } = model;
  const record = {
    description: 'A record: an object with the columns of the model, or its one value; null is missing.',
    anyOf: [
      {
        type: 'object',
        required: columns,
        properties: Object.fromEntries(columns.map((name) => [name, {}])),
      },
      ...(columns.length === 1 ? [{ type: 'string' }, { type: 'array', items: { type: 'number' } }] : []),
    ],
  };
  const ask = (summary: string, answer: object, beside: object = {}) => ({
    post: {
      summary,
      requestBody: {
        required: true,
        content: json({
          type: 'object',
          required: ['records'],
          properties: {
            records: { type: 'array', minItems: 1, maxItems: limits.records, items: record },
            ...beside,
          },
        }),
      },
      responses: {
        200: { description: 'One answer for each record, in their order.', content: json(answer) },
        400: error('A record that cannot be read; the message names it.'),
        413: error(`More than ${limits.bytes} bytes.`),
        503: error('Too many requests are waiting; come again after Retry-After seconds.'),
        504: error(`No answer within ${limits.seconds} seconds.`),
      },
    },
  });
  const warnings = {
    type: 'array',
    items: { type: 'string' },
    description: 'What was read as unknown, where anything was.',
  };
  const list = (name: string, items: object) => ({
    type: 'object',
    required: [name],
    properties: { [name]: { type: 'array', items }, warnings },
  });
  return {
    openapi: '3.1.0',
    info: { title: 'Lacuna', version },
    ...(token && {
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    }),
    paths: {
      ...(width !== undefined && {
        '/embed': ask(
          `Embeddings of ${width} numbers`,
          list('embeddings', { type: 'array', minItems: width, maxItems: width, items: { type: 'number' } }),
        ),
      }),
      ...(width !== undefined && {
        '/neighbors': ask(
          'The records of the pool that are most alike, the nearest first',
          list('neighbors', { type: 'array', items: { type: 'object' } }),
          { k: { type: 'integer', minimum: 1, maximum: MOST_NEIGHBORS, default: NEIGHBORS } },
        ),
        '/score': ask('How unusual records are among those of the pool', list('scores', { type: 'object' })),
      }),
      ...(targets && {
        '/predict': ask(`Predictions of ${targets.join(', ')}`, list('predictions', { type: 'object' })),
      }),
      '/health': {
        get: {
          summary: 'Whether it answers, and by which model',
          responses: { 200: { description: 'It does.' } },
        },
      },
      '/metrics': {
        get: { summary: 'Counters for Prometheus', responses: { 200: { description: 'Text.' } } },
      },
    },
  };
}
