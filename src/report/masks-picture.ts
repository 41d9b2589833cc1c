import type { MainModule } from '@rdkit/rdkit';
import { loadRDKit, withMolecule } from '../molecules/rdkit.js';
import { html, type Markup, svgMarkup } from './html.js';
import { smilesAtoms } from './smiles-atoms.js';

/** `hidden[i]` says whether character i of the sequence was hidden from the model. Characters past its end were not. */
export interface Mask {
  readonly title: string;
  readonly hidden: readonly boolean[];
}

export interface MaskedMolecule {
  readonly smiles: string;
  readonly masks: readonly Mask[];
}

/** Length of a bond of 1.5 Å in the drawing. */
const BOND_PIXELS = 26;
/** Red, green, blue, opacity: 0 … 1. */
const HIDDEN = [1, 0.72, 0.3];
const NOT_HIDDEN = [1, 1, 1, 0];

/**
 * One row per molecule, one column per mask: the molecule in 2-D with the atoms of hidden characters highlighted, and its
 * SMILES with the hidden characters inverted. An atom counts as hidden when any of its characters is. A text that RDKit
 * cannot draw is shown as text alone.
 */
export async function moleculeMaskPictures(molecules: readonly MaskedMolecule[]): Promise<Markup> {
  const rdkit = await loadRDKit();
  return maskRows(
    molecules.map(({ smiles, masks }) =>
      masks.map((mask) => {
        const atoms = hiddenAtoms(smiles, mask);
        const drawing = drawMolecule(rdkit, smiles, atoms);
        const label = `${smiles}, ${mask.title}: ${atoms.length} atoms hidden`;
        const text = maskedText(smiles, mask);
        return maskCell(mask, drawing === null ? text : [svgMarkup(drawing, label), text]);
      }),
    ),
  );
}

function maskRows(rows: readonly (readonly Markup[])[]): Markup {
  return html`<div class="masks">${rows.map((cells) => html`<div class="mask-row">${cells}</div>`)}</div>`;
}

function maskCell(mask: Mask, content: Markup | readonly Markup[]): Markup {
  return html`<div class="mask-cell"><p class="mask-title">${mask.title}</p>${content}</div>`;
}

/** The text with each run of hidden characters inside one <mark>. */
function maskedText(text: string, { hidden }: Mask): Markup {
  const runs: Markup[] = [];
  for (let start = 0; start < text.length; ) {
    let end = start + 1;
    while (end < text.length && (hidden[end] ?? false) === (hidden[start] ?? false)) end += 1;
    const run = text.slice(start, end);
    runs.push(hidden[start] ? html`<mark>${run}</mark>` : html`${run}`);
    start = end;
  }
  return html`<p class="mask-text">${runs}</p>`;
}

/** Atoms, in ascending order, that own a hidden character. */
export function hiddenAtoms(smiles: string, { hidden }: Pick<Mask, 'hidden'>): number[] {
  const atoms = smilesAtoms(smiles);
  const found: number[] = [];
  for (let i = 0; i < atoms.length; i++) {
    const atom = atoms[i]!;
    if (hidden[i] && atom >= 0 && found.at(-1) !== atom) found.push(atom);
  }
  return found;
}

/**
 * Every atom is highlighted, those that were not hidden in a transparent colour: then the pictures of one molecule under
 * several masks have the same size and place. The canvas is as large as the molecule, at one scale for all.
 */
export function drawMolecule(rdkit: MainModule, smiles: string, hidden: readonly number[]): string | null {
  const count = smilesAtoms(smiles).reduce((most, atom) => Math.max(most, atom + 1), 0);
  if (count === 0) return null;
  const atoms = Array.from({ length: count }, (_, atom) => atom);
  const colors = new Map<number, readonly number[]>(atoms.map((atom) => [atom, NOT_HIDDEN]));
  for (const atom of hidden) colors.set(atom, HIDDEN);
  const details = JSON.stringify({
    width: -1,
    height: -1,
    scalingFactor: BOND_PIXELS,
    padding: 0.02,
    atoms,
    highlightAtomColors: Object.fromEntries(colors),
    highlightRadius: 0.36,
    bondLineWidth: 1.2,
    clearBackground: false,
  });
  const svg = withMolecule(rdkit, smiles, (molecule) => molecule.get_svg_with_highlights(details), {
    keepHydrogens: true,
  });
  return svg === undefined || svg === '' ? null : compactSvg(svg);
}

/** RDKit repeats every default in every element; without them, and without the invisible highlights, a picture is a third of the size. */
function compactSvg(svg: string): string {
  return svg
    .replace(
      /;(fill-rule:evenodd|stroke-linecap:butt|stroke-linejoin:miter|stroke-miterlimit:10|stroke-opacity:1)(?=[;'])/g,
      '',
    )
    .replace(/ class='[^']*'/g, '')
    .replace(/<!--.*?-->/g, '')
    .replace(/<ellipse [^>]*fill:#FFFFFF00[^>]*>/g, '')
    .replace(/\s+/g, ' ');
}
