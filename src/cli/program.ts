import { setTimeout } from 'node:timers/promises';
import { Command, CommanderError } from 'commander';
import { launchedBy } from '../cluster/launcher.js';
import { LacunaError, systemError } from '../errors.js';
import { version } from '../version.js';
import { type Interrupt, onInterrupt } from './interrupt.js';
import { addPluginOption, loadAskedPlugins, withPlugins } from './plugin-options.js';
import { printable } from './printable.js';
import { createProgress, type ProgressStream } from './progress.js';
import type { Define, Session } from './session.js';
import { loadVerbs, type Verbs } from './verbs.js';

/** What the outside world is to the program; a test passes its own. */
export interface Environment {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: ProgressStream;
  readonly loadVerbs: () => Promise<Verbs>;
  readonly interrupt: (announce: () => void) => Interrupt;
}

/** A command's file is loaded only when that command is named, so that `lacuna --help` waits for none of them. */
const commands: Readonly<Record<string, { summary: string; load: () => Promise<{ define: Define }> }>> = {
  demo: {
    summary: 'the whole story on real molecules, in under three minutes',
    load: () => import('./demo.js'),
  },
  inspect: {
    summary: 'what is in a file and how it would be learned from',
    load: () => import('./inspect.js'),
  },
  pretrain: { summary: 'learn from a file without labels', load: () => import('./pretrain.js') },
  fit: {
    summary: 'predict labels: simple models, an encoder and ensembles in one honest table',
    load: () => import('./fit.js'),
  },
  finetune: { summary: 'train a pretrained encoder on labels', load: () => import('./finetune.js') },
  probe: { summary: 'score a frozen encoder on labels', load: () => import('./probe.js') },
  rank: {
    summary: 'which of several runs promises most on labels',
    load: () => import('./rank.js'),
  },
  attribute: {
    summary: 'which training records a prediction rests on',
    load: () => import('./attribute.js'),
  },
  embed: { summary: 'write the embedding of every record', load: () => import('./embed.js') },
  predict: { summary: 'write the predictions of a fine-tuned run', load: () => import('./predict.js') },
  map: { summary: 'draw the records of a file on a plane', load: () => import('./map.js') },
  compare: { summary: 'runs beside each other on one page', load: () => import('./compare.js') },
  trajectories: {
    summary: 'which tokens a run learned when, and which it lost',
    load: () => import('./trajectories.js'),
  },
  watch: { summary: 'runs on a live page while they go on', load: () => import('./watch.js') },
  neighbors: { summary: 'the records that a model finds most alike', load: () => import('./neighbors.js') },
  anomalies: {
    summary: 'how unusual every record is, and which part of it',
    load: () => import('./anomalies.js'),
  },
  duplicates: {
    summary: 'records that a model can hardly tell apart',
    load: () => import('./duplicates.js'),
  },
  clusters: {
    summary: 'groups of alike records and what sets them apart',
    load: () => import('./clusters.js'),
  },
  select: {
    summary: 'the records that are worth learning from',
    load: () => import('./select.js'),
  },
  serve: { summary: 'answer HTTP requests with a model', load: () => import('./serve.js') },
  sweep: {
    summary: 'pretrain with several settings, judged on validation records',
    load: () => import('./sweep.js'),
  },
  bench: {
    summary: 'run a benchmark suite, simple baselines beside the encoders',
    load: () => import('./bench.js'),
  },
  report: {
    summary: 'fill the tables and figures of a page from benchmark results',
    load: () => import('./report.js'),
  },
  verify: {
    summary: 'check that a run, an export, a fit or a benchmark is whole and true',
    load: () => import('./verify.js'),
  },
  export: {
    summary: 'write a run as ONNX and safetensors for other tools',
    load: () => import('./export.js'),
  },
};

/** Runs one command line and gives its exit code: 0 done, 1 failed, 2 bad usage or input, 130 interrupted. */
export async function runProgram(
  argv: readonly string[],
  environment: Environment = {
    stdout: process.stdout,
    stderr: process.stderr,
    loadVerbs,
    interrupt: onInterrupt,
  },
): Promise<number> {
  const launched = launchedBy(process.env);
  // Of processes that work together the first one speaks; another tells why it failed.
  const speaks = launched === undefined || launched.rank === 0;
  const { stdout, stderr } = speaks ? environment : { stdout: silent, stderr: silent };
  const say = (text: string) => stderr.write(printable(text));
  const complain = async (text: string) => {
    if (speaks) return say(text);
    // Where the first one fails for the same reason it ends this one, and has said why.
    await setTimeout(2000);
    environment.stderr.write(printable(`rank ${launched.rank}: ${text}`));
  };
  // `lacuna help pretrain` is `lacuna pretrain --help`, which loads the command's options.
  const args = argv[0] === 'help' ? [...argv.slice(1), '--help'] : [...argv];
  const help = args[0] in commands ? `lacuna ${args[0]} --help` : 'lacuna --help';
  let exitCode = 0;
  let plugins: string[] = [];

  const program = new Command('lacuna')
    .description('Learn representations of any data by hiding parts of it and predicting them.')
    .version(version)
    .helpCommand(false)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: say,
      outputError: (text, write) => write(`lacuna: ${oneLine(text.replace(/^error: /, ''))}; see ${help}\n`),
    })
    .hook('preSubcommand', async (_, command) => {
      plugins = await loadAskedPlugins(args);
      const { define } = await commands[command.name()].load();
      define(command, { argv: args, run });
      addPluginOption(command);
    });
  for (const [name, { summary }] of Object.entries(commands)) program.command(name).description(summary);

  const run: Session['run'] = async (json, verb, describe) => {
    const progress = createProgress(stderr);
    const interrupt = environment.interrupt(() => {
      progress.print('stopping after this step; press Ctrl-C again to stop at once');
    });
    const { signal } = interrupt;
    try {
      const verbs = withPlugins(await environment.loadVerbs(), plugins);
      const result = await verb(verbs, { signal, onEvent: progress.show });
      progress.finish();
      // What was done when the signal came is done; of several processes the signal came to any.
      const interrupted = 'interrupted' in result ? result.interrupted === true : signal.aborted;
      if (interrupted && speaks) exitCode = 130;
      if ('passed' in result && result.passed === false) exitCode = 1;
      // Escaped as JSON has it, so it is read as the same.
      if (json) stdout.write(`${printable(JSON.stringify(result))}\n`);
      else say(`${describe(result)}\n`);
    } catch (error) {
      progress.finish();
      // A verb without a checkpoint to write may simply throw what the signal gave as the reason.
      if (!signal.aborted || error instanceof LacunaError) throw error;
      exitCode = 130;
      stderr.write('lacuna: interrupted\n');
    } finally {
      interrupt.dispose();
    }
  };

  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const expected = error instanceof LacunaError ? error : systemError(error);
    if (expected) {
      await complain(`lacuna: ${oneLine(expected.message)}\n`);
      return expected.exitCode;
    }
    const stack = error instanceof Error ? error.stack : String(error);
    await complain(`lacuna: this is a bug in lacuna, please report it with these lines\n${stack}\n`);
    return 1;
  }
  return exitCode;
}

const silent: ProgressStream = { write: () => true };

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, ' ');
}
