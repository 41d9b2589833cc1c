/**
 * Mutation tests of a file or folder of src: `npm run mutate -- PATH [TESTS]`, see docs/mutation.md. TESTS is the folder
 * whose tests have to notice; without it that of PATH.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Stryker } from '@stryker-mutator/core';

const [given = '', tests] = process.argv.slice(2);
const path = given.replace(/\/+$/, '');
if (!existsSync(path)) {
  console.error(`npm run mutate -- PATH [TESTS]: there is no "${path}"`);
  process.exit(2);
}
const isFolder = statSync(path).isDirectory();
const sources = isFolder ? [`${path}/**/*.ts`, '!**/*.test.ts', '!**/*.case.ts'] : [path];

process.env.MUTATE_TESTS = tests ?? (isFolder ? path : dirname(path));

const results = await new Stryker({
  mutate: sources,
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'test/mutate.config.ts', related: true },
  coverageAnalysis: 'perTest',
  // What an error says is not tested word for word.
  mutator: { plugins: null, excludedMutations: ['StringLiteral'] },
  concurrency: 2,
  timeoutMS: 20_000,
  timeoutFactor: 3,
  incremental: true,
  incrementalFile: `reports/mutation-${path.replaceAll('/', '-')}.json`,
  tempDirName: '.stryker-tmp',
  ignorePatterns: ['/bench', '/dist', '/docs', '/reports', '/results', '/runs'],
  reporters: ['clear-text'],
  clearTextReporter: { allowColor: false, allowEmojis: false, logTests: false, reportTests: false },
  allowConsoleColors: false,
  logLevel: /** @type {*} */ ('error'),
}).runMutationTest();
process.exitCode = results.some(({ status }) => status === 'RuntimeError') ? 1 : 0;
