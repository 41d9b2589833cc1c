/** The tables of docs/ list what the code has, no more and no less; links lead somewhere; examples run. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { report } from '../src/benchmark/report.js';
import { runProgram } from '../src/cli/program.js';
import { resolveConfig } from '../src/config/defaults.js';
import { configKeys } from '../src/config/parse.js';
import type { UserConfig } from '../src/config/schema.js';
import { encoders } from '../src/encoders/index.js';
import { input, primitives } from '../src/graph/index.js';
import type { OperationNode, Primitive } from '../src/graph/value.js';
import { type ObjectiveKind, objectives } from '../src/objectives/index.js';
import { protocols } from '../src/probes/index.js';
import { formatExtensions } from '../src/records/formats.js';
import { metrics, tasks } from '../src/scoring/metrics.js';
import { tokenizers } from '../src/tokenizers/index.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string) => readFileSync(resolve(root, file), 'utf8');

/** The cells of the table under a heading, by the name in the first cell, which is in backticks. */
function tableOf(file: string, heading: string): Map<string, string[]> {
  const lines = read(file).split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  expect(start, `${file} has the heading "${heading}"`).toBeGreaterThanOrEqual(0);
  const first = lines.findIndex((line, i) => i > start && line.startsWith('|'));
  const rows = lines.slice(
    first + 2,
    lines.findIndex((line, i) => i > first && !line.startsWith('|')),
  );
  return new Map(
    rows.map((line) => {
      const [name, ...cells] = line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim());
      return [name.replaceAll('`', ''), cells];
    }),
  );
}

const expectNames = (table: ReadonlyMap<string, unknown>, names: Iterable<string>) =>
  expect([...table.keys()].sort()).toEqual([...names].sort());

