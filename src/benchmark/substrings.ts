/**
 * A test of whether a text contains any of the given texts of at least `shortest` characters: the beginnings of those
 * are looked up at every position, so it takes one pass whatever their number.
 */
export function hasAnyWithin(wanted: Iterable<string>, shortest: number): (text: string) => boolean {
  const byBeginning = new Map<string, string[]>();
  for (const text of wanted) {
    if (text.length < shortest) continue;
    const beginning = text.slice(0, shortest);
    const alike = byBeginning.get(beginning);
    if (alike) alike.push(text);
    else byBeginning.set(beginning, [text]);
  }
  return (text) => {
    for (let at = 0; at + shortest <= text.length; at++) {
      const alike = byBeginning.get(text.slice(at, at + shortest));
      if (alike?.some((candidate) => text.startsWith(candidate, at))) return true;
    }
    return false;
  };
}
