/** The page of a service: what it answers, and how to ask. */
import { html } from 'hono/html';
import type { Model } from '../models/load.js';
import { version } from '../version.js';
import { type Described, exampleRecord } from './openapi.js';

/** Its HTML; it asks for nothing beyond the service. */
export function page(model: Model, { limits, token }: Described) {
  const { columns, width, targets } = model;
  const body = JSON.stringify({ records: [exampleRecord(model)] });
  const header = token ? ` -H 'Authorization: Bearer TOKEN'` : '';
  const asked = [
    ...(width === undefined
      ? []
      : [
          ['/embed', `embeddings of ${width} numbers`],
          ['/neighbors', 'the records of the pool that are most alike, k of them (5)'],
          ['/score', 'how unusual records are among those of the pool'],
        ]),
    ...(targets === undefined ? [] : [['/predict', `predictions of ${targets.join(', ')}`]]),
  ];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Lacuna</title>
<style>
  :root { color-scheme: light dark; background: Canvas; color: CanvasText; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
  pre { overflow-x: auto; padding: .75rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .4rem; }
  table { border-collapse: collapse; } td { padding: .2rem 1rem .2rem 0; vertical-align: top; }
</style>
</head>
<body>
<main>
<h1>A model of ${columns.join(', ')}</h1>
<table>
${asked.map(([path, what]) => html`<tr><td><code>POST ${path}</code></td><td>${what}</td></tr>`)}
<tr><td><a href="/health"><code>/health</code></a></td><td>whether it answers</td></tr>
<tr><td><a href="/metrics"><code>/metrics</code></a></td><td>counters for Prometheus</td></tr>
<tr><td><a href="/openapi.json"><code>/openapi.json</code></a></td><td>the same for programs</td></tr>
</table>
<p>A request has up to ${limits.records} records and ${limits.bytes} bytes, and is answered within ${limits.seconds} seconds.
A record is an object with the columns above${columns.length === 1 ? ', or its value alone' : ''}; null is a missing value.</p>
${asked.map(([path]) => html`<pre tabindex="0">curl${header} -H 'Content-Type: application/json' -d '${body}' ADDRESS${path}</pre>`)}
<p>Lacuna ${version}</p>
</main>
</body>
</html>`;
}
