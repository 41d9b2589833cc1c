/** A record with what the model hides of it. */
import type { MapInPage } from '../../src/web/index.js';

/** Tokens that are shown. */
const MOST = 160;

export function MaskedRecord({ map, record }: { readonly map: MapInPage; readonly record: number }) {
  const marks = map.hidden?.[record];
  if (marks === undefined) return null;
  const letters = map.text === undefined ? undefined : [...(map.cell(record, map.text) ?? '')];
  const words = [...marks].slice(0, MOST).map((mark, token) => {
    const word = letters ? (letters[token] ?? '▢') : named(map, record, token);
    return mark === '1' ? (
      <mark key={token}>
        <span class="hidden">hidden: </span>
        {word}
      </mark>
    ) : (
      <span key={token}>{word}</span>
    );
  });
  return (
    <p class={letters ? 'letters' : 'tokens'}>
      {words}
      {marks.length > MOST ? ' …' : ''}
    </p>
  );
}

/** A token's name, with the cell where the token is a column. */
function named({ tokens, columns, cell }: MapInPage, record: number, token: number): string {
  const name = tokens?.[token] ?? '▢';
  const column = columns.indexOf(name);
  return column < 0 ? name : `${name} ${cell(record, column) ?? '(missing)'}`;
}
