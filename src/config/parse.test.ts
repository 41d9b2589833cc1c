import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { hashConfig } from '../files/config-hash.js';
import { objectives } from '../objectives/index.js';
import {
  configKeys,
  mergeConfigs,
  parseConfig,
  parseConfigText,
  parseReading,
  parseRunConfig,
  parseSetting,
} from './parse.js';
import { type Config, configSchemas } from './schema.js';

// Each test makes the schemas and keys anew, which are kept until a family has other members.
beforeEach(() => {
  Object.assign(objectives, { another: objectives.sma });
  configKeys();
  Reflect.deleteProperty(objectives, 'another');
});

const objectiveNames = Object.keys(objectives).join(', ');

const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    expect(String(error)).not.toContain('\n');
    return error instanceof Error ? error.message : '';
  }
  throw new Error('expected an error');
};

describe('parseReading', () => {
  it.each<[object, string]>([
    [{ delimeter: ';' }, 'c: delimeter: unknown key; did you mean delimiter?'],
    [{ columns: ['a'] }, 'c: columns: unknown key; known here are format, delimiter, '],
    [
      { on_bad_record: 'error' },
      'c: on_bad_record: expected one of auto, fail, skip, got "error"; for example "skip"',
    ],
  ])('refuses %j', (reading, expected) => {
    expect(message(() => parseReading(reading, 'c'))).toContain(expected);
  });

  it('keeps what is right', () => {
    const reading = { delimiter: ';', missing: ['-'] };
    expect(parseReading(reading, 'c')).toEqual(reading);
    expect(parseReading({}, 'c')).toEqual({});
  });
});

describe('parseConfig', () => {
  it('accepts any part of a configuration', () => {
    expect(parseConfig({}, 'config')).toEqual({});
    const config = { objective: { kind: 'sma', masking_ratio: 0.2 }, training: { steps: 10 } };
    expect(parseConfig(config, 'config')).toEqual(config);
  });

  it.each<[unknown, string]>([
    [{ training: { stepz: 1 } }, 'c: training.stepz: unknown key; did you mean training.steps?'],
    [{ trainig: {} }, 'c: trainig: unknown key; did you mean training?'],
    [{ batch_size: 8 }, 'c: batch_size: unknown key; did you mean training.batch_size?'],
    [
      { encoder: { masking_ratio: 0.2 } },
      'c: encoder.masking_ratio: unknown key; did you mean objective.masking_ratio?',
    ],
    [
      { tokenizer: { augmentations: 1 } },
      'c: tokenizer.augmentations: unknown key; known here are kind, max_tokens, patch',
    ],
    [
      { objective: { kind: 'random_masking' } },
      `c: objective.kind: expected one of ${objectiveNames}, got "random_masking"; did you mean random-masking?`,
    ],
    [
      { objective: { kind: 'mae' } },
      `c: objective.kind: expected one of ${objectiveNames}, got "mae"; for example "sma"`,
    ],
    [
      { training: { steps: 'many' } },
      'c: training.steps: expected a whole number of at least 1, got "many"; for example 10000',
    ],
    [
      { training: { steps: 0.5 } },
      'c: training.steps: expected a whole number of at least 1, got 0.5; for example 10000',
    ],
    [
      { objective: { masking_ratio: 1 } },
      'c: objective.masking_ratio: expected a number above 0 and below 1, got 1; for example 0.2',
    ],
    [
      { training: { learning_rate: Number.NaN } },
      'c: training.learning_rate: expected a number above 0, got NaN; for example 0.001',
    ],
    [
      { data: { columns: ['a', 3] } },
      'c: data.columns: expected a list of names, got ["a",3]; for example ["smiles"]',
    ],
    [
      { training: 5 },
      'c: training: expected keys and values, got 5; known here are steps, epochs, batch_size',
    ],
    [
      { training: { steps: 1, epochs: 1 } },
      'c: training.epochs: steps and epochs exclude each other; keep one',
    ],
    [{ data: { path: 3 } }, 'c: data.path: expected a name, got 3; for example "molecules.csv"'],
    [
      { training: { constant_rate: 2 } },
      'c: training.constant_rate: expected a number above 0 and at most 1, got 2; for example 0.25',
    ],
    [
      { finetune: { task: 'a'.repeat(58) } },
      `expected one of regression, binary, multiclass, multilabel, per-token, got "${'a'.repeat(58)}"; for`,
    ],
    [{ finetune: { task: 'a'.repeat(59) } }, `per-token, got "${'a'.repeat(59)}…; for`],
    [null, 'c: expected keys and values, got null; known here are data, tokenizer'],
    [{ training: { steps: -1, seed: -1 } }, '(and 1 more)'],
  ])('says what is wrong in %j', (input, expected) => {
    expect(message(() => parseConfig(input, 'c'))).toContain(expected);
  });
});

