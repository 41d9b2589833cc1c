import { html, type Markup } from './html.js';
import { pageStyle } from './page-style.js';

export interface TableColumn {
  readonly title: string;
  /** Right-aligned, with digits of equal width. */
  readonly numeric?: boolean;
}

export type Block =
  /** Each line is a paragraph. */
  | { readonly kind: 'text'; readonly text: string }
  /** What the page wants to say, set apart. Each line is a paragraph. */
  | { readonly kind: 'finding'; readonly text: string }
  /** The first cell of each row is its heading. */
  | {
      readonly kind: 'table';
      readonly caption: string;
      readonly columns: readonly TableColumn[];
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly kind: 'figure'; readonly picture: Markup; readonly caption: string }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'details'; readonly summary: string; readonly blocks: readonly Block[] };

export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

export interface Page {
  readonly title: string;
  readonly intro: string;
  readonly sections: readonly Section[];
}

/** What a page has beside its content. */
export interface PageFrame {
  /** Its content security policy. */
  readonly policy: Markup;
  readonly head?: Markup;
}

const CLOSED: PageFrame = { policy: html`default-src 'none'; style-src 'unsafe-inline'` };

/** One self-contained HTML document: no script, no font, no image is fetched, and by default its own policy forbids that any be. */
export function reportPage({ title, intro, sections }: Page, { policy, head }: PageFrame = CLOSED): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${title}</title>
<style>${pageStyle}</style>
${head ?? ''}</head>
<body>
<main>
<header>
<h1>${title}</h1>
${paragraphs(intro)}
</header>
${sections.map(section)}
</main>
</body>
</html>
`.text;
}

function section({ title, blocks }: Section): Markup {
  return html`<section>
<h2>${title}</h2>
${blocks.map(block)}</section>
`;
}

function block(content: Block): Markup {
  switch (content.kind) {
    case 'text':
      return paragraphs(content.text);
    case 'finding':
      return html`<div class="finding">${paragraphs(content.text)}</div>\n`;
    case 'table':
      return table(content.caption, content.columns, content.rows);
    case 'figure':
      return html`<figure tabindex="0">${content.picture}<figcaption>${content.caption}</figcaption></figure>\n`;
    case 'code':
      return html`<pre tabindex="0"><code>${content.text}</code></pre>\n`;
    case 'details':
      return html`<details><summary>${content.summary}</summary>\n${content.blocks.map(block)}</details>\n`;
  }
}

function paragraphs(text: string): Markup {
  return html`${text.split('\n').map((line) => html`<p>${line}</p>\n`)}`;
}

function table(
  caption: string,
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
): Markup {
  const alignment = columns.map((column) => (column.numeric ? 'numeric' : 'plain'));
  const head = columns.map(
    (column, i) => html`<th scope="col" class="${alignment[i]!}">${column.title}</th>`,
  );
  const body = rows.map((row) => {
    const cells = row.map((cell, i) =>
      i === 0 ? html`<th scope="row">${cell}</th>` : html`<td class="${alignment[i]!}">${cell}</td>`,
    );
    return html`<tr>${cells}</tr>\n`;
  });
  return html`<div class="table" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody>
</table></div>
`;
}
