/** What the package promises to those who install it: its entry points, as built, and one version everywhere. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { version } from '../src/version.js';

const root = fileURLToPath(new URL('..', import.meta.url));

const manifest: {
  name: string;
  version: string;
  bin: Record<string, string>;
  exports: Record<string, string | Record<string, string>>;
} = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

/** The names that an entry point gives to a program that imports it by the name of the package. */
function exported(entry: string): string[] {
  const script = `console.log(JSON.stringify(Object.keys(await import('${entry}'))))`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { cwd: root });
  return JSON.parse(output.toString());
}

describe('the package', () => {
  it('has one version', () => {
    expect(version).toBe(manifest.version);
    expect(readFileSync(`${root}CHANGELOG.md`, 'utf8')).toMatch(`\n## ${version} `);
  });

  it('names only files that the build makes', () => {
    const files = Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target),
    );
    for (const file of [...files, ...Object.values(manifest.bin)])
      expect(existsSync(`${root}${file}`), file).toBe(true);
  });

  it('has an entry point for each folder that is a piece of its own, with its types', () => {
    const folders = ['graph', 'objectives', 'encoders', 'layers', 'tokenizers', 'learning', 'scoring', 'web'];
    const indexed = folders.map((name) => [
      `./${name}`,
      { types: `./dist/${name}/index.d.ts`, default: `./dist/${name}/index.js` },
    ]);
    const { '.': main, './engine': engine, './package.json': itself, ...rest } = manifest.exports;
    expect(main).toEqual({ types: './dist/index.d.ts', default: './dist/index.js' });
    expect(engine).toEqual({ types: './dist/engine/node.d.ts', node: './dist/engine/node.js' });
    expect(itself).toBe('./package.json');
    expect(rest).toEqual(Object.fromEntries(indexed));
  });

  it('has all entry points in the API reference', () => {
    const { entryPoints } = JSON.parse(readFileSync(`${root}typedoc.json`, 'utf8'));
    const types = Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? [] : [target.types.replace('./', '')],
    );
    expect(entryPoints).toEqual(types);
  });

  it.each([
    ['lacuna', ['pretrain', 'finetune', 'probe', 'embed', 'predict', 'exportRun', 'InputError', 'version']],
    ['lacuna/graph', ['input', 'parameter', 'gradients', 'printProgram', 'primitives']],
    ['lacuna/engine', ['nodeEngine', 'hostTensor']],
    ['lacuna/objectives', ['objectives', 'maskedAutoencoding', 'encodeViews', 'regularized']],
    ['lacuna/encoders', ['encoders', 'readTokens']],
    ['lacuna/layers', ['attentionBlock', 'linear', 'layerNorm', 'embedTokens', 'crossEntropy']],
    ['lacuna/tokenizers', ['tokenizers', 'chooseTokenizer', 'restoreTokenizer']],
    ['lacuna/learning', ['Trainer', 'trainingSteps', 'parameterLayout', 'initializeParameters', 'packBatch']],
    ['lacuna/web', ['openLacuna']],
    ['lacuna/scoring', ['metrics', 'scoreTargets', 'describeLabels', 'summarize']],
  ])('can be imported as %s', (entry, names) => {
    expect(exported(entry)).toEqual(expect.arrayContaining(names));
  });
});