describe('docs/graph.md', () => {
  it('has a row for every primitive, with its operator and whether it has a gradient', () => {
    const table = tableOf('docs/graph.md', 'Primitives');
    expectNames(table, Object.keys(primitives));
    for (const [name, primitive] of Object.entries<Primitive>(primitives)) {
      const [operator, gradient] = table.get(name)!;
      expect(operator.split(/[;,]/)[0], name).toBe(operatorOf(primitive));
      expect(gradient.startsWith('none'), name).toBe(primitive.gradient === 'none');
    }
  });

  it('has an example that prints what it says', () => {
    const [, code] = /```ts\n(.*?)```/s.exec(read('docs/graph.md'))!;
    const [, printed] = /```text\n(.*?)```/s.exec(read('docs/graph.md'))!;
    const { outputText } = ts.transpileModule(code, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    const output = execFileSync(process.execPath, ['--input-type=module', '--eval', outputText], {
      cwd: root,
    });
    expect(output.toString()).toBe(printed);
  });
});

/** The first ONNX operator that a primitive writes, for attributes that suit them all. */
function operatorOf(primitive: Primitive): string {
  const operators: string[] = [];
  const lowering = {
    device: 'cpu' as const,
    emit: (operator: string) => [String(operators.push(operator))],
    int64: () => '',
    constant: () => '',
  };
  const attributes = { axis: 0, axes: [0], shape: [6], permutation: [1, 0], start: 0, end: 1, to: 'float32' };
  const convolution = { stride: 1, padding: [1, 1], size: [1, 1] };
  const operand = input('x', 'float32', [2, 3, 4, 5]);
  const node: OperationNode = {
    kind: 'operation',
    id: 0,
    scope: '',
    inputs: [operand, operand],
    outputs: [],
    primitive,
    attributes: { ...attributes, ...convolution, transposeA: false, transposeB: false },
  };
  primitive.lower(lowering, ['a', 'b', 'c'], ['y'], node);
  return operators[0];
}

describe('the families', () => {
  it('docs/objectives.md names each with its paper', () => {
    const table = tableOf('docs/objectives.md', 'Objectives');
    expectNames(table, Object.keys(objectives));
    for (const [name, { paper }] of Object.entries(objectives)) expect(table.get(name)![0]).toBe(paper);
  });

  it('docs/encoders.md names each', () => {
    expectNames(tableOf('docs/encoders.md', 'Encoders'), Object.keys(encoders));
  });

  it('docs/tokenizers.md names each', () => {
    expectNames(tableOf('docs/tokenizers.md', 'Kinds'), Object.keys(tokenizers));
  });

  it('docs/readers.md names each format with the endings it goes by', () => {
    const table = tableOf('docs/readers.md', 'Formats');
    expectNames(table, Object.keys(formatExtensions));
    for (const [name, extensions] of Object.entries(formatExtensions))
      expect(table.get(name)![0]).toBe(extensions.map((extension) => `\`.${extension}\``).join(' '));
  });

  it('docs/evaluation.md names each probe, metric and task', () => {
    const file = 'docs/evaluation.md';
    expectNames(tableOf(file, 'Probes'), Object.keys(protocols));
    expectNames(tableOf(file, 'Tasks'), tasks);
    const table = tableOf(file, 'Metrics');
    expectNames(table, Object.keys(metrics));
    for (const [name, metric] of Object.entries(metrics)) {
      const [fits, better] = table.get(name)!;
      expect(fits, name).toBe(Object.keys(metric.tasks).join(', '));
      expect(better, name).toBe(metric.higherIsBetter ? 'higher' : 'lower');
    }
  });

  it('the configuration knows them', () => {
    expect(
      configKeys()
        .get('finetune.metric')!
        .description.match(/[a-z0-9-]+/g),
    ).toEqual(expect.arrayContaining(Object.keys(metrics)));
  });
});

describe('docs/configuration.md', () => {
  const file = 'docs/configuration.md';
  const lists = { string: 'names', integer: 'integers' };
  const sections = [...new Set([...configKeys().values()].map(({ section }) => section))];

  it.each(sections)('has a row for every key of %s, with its type', (section) => {
    const table = tableOf(file, `\`${section}\``);
    const keys = [...configKeys().values()].filter((key) => key.section === section);
    expectNames(
      table,
      keys.map(({ name }) => name),
    );
    for (const { name, type, items, choices } of keys) {
      const kinds =
        choices.length > 0 ? choices.join(', ') : type === 'array' ? lists[items ?? 'string'] : type;
      // Objectives are many, and have a table of their own.
      const expected = section === 'objective' && name === 'kind' ? 'a name of the table' : kinds;
      expect(table.get(name)![0], `${section}.${name}`).toBe(expected);
    }
  });

  it('gives the defaults that a run of short texts has', async () => {
    const text = { type: 'text' as const, values: ['abcdefghijklmnopqrst', 'bca'] };
    const tokenizer = await tokenizers.sequence.fit([{ rows: Int32Array.of(0, 1), columns: { text } }], {
      columns: ['text'],
    });
    const resolve = (user: UserConfig) =>
      resolveConfig(user, {
        path: 'a.txt',
        format: 'csv',
        heldOut: { valid: 0.05, test: 0 },
        hash: '',
        tokenizer,
        records: 2,
        threads: 2,
        versions: {},
      });
    // The options of every objective, those of the default one last. Some want another run to start from.
    const objective = Object.assign(
      {},
      ...(Object.keys(objectives) as ObjectiveKind[])
        .map((kind) => resolve({ objective: { kind }, training: { from: 'another' } }).objective)
        .concat(resolve({}).objective),
    );
    const encoder = { ...resolve({ encoder: { kind: 'perceiver' } }).encoder, ...resolve({}).encoder };
    const config: Readonly<Record<string, unknown>> = { ...resolve({}), encoder, objective };
    let compared = 0;
    for (const section of ['data', 'encoder', 'objective', 'training']) {
      const values = Object.entries(config[section] as object);
      for (const [name, [, , initial]] of tableOf(file, `\`${section}\``)) {
        // A default in backticks is a value, others are rules in words.
        const literal = /^`(.*)`$/.exec(initial)?.[1];
        if (literal === undefined) continue;
        expect(String(new Map(values).get(name)), `${section}.${name}`).toBe(literal);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(12);
  });

  it('has a row for every command', async () => {
    let help = '';
    const write = (text: string) => {
      help += text;
    };
    await runProgram(['--help'], {
      stdout: { write },
      stderr: { write },
      loadVerbs: () => Promise.reject(new Error('help needs no verb')),
      interrupt: () => ({ signal: new AbortController().signal, dispose() {} }),
    });
    const commands = [...help.split('Commands:')[1].matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
    expect(commands).toContain('pretrain');
    expectNames(tableOf(file, 'Commands'), commands);
  });
});

describe('docs/results.md', () => {
  const files = existsSync(resolve(root, 'results')) ? readdirSync(resolve(root, 'results')) : [];

  it.skipIf(!files.some((file) => file.endsWith('.json')))(
    'is what the result files give, figures included',
    async () => {
      const out = resolve(root, 'docs/results.md');
      const { written } = await report({ results: resolve(root, 'results'), out, check: true });
      expect(written).toEqual([]);
    },
    60_000,
  );
});

describe('links', () => {
  const files = [
    'README.md',
    'CHANGELOG.md',
    'recipes/README.md',
    ...readdirSync(resolve(root, 'docs'), { recursive: true }).map((name) => `docs/${name}`),
  ];

  it.each(files.filter((file) => file.endsWith('.md') && existsSync(resolve(root, file))))(
    'of %s lead to files that are there, and to headings that they have',
    (file) => {
      for (const [, target] of read(file).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [path, anchor] = target.split('#');
        const linked = path === '' ? file : resolve(root, dirname(file), path);
        expect(existsSync(resolve(root, linked)), `${file}: ${target}`).toBe(true);
        if (anchor) expect(anchorsOf(read(linked)), `${file}: ${target}`).toContain(anchor);
      }
    },
  );
});

/** Headings as GitHub names them in links. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
