/** Text that is already HTML, and so reaches a page unescaped. Made by `html`, `svgMarkup` and the page style, never from data. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlValue = string | number | Markup | readonly HtmlValue[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Control characters, which HTML forbids, and those that turn the direction of writing round, as U+FFFD. */
export const shown = (text: string): string =>
  text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (c) => (/[\t\n\r]/.test(c) ? c : '\ufffd'));

/** Escapes text for element content and for quoted attributes; see {@link shown}. */
export function escapeHtml(text: string): string {
  return shown(text.replace(/[&<>"']/g, (c) => ENTITIES[c] as string));
}

function toHtml(value: HtmlValue): string {
  if (value instanceof Markup) return value.text;
  if (typeof value === 'string' || typeof value === 'number') return escapeHtml(String(value));
  return value.map(toHtml).join('');
}

/** html`<p>${text}</p>`: strings are escaped, Markup passes, arrays are joined. */
export function html(parts: TemplateStringsArray, ...values: HtmlValue[]): Markup {
  return new Markup(parts.reduce((text, part, i) => text + toHtml(values[i - 1] as HtmlValue) + part));
}

/** An SVG document drawn by this program, as inline markup: the XML prolog goes, and `label` is what a screen reader says. */
export function svgMarkup(svg: string, label: string): Markup {
  const start = svg.indexOf('<svg');
  return new Markup(`<svg role="img" aria-label="${escapeHtml(label)}"${svg.slice(start + '<svg'.length)}`);
}
