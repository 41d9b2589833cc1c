/** What the texts of a column look like, told from a sample of them: whether they may be a sequence, or only name something. */

/** Texts that name one thing each; a table is never read for them alone. */
export type NameLook = 'UUID' | 'hash' | 'IP address' | 'e-mail address' | 'URL' | 'path';

/**
 * `sequence`: symbols in a row, such as residues or a molecule. `prose`: sentences, or long texts without spaces.
 * Undefined is anything else: names, codes, addresses, short phrases.
 */
export type TextLook = NameLook | 'sequence' | 'prose';

/** Different texts that are looked at. */
const SAMPLE = 1000;

/** This share of the texts must be like a pattern for the column to be. */
const MOST = 0.9;

const patterns: readonly (readonly [NameLook, RegExp])[] = [
  ['UUID', /^\{?[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\}?$/i],
  // The lengths of usual digests. Letters and digits must both be there: a row of digits may be data.
  [
    'hash',
    /^(?=.*\d)(?=.*[a-f])(?:0x)?(?:[\da-f]{24}|[\da-f]{32}|[\da-f]{40}|[\da-f]{56}|[\da-f]{64}|[\da-f]{96}|[\da-f]{128})$/i,
  ],
  [
    'IP address',
    /^(?:(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?|(?=[^:]*:[^:]*:)[\da-f:]*::[\da-f:]*|(?:[\da-f]{1,4}:){7}[\da-f]{1,4})$/i,
  ],
  ['e-mail address', /^[^\s@]+@[\w-]+(?:\.[\w-]+)+$/],
  ['URL', /^(?:[a-z][a-z\d+.-]*:\/\/|www\.)\S+$/i],
  ['path', /^(?:~?\.{0,2}\/|[a-z]:\\|[\w.-]+[/\\])\S*\.[a-z][a-z\d]{1,4}$/i],
];

const SEQUENCE_NAME =
  /(^|[^a-z])(seq|sequence|smiles|selfies|inchi|peptide|protein|dna|rna|cdr3[ab]?)($|[^a-z])/i;
/** Residues, nucleotides, tickers: letters of one case with gaps and stops. */
const SYMBOLS = /^(?:[A-Z*.-]+|[acgtun-]+)$/;
/** A letter and a sign that molecules are written with. */
const NOTATION = /^(?=.*[A-Za-z])\S*[()=#[\]@]/;
/** A word that may be a name or a number in an address. */
const PROPER = /^[\p{Lu}\d]/u;

/** Symbols shorter than this on average are codes and tickers. */
const SHORTEST_SEQUENCE = 6;
/** Sentences have as many words on average. */
const SENTENCE_WORDS = 5;
/** Texts of this many characters are prose whatever their words look like. */
const LONG_PROSE = 200;
/** Texts without spaces may be prose from this many characters on, if their lengths vary. */
const LONG_UNSPACED = 24;

/** What the texts of the column `name` look like; the first 1,000 are read. */
export function lookOf(name: string, texts: Iterable<string>): TextLook | undefined {
  const sample: string[] = [];
  for (const cell of texts) {
    // Spaces around a text are slips of whoever wrote the file.
    const text = cell.trim();
    if (text !== '') sample.push(text);
    if (sample.length === SAMPLE) break;
  }
  if (sample.length === 0) return undefined;
  const share = (test: (text: string) => boolean) => {
    let passed = 0;
    for (const text of sample) if (test(text)) passed++;
    return passed / sample.length;
  };
  const named = patterns.find(([, pattern]) => {
    // Most columns fail at their first text already.
    return pattern.test(sample[0]) && share((text) => pattern.test(text)) >= MOST;
  });
  if (named) return named[0];
  const mean = sample.reduce((sum, { length }) => sum + length, 0) / sample.length;
  if (share((text) => /\s/.test(text)) <= 1 - MOST) return lookUnspaced(name, sample, mean, share);
  // A molecule with a remark behind it.
  if (share((text) => NOTATION.test(text)) >= MOST) return 'sequence';
  const words = sample.flatMap((text) => text.slice(0, 1000).split(/\s+/)).filter((word) => word !== '');
  const letters = words.reduce((sum, { length }) => sum + length, 0);
  // Residues with a space between them.
  if (letters <= 1.5 * words.length && words.length >= SHORTEST_SEQUENCE * sample.length) return 'sequence';
  const proper = words.filter((word) => PROPER.test(word)).length / words.length;
  const sentences = words.length >= SENTENCE_WORDS * sample.length && proper <= 0.5;
  return sentences || mean >= LONG_PROSE ? 'prose' : undefined;
}

function lookUnspaced(
  name: string,
  sample: readonly string[],
  mean: number,
  share: (test: (text: string) => boolean) => number,
): TextLook | undefined {
  if (SEQUENCE_NAME.test(name)) return 'sequence';
  if (mean >= SHORTEST_SEQUENCE && share((text) => SYMBOLS.test(text)) >= MOST) return 'sequence';
  if (share((text) => NOTATION.test(text)) >= 0.3) return 'sequence';
  const varied = sample.some(({ length }) => length !== sample[0].length);
  return varied && mean >= LONG_UNSPACED ? 'prose' : undefined;
}