describe('an unknown key', () => {
  it('of a section is not taken for a section', () => {
    const told = message(() => parseConfig({ encoder: { encoders: 1 } }, 'c'));
    expect(told).toContain('c: encoder.encoders: unknown key');
    expect(told).not.toContain('did you mean encoder?');
  });
});

describe('parseConfigText', () => {
  const read = (text: string, name = 'config.yaml') => parseConfigText(text, name);

  it('refuses an alias that names nothing, or stands for too much, in one line', () => {
    const many = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefgh'
      .split('')
      .map((key, i) => `${key}: &${key} [${Array(9).fill(`*${'abcdefg'[i]}`).join(', ')}]`)
      .join('\n')}\n`;
    for (const text of ['*a', '\x1ab: *X', 'training: {seed: *x}', many]) {
      expect(() => read(text)).toThrow(InputError);
      expect(() => read(text)).toThrow(/^config\.yaml: not valid YAML: .*$/);
    }
  });

  it('reads YAML and JSON', () => {
    const config = { training: { learning_rate: 1e-4, steps: 5 }, data: { columns: ['no'] } };
    expect(read('training:\n  learning_rate: 1e-4 # small\n  steps: 5\ndata: {columns: [no]}\n')).toEqual(
      config,
    );
    expect(read(JSON.stringify(config), 'config.json')).toEqual(config);
    expect(read('')).toEqual({});
  });

  it.each([
    ['training:\n  steps: many\n', '2:3: training.steps: expected a whole number'],
    ['training:\n  seed: 1\n  stepz: 3\n', '3:3: training.stepz: unknown key; did you mean training.steps?'],
    [
      '{\n  "objective": {\n    "kind": "smaa" } }',
      '3:5: objective.kind: expected one of sma, random-masking',
    ],
    ['data:\n  columns:\n    - a\n    - 3\n', '2:3: data.columns: expected a list of names'],
    ['training:\n  steps:\n', '2:3: training.steps: expected a whole number of at least 1, got null'],
    ['training:\n', '1:1: training: expected keys and values, got null'],
    ['- a\n- b\n', '1:1: expected keys and values, got ["a","b"]'],
    ['a: [1\nb: 2\n', '2:1: not valid YAML'],
    ['training: {steps: 1}\ntraining: {steps: 2}\n', '2:1: not valid YAML: Map keys must be unique'],
  ])('points at the line and column of %j', (text, expected) => {
    expect(() => read(text)).toThrow(InputError);
    expect(message(() => read(text))).toContain(`config.yaml:${expected}`);
    expect(message(() => read(text))).not.toContain('\n');
  });

  it.each([
    ['hello', 'expected keys and values, got "hello"'],
    ['training: &t {steps: 1}\nprobe: *t\n', 'probe.steps: unknown key'],
    ['? \n: 3\n', 'unknown key; known here are '],
  ])('names the file alone where %j has no place for the mistake', (text, expected) => {
    expect(() => read(text)).toThrow(InputError);
    expect(message(() => read(text))).toContain(`config.yaml: ${expected}`);
  });
});

describe('parseSetting', () => {
  it.each([
    ['training.steps', '100', { training: { steps: 100 } }],
    ['training.learning_rate', '1e-3', { training: { learning_rate: 0.001 } }],
    ['data.columns', 'a, b', { data: { columns: ['a', 'b'] } }],
    ['finetune.shots', '1, 5', { finetune: { shots: [1, 5] } }],
    ['data.split_column', '1', { data: { split_column: '1' } }],
    ['objective.tied_output', 'false', { objective: { tied_output: false } }],
    ['objective.tied_output', 'true', { objective: { tied_output: true } }],
    ['training.seed', ' 7 ', { training: { seed: 7 } }],
  ])('reads %s from %s', (key, text, expected) => {
    expect(parseSetting(key, text, '--set')).toEqual(expected);
  });

  it.each([
    ['training.steps', '', '--steps: expected a whole number of at least 1, got ""'],
    ['training.seed', ' ', '--steps: expected a whole number of at least 0, got " "'],
    ['training.steps', '0x', '--steps: expected a whole number of at least 1, got "0x"'],
    ['objective.tied_output', 'maybe', '--steps: expected true or false, got "maybe"'],
    ['probe.shots', '1,x', '--steps: expected a list of whole numbers, got [1,"x"]; for example [1,5,10]'],
    ['training.step', '1', '--steps: unknown key; did you mean training.steps?'],
    ['a.b.c', '1', '--steps: unknown key; known here are data, tokenizer'],
    ['training.steps.x', '1', '--steps: expected a whole number of at least 1, got {"x":"1"}'],
    ['training', '1', '--steps: expected keys and values, got "1"'],
    ['', '1', '--steps: unknown key'],
  ])('refuses %s = %s', (key, text, expected) => {
    expect(message(() => parseSetting(key, text, '--steps'))).toContain(expected);
  });
});

describe('mergeConfigs', () => {
  it('lets the later one win, key by key', () => {
    expect(
      mergeConfigs(
        { training: { seed: 1, batch_size: 8 } },
        {},
        { training: { seed: 2 }, encoder: { layers: 3 } },
      ),
    ).toEqual({ training: { seed: 2, batch_size: 8 }, encoder: { layers: 3 } });
  });

  it('replaces steps by epochs and the reverse, but refuses both from one place', () => {
    expect(mergeConfigs({ training: { steps: 5 } }, { training: { epochs: 1 } })).toEqual({
      training: { epochs: 1 },
    });
    expect(mergeConfigs({ finetune: { epochs: 5 } }, { finetune: { steps: 1 } })).toEqual({
      finetune: { steps: 1 },
    });
    for (const duration of [{ steps: 5 }, { epochs: 5 }])
      expect(mergeConfigs({ training: duration }, { training: { seed: 1 } })).toEqual({
        training: { ...duration, seed: 1 },
      });
    expect(message(() => mergeConfigs({ training: { steps: 5, epochs: 1 } }))).toBe(
      'training.epochs: steps and epochs exclude each other; keep one',
    );
  });
});

describe('plug-ins', () => {
  it('of all places are merged, each once, and are there only where one is named', () => {
    expect(
      mergeConfigs(
        { plugins: ['a.mjs', 'b.mjs'] },
        { training: { seed: 1 } },
        { plugins: ['b.mjs', 'c.mjs'] },
      ),
    ).toEqual({ plugins: ['a.mjs', 'b.mjs', 'c.mjs'], training: { seed: 1 } });
    expect(mergeConfigs({}, { plugins: [] })).toEqual({});
  });
});

describe('the schema', () => {
  it('refuses what is out of range at each bound', () => {
    const refused: [string, string, unknown][] = [
      ['data', 'path', ''],
      ['data', 'columns', []],
      ['data', 'ignore', ['']],
      ['data', 'valid_fraction', 1],
      ['data', 'test_fraction', -0.1],
      ['data', 'split_column', ''],
      ['data', 'on_bad_record', 'ignore'],
      ['tokenizer', 'max_tokens', 0],
      ['tokenizer', 'patch', 0],
      ['training', 'epochs', 0],
      ['training', 'batch_size', 0],
      ['training', 'warmup_steps', -1],
      ['training', 'constant_rate', 0],
      ['training', 'weight_decay', -1],
      ['training', 'clip_norm', 0],
      ['training', 'log_steps', 0],
      ['training', 'valid_steps', 0],
      ['training', 'checkpoint_steps', 0],
      ['finetune', 'mask_column', ''],
      ['finetune', 'layer_decay', 0],
      ['finetune', 'layer_decay', 1.1],
      ['finetune', 'seeds', 0],
      ['probe', 'kind', 'none'],
    ];
    for (const [section, name, value] of refused)
      expect(() => parseConfig({ [section]: { [name]: value } }, 'c'), `${section}.${name}`).toThrow(
        `c: ${section}.${name}: expected`,
      );
    const bounds = {
      data: { valid_fraction: 0 },
      training: { warmup_steps: 0, constant_rate: 1, weight_decay: 0 },
    };
    expect(parseConfig(bounds, 'c')).toEqual(bounds);
    expect(() => parseConfig({ plugins: [''] }, 'c')).toThrow(InputError);
    expect(() => parseConfig({ plugins: 'own.mjs' }, 'c')).toThrow(InputError);
  });

  it('is made once, and anew when a family has one more member', () => {
    const before = configSchemas();
    expect(configSchemas()).toBe(before);
    expect(configKeys()).toBe(configKeys());
    Object.assign(objectives, { added: objectives.sma });
    try {
      expect(configSchemas()).not.toBe(before);
      expect(configKeys().get('objective.kind')?.choices).toContain('added');
      expect(parseConfig({ objective: { kind: 'added' } }, 'c')).toEqual({ objective: { kind: 'added' } });
    } finally {
      Reflect.deleteProperty(objectives, 'added');
    }
    expect(configKeys().get('objective.kind')?.choices).not.toContain('added');
  });

  it('gives every key a meaning and an example that it accepts', () => {
    expect(configKeys().size).toBeGreaterThan(40);
    const sections = Object.keys(configSchemas().user.shape).filter((name) => name !== 'plugins');
    expect([...new Set([...configKeys().values()].map(({ section }) => section))]).toEqual(sections);
    for (const { key, section, name, description, example } of configKeys().values()) {
      expect(key).toMatch(/^[a-z]+\.[a-z_]+$/);
      expect(description, key).toMatch(/^[^A-Z].*[^.]$/);
      expect(parseConfig({ [section]: { [name]: example } }, key)).toEqual({
        [section]: { [name]: example },
      });
    }
  });
});

describe("a run's configuration", () => {
  const config: Config = {
    data: { path: 'a.csv', format: 'csv', on_bad_record: 'auto', valid_fraction: 0.1, hash: 'x' },
    tokenizer: { kind: 'sequence', max_tokens: 128 },
    encoder: {
      kind: 'perceiver',
      latents: 8,
      width: 32,
      embed_width: 32,
      layers: 2,
      heads: 4,
      cross_heads: 1,
      widening: 4,
    },
    objective: {
      kind: 'sma',
      masking_ratio: 0.2,
      per_query: 4,
      decoder_heads: 4,
      schedule_fraction: 0,
      tied_output: true,
    },
    training: {
      steps: 10,
      batch_size: 8,
      learning_rate: 0.001,
      warmup_steps: 1,
      weight_decay: 0.01,
      clip_norm: 1,
      seed: 0,
      threads: 1,
      log_steps: 1,
      valid_steps: 5,
      checkpoint_steps: 5,
    },
    versions: { lacuna: '0.1.0' },
  };

  it('must be complete', () => {
    expect(parseRunConfig(JSON.parse(JSON.stringify(config)), 'config.json')).toEqual(config);
    const { steps: _, ...training } = config.training;
    expect(message(() => parseRunConfig({ ...config, training }, 'config.json'))).toBe(
      'config.json: training.steps: expected a whole number of at least 1, got nothing; for example 10000',
    );
    expect(
      message(() => parseRunConfig({ ...config, data: { ...config.data, hash: 3 } }, 'config.json')),
    ).toMatch(/^config\.json: data\.hash: .*, got 3$/);
    expect(message(() => parseRunConfig(null, 'config.json'))).toMatch(/^config\.json: expected keys and/);
    const { kind: __, ...objective } = config.objective;
    expect(message(() => parseRunConfig({ ...config, objective }, 'config.json'))).toMatch(
      /^config\.json: objective\.kind: expected one of sma, .*, got nothing/,
    );
  });

  it('has all options of its objective; those of others, which earlier versions wrote, stay and change nothing', () => {
    const { per_query: _, ...objective } = config.objective;
    expect(message(() => parseRunConfig({ ...config, objective }, 'config.json'))).toBe(
      'config.json: objective.per_query: expected a whole number of at least 1, got nothing; for example 4',
    );
    const earlier = { ...config, objective: { ...config.objective, kind: 'random-masking' } };
    expect(parseRunConfig(earlier, 'config.json')).toEqual(earlier);
    const { masking_ratio: __, ...rest } = earlier.objective;
    expect(message(() => parseRunConfig({ ...earlier, objective: rest }, 'config.json'))).toContain(
      'objective.masking_ratio: expected a number',
    );
  });

  it('has all sizes and options of its encoder, and may leave out what only some runs have', () => {
    for (const name of [
      'kind',
      'width',
      'embed_width',
      'layers',
      'heads',
      'widening',
      'latents',
      'cross_heads',
    ]) {
      const encoder = Object.fromEntries(Object.entries(config.encoder).filter(([key]) => key !== name));
      expect(message(() => parseRunConfig({ ...config, encoder }, 'config.json'))).toMatch(
        new RegExp(`^config\\.json: encoder\\.${name}: expected .*, got nothing`),
      );
    }
    const fuller = {
      ...config,
      data: { ...config.data, columns: ['a'], ignore: ['b'], split_column: 'part', test_fraction: 0.1 },
      tokenizer: { ...config.tokenizer, patch: 2 },
      training: { ...config.training, epochs: 2, from: 'runs/a', recompute: true, monitor_target: 'y' },
      finetune: { seeds: 2 },
      plugins: ['own.mjs'],
    };
    expect(parseRunConfig(fuller, 'config.json')).toEqual(fuller);
    for (const section of ['data', 'tokenizer', 'encoder', 'objective', 'training', 'versions'])
      expect(() => parseRunConfig({ ...config, [section]: undefined }, 'config.json')).toThrow(InputError);
    for (const name of Object.keys(config.training))
      expect(() =>
        parseRunConfig({ ...config, training: { ...config.training, [name]: undefined } }, 'config.json'),
      ).toThrow(`config.json: training.${name}: expected`);
  });

  it('has a hash that depends on values, not on their order', () => {
    const reversed = Object.fromEntries(Object.entries(config).reverse());
    expect(hashConfig(reversed)).toBe(hashConfig(config));
    expect(hashConfig({ ...config, training: { ...config.training, seed: 1 } })).not.toBe(hashConfig(config));
  });

  it('has the SHA-256 of its text with sorted keys, by which checkpoints of all versions know it', () => {
    const text = '{"a":null,"b":{"c":[{"z":1,"y":2},3],"d":"e"}}';
    const digest = createHash('sha256').update(text).digest('hex');
    const list = [{ z: 1, y: 2 }, 3];
    expect(hashConfig({ b: { d: 'e', c: list }, a: null })).toBe(digest);
    expect(hashConfig({ a: null, b: { c: list, d: 'e' } })).toBe(digest);
  });
});

describe('a file that attacks its parser', () => {
  const doubled = Array.from('bcdefghi', (name, i) => {
    const before = `*${String.fromCharCode(97 + i)}`;
    return `${name}: &${name} [${Array(9).fill(before).join(', ')}]`;
  });
  it.each([
    ['[', '['.repeat(20_000)],
    ['{a: ', '{a: '.repeat(5000)],
    ['- ', '- '.repeat(20_000)],
    ['deeper lines', Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['aliases of aliases', ['a: &a [x]', ...doubled].join('\n')],
    ['a list as a key', '? [a, b]\n: 1\n'],
    ['a map as a key of a section', 'encoder:\n  ? {a: b}\n  : 1\n'],
    ['names of Object', '__proto__: {x: 1}\nconstructor: 1\n'],
  ])('is refused in one line: %s', (_, text) => {
    const error = (() => {
      try {
        parseConfigText(text, 'x.yaml');
      } catch (error) {
        return error as Error;
      }
    })();
    expect(error).toBeInstanceOf(InputError);
    expect(error?.message).toMatch(/^x\.yaml[^\n]*$/);
  });
});
