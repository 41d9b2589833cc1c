/** What objectives hid of example texts, as one SVG picture that a Markdown page can show. */
import { loadRDKit } from '../molecules/rdkit.js';
import { escapeHtml } from './html.js';
import { drawMolecule, hiddenAtoms } from './masks-picture.js';
import { objectiveTitle } from './method-styles.js';

import type { MaskExample } from './results.js';

/** Of a character, in pixels: each is placed by itself, so that the picture does not depend on the font. */
const STEP = 7.5;
const LINE = 18;
const TITLE = 20;
const GAP = 26;
const WIDTH = 860;
const INK = '#333333';

interface Picture {
  readonly height: number;
  readonly svg: string;
}

/**
 * One row per text, one column per objective: the text with hidden characters light on dark and, where RDKit reads all
 * texts as molecules, the drawing with the atoms of hidden characters shaded.
 */
export async function masksSvg(examples: readonly MaskExample[]): Promise<string> {
  const texts = [...new Set(examples.map(({ text }) => text))];
  const objectives = [...new Set(examples.map(({ objective }) => objective))];
  const width = (WIDTH - GAP * (objectives.length - 1)) / objectives.length;
  const drawings = await moleculeDrawings(examples);
  const parts: string[] = [];
  let y = GAP / 2;
  for (const text of texts) {
    let height = 0;
    for (const [column, objective] of objectives.entries()) {
      const i = examples.findIndex((example) => example.text === text && example.objective === objective);
      if (i < 0) continue;
      const picture = cell(examples[i], width, drawings?.[i]);
      parts.push(
        `<g transform="translate(${round(column * (width + GAP) + 8)} ${round(y)})">${picture.svg}</g>`,
      );
      height = Math.max(height, picture.height);
    }
    y += height + GAP;
  }
  const [w, h] = [WIDTH + 16, round(y)];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}"><rect width="${w}" height="${h}" fill="#ffffff"/>${parts.join('')}</svg>`;
}

const round = (value: number) => Math.round(value * 100) / 100;

/** undefined unless every text is a molecule: a text of another kind that happens to parse is not drawn. */
async function moleculeDrawings(examples: readonly MaskExample[]): Promise<string[] | undefined> {
  const rdkit = await loadRDKit();
  const drawings: string[] = [];
  for (const { text, hidden } of examples) {
    const drawing = drawMolecule(rdkit, text, hiddenAtoms(text, { hidden }));
    if (drawing === null) return undefined;
    drawings.push(drawing);
  }
  return drawings;
}

function cell({ text, objective, hidden }: MaskExample, width: number, drawing?: string): Picture {
  const count = hidden.filter(Boolean).length;
  const title = `${objectiveTitle(objective)}: ${count} of ${text.length} characters hidden`;
  const placed = drawing === undefined ? { height: 0, svg: '' } : place(drawing, width, TITLE);
  const letters = lettered(text, hidden, Math.floor(width / STEP), TITLE + placed.height);
  const words = `<text x="0" y="12" font-family="system-ui, sans-serif" font-size="12" fill="#59636e">${escapeHtml(title)}</text>`;
  return { height: TITLE + placed.height + letters.height, svg: words + placed.svg + letters.svg };
}

/** A drawing in the middle of the column, made smaller where it is wider. */
function place(drawing: string, column: number, y: number): Picture {
  const [, width, height] = /width='(\d+)px' height='(\d+)px'/.exec(drawing)!.map(Number);
  const scale = Math.min(1, column / width);
  const [w, h] = [round(width * scale), round(height * scale)];
  const inner = drawing
    .slice(drawing.indexOf('<svg'))
    .replace(
      /width='\d+px' height='\d+px'/,
      `x='${round((column - w) / 2)}' y='${y}' width='${w}' height='${h}'`,
    );
  return { height: h + 6, svg: inner };
}

/** Lines of `most` characters. */
function lettered(text: string, hidden: readonly boolean[], most: number, top: number): Picture {
  const parts: string[] = [];
  const lines = Math.ceil(text.length / most);
  for (let line = 0; line < lines; line++) {
    const y = top + line * LINE;
    const end = Math.min(text.length, (line + 1) * most);
    for (let start = line * most; start < end; ) {
      let stop = start + 1;
      while (stop < end && hidden[stop] === hidden[start]) stop++;
      const column = start - line * most;
      const places = Array.from({ length: stop - start }, (_, i) => round((column + i + 0.5) * STEP));
      if (hidden[start])
        parts.push(
          `<rect x="${round(column * STEP)}" y="${round(y + 1)}" width="${round((stop - start) * STEP)}" height="16" fill="${INK}"/>`,
        );
      parts.push(
        `<text x="${places.join(' ')}" y="${round(y + 13)}" text-anchor="middle" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12" fill="${hidden[start] ? '#ffffff' : INK}">${escapeHtml(text.slice(start, stop))}</text>`,
      );
      start = stop;
    }
  }
  return { height: lines * LINE, svg: parts.join('') };
}
