/** The columns that do not become tokens: why, and which of them could have been data. */

/** Columns named in one warning. */
const NAMED = 8;

/** Why a column is left out. */
export interface Reason {
  readonly reason: string;
  /** What the reasons of several columns have in common, where they are told together. */
  readonly sort?: string;
  /** It could have been data, so that people are told what to do if it is. */
  readonly warn?: boolean;
}

/** Columns that are left out, in the order they were. */
export class LeftOut {
  private readonly entries = new Map<string, Reason>();

  add(name: string, reason: Reason): void {
    this.entries.set(name, reason);
  }

  delete(name: string): void {
    this.entries.delete(name);
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  reason(name: string): string | undefined {
    return this.entries.get(name)?.reason;
  }

  reasons(): Record<string, string> {
    return Object.fromEntries(Array.from(this.entries, ([name, { reason }]) => [name, reason]));
  }

  /** Name and reason of each of `names`, in one line. */
  list(names: readonly string[]): string {
    return names.map((name) => `${name}: ${this.reason(name)}`).join('; ');
  }

  /** The columns that the warnings tell of. */
  warned(): string[] {
    return [...this.entries].filter(([, { warn }]) => warn).map(([name]) => name);
  }

  /** One sentence for the columns that are left out for one reason; `advice` says what to do to read them. */
  warnings(advice: (it: string) => string): string[] {
    const groups = new Map<string, string[]>();
    for (const [name, { reason, sort = reason, warn }] of this.entries) {
      if (!warn) continue;
      const names = groups.get(sort);
      if (names) names.push(name);
      else groups.set(sort, [name]);
    }
    return Array.from(groups, ([sort, names]) => {
      if (names.length === 1) {
        return `column ${names[0]} is left out (${this.reason(names[0])}); ${advice('it')}`;
      }
      const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
      return `columns ${names.slice(0, NAMED).join(', ')}${more} are left out (${sort}); ${advice('them')}`;
    });
  }
}
