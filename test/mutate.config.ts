/** The tests that a mutation run takes: those of one folder, see mutate.mjs. */
import { fileURLToPath } from 'node:url';
import { mergeConfig } from 'vitest/config';
import config from '../vitest.config.js';

const own = mergeConfig(config, {});
own.test.include = [`${process.env.MUTATE_TESTS ?? 'src'}/**/*.test.ts`];
own.test.runner = fileURLToPath(new URL('mutate-runner.ts', import.meta.url));
export default own;
