/** Builds dist/tokenize.js, which exports hold, before any test. */
import { execFileSync } from 'node:child_process';

export default () => {
  execFileSync('npm', ['run', '--silent', 'build:tokenize'], { stdio: ['ignore', 'inherit', 'pipe'] });
};
