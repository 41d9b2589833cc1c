/** Small samples of three domains, the same at every call. */
import { loadRiskMolecules } from '../src/demo/molecules.js';
import { random } from '../src/tensor/random.js';

export interface Sample {
  readonly name: string;
  readonly text: string;
  readonly config: object;
}

const sizes = { encoder: { width: 16, embed_width: 16, layers: 1, heads: 2 } };

/** A table of numbers and categories that hang together. */
function table(): Sample {
  const draw = random(3, 'table');
  const lines = ['age,income,height,city,plan,rate'];
  for (let i = 0; i < 800; i++) {
    const [a, b, c] = [draw.normal(), draw.normal(), draw.integer(5)];
    const height = i % 50 === 0 ? '' : (170 + 9 * b).toFixed(1);
    const plan = 'xyz'[(c + (a > 0 ? 1 : 0)) % 3];
    lines.push(
      [
        (40 + 12 * a).toFixed(1),
        (30_000 + 9000 * a + 4000 * b).toFixed(0),
        height,
        'abcde'[c],
        plan,
        (0.3 * b + 0.1 * c).toFixed(3),
      ].join(),
    );
  }
  return { name: 'people.csv', text: `${lines.join('\n')}\n`, config: sizes };
}

async function molecules(): Promise<Sample> {
  const found = await loadRiskMolecules();
  return {
    name: 'molecules.smi',
    text: found
      .slice(0, 300)
      .map(({ smiles }) => `${smiles}\n`)
      .join(''),
    config: { ...sizes, tokenizer: { max_tokens: 48 } },
  };
}

/** Sequences of amino acids, each of two motifs among random ones. */
function proteins(): Sample {
  const draw = random(7, 'proteins');
  const letters = 'ACDEFGHIKLMNPQRSTVWY';
  const motifs = ['GKSTLLN', 'HEXXHWC', 'DFGAPEW', 'CPHCGAR'];
  let text = '';
  for (let i = 0; i < 300; i++) {
    const part = () => Array.from({ length: 5 + draw.integer(15) }, () => letters[draw.integer(20)]).join('');
    const [one, other] = [motifs[draw.integer(4)], motifs[draw.integer(4)]];
    text += `>p${i}\n${part()}${one}${part()}${other}${part()}\n`;
  }
  return { name: 'proteins.fasta', text, config: { ...sizes, tokenizer: { max_tokens: 48 } } };
}

export const samples = async (): Promise<readonly Sample[]> => [table(), await molecules(), proteins()];
