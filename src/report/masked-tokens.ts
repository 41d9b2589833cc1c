/** Records with the tokens that a run hides of them marked. */
import { MISSING_ID, type TokenBlock, type TokenSpec } from '../records/token-block.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { html, type Markup } from './html.js';

/** Tokens of a record that are shown. */
const MOST = 400;

/** One paragraph for each record: its letters, its columns, or squares for patches, with the hidden ones marked. */
export function maskedTokens(
  tokenizer: Tokenizer,
  block: TokenBlock,
  hidden: readonly (readonly boolean[])[],
): Markup {
  const { spec } = tokenizer;
  const rows = hidden.map((marks, record) => {
    const start = block.offsets[record];
    const words = marks.slice(0, MOST).map((mark, position): Markup => {
      const text = wordOf(tokenizer, spec, position, block.ids?.[start + position]);
      const gap = spec.kind === 'fields' ? ' ' : '';
      const end = spec.kind === 'continuous' && spec.grid && (position + 1) % spec.grid.columns === 0;
      return html`${mark ? html`<mark>${text}</mark>` : text}${gap}${end ? html`<br>` : ''}`;
    });
    return html`<p class="mask-text">${words}${marks.length > MOST ? ' …' : ''}</p>\n`;
  });
  return html`<div class="masks">${rows}</div>`;
}

function wordOf(tokenizer: Tokenizer, spec: TokenSpec, position: number, id: number | undefined): string {
  if (spec.kind === 'continuous') return '▢';
  const label = tokenizer.tokenLabel(position, id);
  return spec.kind === 'fields' && id === MISSING_ID ? `${label} (missing)` : label;
}
