import type { MainModule } from '@rdkit/rdkit';
import { canonicalSmiles } from './canonical.js';
import { loadRDKit } from './rdkit.js';
import { skeletonNumber } from './skeleton.js';

/**
 * Which of `smiles` are the same molecule as one of `known`: uint8[smiles], 1 is among them. For leaving the held-out
 * molecules of a benchmark out of what is learned from.
 *
 * Two are the same if their canonical SMILES without stereo are: files differ in how much stereo they give for one
 * substance, and its mirror image would give a label away nearly as well, so more is found than with stereo. Texts that RDKit
 * refuses are compared as they are. RDKit reads only those that share a skeleton with one of the other side.
 */
export async function sameMolecules(
  smiles: readonly string[],
  known: readonly string[],
): Promise<Uint8Array<ArrayBuffer>> {
  const rdkit = await loadRDKit();
  const constitution = (text: string) => canonicalSmiles(rdkit, text, { stereo: false }) ?? text;
  const skeletons = smiles.map(skeletonNumber);
  const wanted = new Set(skeletons);
  const knownSkeletons = new Set<number | undefined>();
  const knownMolecules = new Set<string>();
  for (const text of new Set(known)) {
    const skeleton = skeletonNumber(text) ?? canonicalSkeleton(rdkit, text);
    knownSkeletons.add(skeleton);
    if (wanted.has(skeleton) || wanted.has(undefined)) knownMolecules.add(constitution(text));
  }
  return Uint8Array.from(smiles, (text, i) => {
    const possible = skeletons[i] === undefined || knownSkeletons.has(skeletons[i]);
    return possible && knownMolecules.has(constitution(text)) ? 1 : 0;
  });
}

/** The skeleton of a molecule whose own text is written unusually: RDKit's text is not. */
function canonicalSkeleton(rdkit: MainModule, text: string): number | undefined {
  const canonical = canonicalSmiles(rdkit, text);
  return canonical === undefined ? undefined : skeletonNumber(canonical);
}
