/**
 * What is made once for each key and then shared, as a program is compiled once for each length of records. What could not be
 * made is tried again when it is next asked for.
 */
export class KeptPrograms<T> {
  private readonly made = new Map<string, Promise<T>>();

  constructor(private readonly free: (program: T) => Promise<void>) {}

  /** Throws what `make` throws. */
  of(key: string, make: () => Promise<T>): Promise<T> {
    const known = this.made.get(key);
    if (known) return known;
    const program = make();
    this.made.set(key, program);
    program.catch(() => this.made.delete(key));
    return program;
  }

  /** Frees all that was made. */
  async release(): Promise<void> {
    const made = await Promise.allSettled(this.made.values());
    this.made.clear();
    for (const program of made) if (program.status === 'fulfilled') await this.free(program.value);
  }
}

/** Of programs beside what a run writes into. */
export const releaseExecutable = ({
  executable,
}: {
  readonly executable: { release(): Promise<void> };
}): Promise<void> => executable.release();
