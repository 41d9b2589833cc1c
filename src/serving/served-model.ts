/** The model that a service asks, which a newer one in the same folder replaces. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type LoadOptions, load, type Model } from '../models/load.js';

/** What of a folder says that another model lies there: names, sizes and times of its files. */
async function signatureOf(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true });
  const entries = await Promise.all(
    names.sort().map(async (name) => {
      const { ino, size, mtimeMs } = await stat(join(folder, name));
      return `${name} ${ino} ${size} ${mtimeMs}`;
    }),
  );
  return entries.join('\n');
}

/** Holds a model; calls go to the newest. */
export class ServedModel {
  /** When the model was opened. */
  since = new Date();
  /** How often another one took its place. */
  swaps = 0;
  private reloading: Promise<void> | undefined;

  private constructor(
    readonly folder: string,
    private readonly options: LoadOptions,
    private current: Model,
    private signature: string,
  ) {}

  /** Throws InputError where the folder holds no model. */
  static async open(folder: string, options: LoadOptions): Promise<ServedModel> {
    const signature = await signatureOf(folder).catch(() => '');
    return new ServedModel(folder, options, await load(folder, options), signature);
  }

  get model(): Model {
    return this.current;
  }

  /** Whether the folder has changed since the model was opened, and not since `pause` milliseconds ago. */
  async changed(pause: number): Promise<boolean> {
    const now = await signatureOf(this.folder).catch(() => this.signature);
    if (now === this.signature) return false;
    await new Promise((resolve) => setTimeout(resolve, pause));
    return (await signatureOf(this.folder).catch(() => '')) === now;
  }

  /**
   * Opens the folder again; calls that come later go to what is there now, and those before are answered by what was. Throws
   * what `load` throws, and the model stays.
   */
  reload(): Promise<void> {
    this.reloading ??= this.replace().finally(() => {
      this.reloading = undefined;
    });
    return this.reloading;
  }

  private async replace(): Promise<void> {
    // A folder that cannot be opened is not tried again until it changes.
    this.signature = await signatureOf(this.folder).catch(() => '');
    const old = this.current;
    this.current = await load(this.folder, this.options);
    this.since = new Date();
    this.swaps++;
    // The new model answers, whatever becomes of the memory of the old one.
    old.dispose().catch(() => {});
  }

  async release(): Promise<void> {
    await this.reloading?.catch(() => {});
    await this.current.dispose();
  }
}
