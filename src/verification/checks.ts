/** What was looked at, one thing after the other, and what was found. */
import { LacunaError, systemError } from '../errors.js';

/** What became of a check. */
export type Verdict = 'ok' | 'failed' | 'not checked';

/** One thing that was looked at. */
export interface Check {
  readonly name: string;
  readonly verdict: Verdict;
  /** What was found, or why it was not checked. */
  readonly detail: string;
}

/** Why something was not checked. */
export class NotChecked extends Error {}

/** What a look found: a sentence for each fault, or what is well where there is none. */
export interface Found {
  readonly faults: readonly string[];
  readonly ok: string;
}

/** Checks in the order in which they are made. */
export class Checks {
  readonly made: Check[] = [];

  constructor(private readonly signal?: AbortSignal) {}

  /** What `look` says is what was found: a sentence, or faults, of which none is well. */
  async make(name: string, look: () => Promise<string | Found>): Promise<void> {
    this.signal?.throwIfAborted();
    try {
      const found = await look();
      if (typeof found === 'string') this.add(name, 'ok', found);
      else if (found.faults.length === 0) this.add(name, 'ok', found.ok);
      else for (const fault of found.faults) this.add(name, 'failed', fault);
    } catch (error) {
      if (error instanceof NotChecked) return this.add(name, 'not checked', error.message);
      const expected = error instanceof LacunaError ? error : systemError(error);
      if (!expected) throw error;
      this.add(name, 'failed', expected.message);
    }
  }

  private add(name: string, verdict: Verdict, detail: string): void {
    this.made.push({ name, verdict, detail });
  }
}
