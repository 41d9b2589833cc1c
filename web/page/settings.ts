/** What a person chooses before training, and the configuration that it means. */
import type { UserConfig } from '../../src/web/index.js';

export interface Settings {
  /** The columns that become tokens; those that `inspect` chooses where it is left out. */
  readonly columns?: readonly string[];
  /** The column of labels, which never becomes a token. */
  readonly label?: string;
  readonly tokenizer?: 'sequence' | 'byte-pairs' | 'fields';
  readonly objective: keyof typeof objectives;
  readonly size: keyof typeof sizes;
  readonly steps: number;
  /** Where a GPU is offered. */
  readonly device: keyof typeof devices;
}

export const objectives = {
  sma: 'hiding what it attends to (SMA)',
  'random-masking': 'hiding at random',
  byol: 'comparing two views (BYOL)',
} as const;

export const sizes = {
  small: { title: 'small', width: 32, embed_width: 32, layers: 2, heads: 4 },
  medium: { title: 'medium', width: 64, embed_width: 64, layers: 3, heads: 8 },
  large: { title: 'large', width: 128, embed_width: 128, layers: 4, heads: 8 },
} as const;

export const devices = {
  auto: 'what is faster, by a short trial',
  cpu: 'the processor',
  webgpu: 'the GPU',
} as const;

export const DEFAULTS: Settings = { objective: 'sma', size: 'medium', steps: 500, device: 'auto' };

/** Looks at the validation loss, checkpoints and pictures in the course of a training. */
const LOOKS = 20;

/** How a file is read and cut into tokens. */
export const readingConfig = ({ columns, label, tokenizer }: Settings): UserConfig => ({
  data: columns ? { columns: [...columns] } : label === undefined ? {} : { ignore: [label] },
  tokenizer: tokenizer ? { kind: tokenizer } : {},
});

export function trainingConfig(settings: Settings, gpu: boolean): UserConfig {
  const { title: _, ...encoder } = sizes[settings.size];
  const every = Math.max(1, Math.round(settings.steps / LOOKS));
  return {
    ...readingConfig(settings),
    encoder,
    objective: { kind: settings.objective },
    training: {
      steps: settings.steps,
      ...(gpu && { device: settings.device }),
      log_steps: Math.max(1, Math.round(settings.steps / 250)),
      valid_steps: every,
      checkpoint_steps: every,
    },
  };
}
