/** For mutation runs: a file of tests that a mutant keeps from being loaded has a test that fails, which is what Stryker counts. */
import { TestRunner, test } from 'vitest';

export default class extends TestRunner {
  override async importFile(path: string, source: 'collect' | 'setup'): Promise<unknown> {
    try {
      return await super.importFile(path, source);
    } catch (error) {
      if (source === 'setup') throw error;
      test('can be loaded', () => {
        throw error;
      });
      return undefined;
    }
  }
}
