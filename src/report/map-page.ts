/** A map of records as one page that asks for nothing. */
import { createHash } from 'node:crypto';
import { html, Markup, shown } from './html.js';
import { MAP_SCRIPT } from './map-script.js';
import { pageStyle } from './page-style.js';

/** Records on a plane. */
export interface RecordMap {
  readonly title: string;
  /** What was done to make it, in a sentence. */
  readonly intro: string;
  /** int32[n]: their rows in the file. */
  readonly rows: Int32Array;
  /** float32[n, 2], each axis from 0 to 1. */
  readonly places: Float32Array;
  /** int32[n, k]: the places in this list of the most similar ones; −1 where there are fewer. */
  readonly neighbors: Int32Array;
  readonly k: number;
  /** Columns that are shown, and the cells of each record. */
  readonly columns: readonly string[];
  readonly cells: readonly (readonly (string | null)[])[];
  /** The column that colours the map at first; by default the first of a few different values, else of numbers. */
  readonly colour?: string;
  /** Of each record, 1 for a token that the model hides and 0 for others. */
  readonly hidden?: readonly string[];
  /** The names of the tokens, where they are the same in every record. */
  readonly tokens?: readonly string[];
  /** Else the place among `columns` of the text whose letters they are. */
  readonly text?: number;
}

/** Different values that colours can tell apart. */
const FEW = 8;

/** The first column of a few different values, else of numbers; undefined where each record has a text of its own. */
function tellingColumn(columns: RecordMap['columns'], cells: RecordMap['cells']): string | undefined {
  const kinds = columns.map((_, at) => new Set(cells.map((own) => own[at])));
  const isNumber = (cell: string | null) => cell === null || Number.isFinite(Number(cell));
  const few = kinds.findIndex(({ size }) => size > 1 && size <= FEW);
  return columns[few >= 0 ? few : kinds.findIndex((own) => own.size > 1 && [...own].every(isNumber))];
}

const base64 = (values: Uint16Array | Int32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');

const style = new Markup(`
main { max-width: none; display: grid; grid-template-columns: minmax(0, 1fr) 22rem; gap: 0 1.5rem; padding: 1rem 1.25rem; }
header { grid-column: 1 / -1; } header h1 { margin-bottom: 0.25rem; } header p { color: var(--soft); }
.tools { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; margin-bottom: 0.5rem; }
input, select, button { font: inherit; color: inherit; background: var(--shade); border: 1px solid var(--line); border-radius: 4px; padding: 0.2rem 0.5rem; }
#map { width: 100%; height: calc(100vh - 15rem); min-height: 20rem; border: 1px solid var(--line); color: var(--ink); touch-action: none; cursor: crosshair; }
#map:focus-visible, button:focus-visible, input:focus-visible, select:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
#legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; margin: 0; padding: 0; font-size: 0.875rem; }
#legend span { display: inline-block; width: 0.8em; height: 0.8em; margin-right: 0.35em; background: var(--shade); }
#details { overflow-wrap: anywhere; max-height: calc(100vh - 13rem); overflow-y: auto; }
#details h2 { margin: 0 0 0.5rem; border: 0; padding: 0; } #details h3 { font-size: 1rem; margin: 1rem 0 0.25rem; }
dl { margin: 0; } dt { color: var(--soft); font-size: 0.8125rem; } dd { margin: 0 0 0.4rem; }
ol { padding-left: 1.2rem; margin: 0; } ol li { padding-left: 0.2rem; } ol button { vertical-align: top; padding: 0; text-align: left; border: 0; background: none; color: var(--accent); cursor: pointer; }
.tokens { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 0.8125rem; }
@media (max-width: 50rem) { main { grid-template-columns: minmax(0, 1fr); } #map { height: min(60vh, 100vw); } #details { max-height: none; } }
`);

/** The document. Its policy lets its own script run, and nothing be fetched. */
export function mapPage(map: RecordMap): string {
  const { title, intro, rows, places, neighbors, k, columns, cells, colour, hidden, tokens, text } = map;
  const data = {
    rows: Array.from(rows),
    places: base64(Uint16Array.from(places, (place) => Math.round(65_535 * place))),
    neighbors: base64(neighbors),
    k,
    columns,
    cells,
    colour: colour ?? tellingColumn(columns, cells),
    hidden,
    tokens,
    text,
  };
  // In an element of script, only an end tag or a comment would end the text.
  const json = new Markup(shown(JSON.stringify(data)).replaceAll('<', '\\u003c'));
  const hash = createHash('sha256').update(MAP_SCRIPT).digest('base64');
  const policy = new Markup(`default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${title}</title>
<style>${pageStyle}${style}</style>
</head>
<body>
<main>
<header><h1>${title}</h1><p>${intro}</p></header>
<div class="tools">
<label>Colour <select id="colour"></select></label>
<label>Search <input id="search" type="search"></label><span id="found" role="status"></span>
<span><button id="closer" aria-label="closer">+</button> <button id="farther" aria-label="farther">−</button> <button id="whole">whole map</button></span>
<ul id="legend"></ul>
</div>
<canvas id="map" tabindex="0" role="application" aria-label="Map of ${rows.length} records. Arrow keys move, plus and minus zoom, n shows the next record."></canvas>
<aside id="details" aria-live="polite"><p>Click a point to see its record and what is nearest.</p></aside>
</main>
<script type="application/json" id="data">${json}</script>
<script>${new Markup(MAP_SCRIPT)}</script>
</body>
</html>
`.text;
}
