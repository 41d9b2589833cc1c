import { Markup } from './html.js';

/** The one style of every report: measured for reading, quiet in print, and turned over for dark screens. */
export const pageStyle = new Markup(`
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --paper: #ffffff; --line: #d1d5da; --shade: #f4f6f8; --accent: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ea; --soft: #9aa4ae; --paper: #16191d; --line: #3a4047; --shade: #1f2429; --accent: #56b4e9; }
  /* Pictures are drawn in dark ink without a background: turn their lightness over and keep their hues. */
  figure svg { filter: invert(1) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; counter-reset: figure table; }
main { max-width: 50rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 1rem; text-wrap: balance; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 0.75rem; padding-top: 0.5rem; border-top: 1px solid var(--line); }
p { margin: 0 0 0.75rem; }
.finding { margin: 1rem 0 1.5rem; padding: 0.75rem 1rem 0.1rem; border-left: 4px solid var(--accent); background: var(--shade); }
figure { margin: 1.5rem 0; counter-increment: figure; overflow-x: auto; }
figure svg { display: block; max-width: 100%; height: auto; }
/* On a narrow screen a chart is scrolled sideways rather than made unreadable. */
figure > svg { min-width: 34rem; }
figcaption, caption { color: var(--soft); font-size: 0.875rem; line-height: 1.45; text-align: left; }
figcaption { margin-top: 0.6rem; }
figcaption::before { content: "Figure " counter(figure) ". "; font-weight: 600; color: var(--ink); }
.table { overflow-x: auto; margin: 1.5rem 0; counter-increment: table; }
caption { padding-bottom: 0.5rem; max-width: calc(100vw - 2.5rem); }
caption::before { content: "Table " counter(table) ". "; font-weight: 600; color: var(--ink); }
table { border-collapse: collapse; width: 100%; font-size: 0.9375rem; border-bottom: 1.5px solid var(--ink); }
thead tr { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink); }
th, td { padding: 0.3rem 0.75rem 0.3rem 0; text-align: left; vertical-align: baseline; }
th:last-child, td:last-child { padding-right: 0; }
tbody th { font-weight: normal; }
.numeric { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, pre, .mask-text { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.8125rem; }
pre { margin: 0.5rem 0 1rem; padding: 0.75rem 1rem; overflow-x: auto; background: var(--shade); }
summary { cursor: pointer; color: var(--accent); margin-bottom: 0.75rem; }
.mask-row { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; padding: 0.75rem 0; border-top: 1px solid var(--line); break-inside: avoid; }
.mask-cell { flex: 1 1 15rem; min-width: 0; }
.mask-cell svg { margin: 0 auto; }
.mask-title { margin: 0; color: var(--soft); font-size: 0.8125rem; }
.mask-text { margin: 0.25rem 0 0; line-height: 1.7; overflow-wrap: anywhere; }
mark { background: var(--ink); color: var(--paper); border-radius: 2px; padding: 0.1em 0; }
@media print {
  main { max-width: none; padding: 0; }
  figure, .table, .finding { break-inside: avoid; }
  figure > svg { min-width: 0; }
  figure:has(.masks) { break-inside: auto; }
  h2 { break-after: avoid; }
  mark, .finding { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`);
