/** A Markdown text of which some parts are made, each between two lines that name it; all other words are a person's. */
import { InputError } from '../errors.js';

const MARKER = /^<!-- (begin|end) (.+?) -->\s*$/;

export const beginMarker = (name: string): string => `<!-- begin ${name} -->`;
export const endMarker = (name: string): string => `<!-- end ${name} -->`;

/** One piece of a text: lines as they are, or the name of a block. */
type Piece = { readonly lines: readonly string[] } | { readonly block: string };

/**
 * Puts what `make` gives for each block between its markers; every other line stays as it is, line ends included. Throws
 * InputError, with the line of `path`, for a block that is not in `known`, opened twice or not closed.
 */
export function fillBlocks(
  text: string,
  path: string,
  known: readonly string[],
  make: (name: string) => string,
): string {
  const lineEnd = text.includes('\r\n') ? '\r\n' : '\n';
  const filled: string[] = [];
  for (const piece of piecesOf(text.split(lineEnd), path, known)) {
    if ('lines' in piece) filled.push(...piece.lines);
    else {
      const { block } = piece;
      filled.push(beginMarker(block), '', ...make(block).split('\n'), '', endMarker(block));
    }
  }
  return filled.join(lineEnd);
}

function piecesOf(lines: readonly string[], path: string, known: readonly string[]): Piece[] {
  const pieces: Piece[] = [];
  let words: string[] = [];
  let open: { name: string; line: number } | undefined;
  for (const [i, line] of lines.entries()) {
    const [, kind, name] = MARKER.exec(line) ?? [];
    const fail = (fault: string): never => {
      throw new InputError(`${path}:${i + 1}: ${fault}`);
    };
    if (kind === 'begin') {
      if (open)
        fail(
          `block "${name}" begins inside "${open.name}" of line ${open.line}: end that with ${endMarker(open.name)}`,
        );
      if (!known.includes(name))
        fail(`unknown block "${name}": the results have ${known.map((each) => `"${each}"`).join(', ')}`);
      open = { name, line: i + 1 };
      pieces.push({ lines: words }, { block: name });
      words = [];
    } else if (kind === 'end') {
      if (open?.name !== name)
        fail(`block "${name}" ends here, ${open ? `but "${open.name}" is open` : 'but none is open'}`);
      open = undefined;
    } else if (!open) words.push(line);
  }
  if (open)
    throw new InputError(
      `${path}:${open.line}: block "${open.name}" has no end: add ${endMarker(open.name)}`,
    );
  return [...pieces, { lines: words }];
}
