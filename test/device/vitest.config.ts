import { defineConfig } from 'vitest/config';

/** What takes minutes, and has to be run where a device answers: `npm run device-check`. */
export default defineConfig({
  test: {
    include: ['test/device/*.check.ts'],
    testTimeout: 1_800_000,
    pool: 'forks',
    maxWorkers: 1,
    disableConsoleIntercept: true,
  },
});
