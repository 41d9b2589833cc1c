import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'web/page/*.test.ts'],
    // Of an export, wherever a test makes one from src.
    globalSetup: 'test/build-tokenize.ts',
    setupFiles: ['test/property-seed.ts'],
    // Generous, since a busy machine is no failure.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
