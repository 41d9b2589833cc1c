/**
 * What the page knows and does: one file, one run on it, and what was asked of the run. All of it is in the private storage
 * of the page, so that a tab that was closed is gone on with.
 */
import {
  type Columns,
  type Lacuna,
  type MapInPage,
  type NamedFile,
  openLacuna,
  type ProgressEvent,
  type StepEvent,
} from '../../src/web/index.js';
import { aligned } from './align.js';
import { DEFAULTS, readingConfig, type Settings, trainingConfig } from './settings.js';

type Inspection = Awaited<ReturnType<Lacuna['inspect']>>;
export type Fit = Awaited<ReturnType<Lacuna['fit']>>;

/** Losses by step; NaN where none was taken. */
export interface Curve {
  readonly steps: readonly number[];
  readonly loss: readonly number[];
  readonly valid: readonly number[];
  readonly marginal?: number;
}

/** The parts of the page, each with its own line for what went wrong. */
export type Part = 'data' | 'tokens' | 'training' | 'map' | 'anomalies' | 'labels' | 'downloads';

export interface Strange {
  readonly row: number;
  readonly pValue: number;
  readonly blame: string;
}

export interface State {
  readonly lacuna?: Lacuna;
  /** The file, or the folder with so many files. */
  readonly file?: { readonly name: string; readonly size: number; readonly files?: number };
  /** Whether this browser offers a GPU. */
  readonly gpu: boolean;
  /** What computes, as a training told it. */
  readonly device?: string;
  /** Kept from an earlier visit. */
  readonly earlier: boolean;
  readonly settings: Settings;
  readonly inspection?: Inspection;
  readonly training: 'none' | 'running' | 'stopping' | 'stopped' | 'done';
  readonly curve: Curve;
  readonly progress?: Pick<StepEvent, 'step' | 'steps'> & Partial<StepEvent>;
  readonly warnings: readonly string[];
  readonly map?: MapInPage;
  /** Of which step the map is, and whether it has all records. */
  readonly mapped?: { readonly step?: number; readonly whole: boolean };
  /** The newest map with what the model hides of each record, and its step: one of very many records is without. */
  readonly masked?: { readonly map: MapInPage; readonly step?: number };
  /** A record by its place in the map. */
  readonly selected?: number;
  readonly strange?: {
    readonly records: readonly Strange[];
    readonly flagged: number;
    readonly rate: number;
  };
  readonly fit?: Fit;
  /** What is worked at besides training, and what is told of it. */
  readonly busy: Partial<Record<Part, string>>;
  readonly errors: Partial<Record<Part, string>>;
}

const [RUN, FIT, SESSION, DATA] = ['run', 'fit', 'session.json', 'data'];

/** A file up to this size is kept, so that training can go on after the tab was closed. */
const KEPT_BYTES = 512 * 2 ** 20;

/** Records of a map while training goes on, and at its end. */
const [LIVE_RECORDS, MAP_RECORDS] = [400, 200_000];

/** With more than so many, a map of some comes first. */
const [MANY_RECORDS, SOME_RECORDS] = [20_000, 5000];

const STRANGE_RECORDS = 20;

/** What a tab has the patience for: on a disk `lacuna fit` chooses by five folds, and trains the encoder on the labels too. */
const FITTING = { folds: 1, trained_encoder: false } as const;

const empty = {
  inspection: undefined,
  training: 'none',
  curve: { steps: [], loss: [], valid: [] },
  progress: undefined,
  warnings: [],
  map: undefined,
  mapped: undefined,
  masked: undefined,
  selected: undefined,
  strange: undefined,
  fit: undefined,
  busy: {},
  errors: {},
} as const satisfies Partial<State>;

interface Kept {
  readonly file: NonNullable<State['file']>;
  readonly settings: Settings;
}

export class Session {
  state: State = { ...empty, gpu: false, earlier: false, settings: DEFAULTS };
  /** What is too large to be kept. */
  #given?: NamedFile | readonly NamedFile[];
  #hear: () => void;
  #stops: Partial<Record<Part, AbortController>> = {};

  /** `hear` is told of every change. */
  constructor(hear: () => void) {
    this.#hear = hear;
  }

  #set(patch: Partial<State>): void {
    this.state = { ...this.state, ...patch };
    this.#hear();
  }

  /** Works for a part of the page: one work at a time, whose error is told in its place. */
  async #work(part: Part, told: string, work: (hooks: Hooks) => Promise<void>): Promise<void> {
    if (this.state.busy[part] !== undefined) return;
    const stop = new AbortController();
    this.#stops[part] = stop;
    const tell = (line: string | undefined) => this.#set({ busy: { ...this.state.busy, [part]: line } });
    this.#set({ errors: { ...this.state.errors, [part]: undefined } });
    tell(told);
    const onEvent = (event: ProgressEvent) => {
      if (event.type === 'info') tell(event.message);
      else if (event.type === 'warning') this.#warn(event.message);
    };
    try {
      await work({ signal: stop.signal, onEvent });
    } catch (error) {
      if (!stop.signal.aborted)
        this.#set({
          errors: { ...this.state.errors, [part]: error instanceof Error ? error.message : String(error) },
        });
    } finally {
      tell(undefined);
    }
  }

  #warn(message: string): void {
    if (!this.state.warnings.includes(message)) this.#set({ warnings: [...this.state.warnings, message] });
  }

  stop(part: Part): void {
    this.#stops[part]?.abort();
    if (part === 'training' && this.state.training === 'running') this.#set({ training: 'stopping' });
  }

  get #lacuna(): Lacuna {
    return this.state.lacuna!;
  }

  /** The file or folder as verbs take it. */
  get #data(): NamedFile | readonly NamedFile[] | string {
    return this.#given ?? `${DATA}/${this.state.file!.name}`;
  }

  /** A file of the folder, by its path there. */
  async fileOf(path: string): Promise<Blob | undefined> {
    if (!Array.isArray(this.#given)) return this.#lacuna.files.open(`${this.#data}/${path}`);
    return (this.#given as readonly NamedFile[]).find((file) => insideOf(file) === path);
  }

  /** Starts the worker, which keeps to the policy of the page as its code comes from a blob, and finds what was kept. */
  async open(): Promise<void> {
    await this.#work('data', 'Loading the runtime', async () => {
      const base = new URL('.', location.href);
      const code = `import ${JSON.stringify(new URL('worker.js', base).href)};`;
      const worker = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
      const lacuna = await openLacuna({ worker, runtime: base });
      this.#set({ lacuna, gpu: await offersGpu() });
      const kept = await lacuna.files.open(SESSION);
      if (kept === undefined) return;
      const { file, settings }: Kept = JSON.parse(await kept.text());
      const path = `${DATA}/${file.name}`;
      const files = (await lacuna.files.open(path)) ? 1 : (await lacuna.files.list(path)).length;
      if (files === 0) return;
      const curve = await keptCurve(lacuna);
      const done = (await lacuna.files.open(`${RUN}/DONE`)) !== undefined;
      const step = curve.steps.at(-1);
      this.#set({
        file,
        settings,
        earlier: true,
        curve,
        training: done ? 'done' : step === undefined ? 'none' : 'stopped',
        progress: step === undefined ? undefined : { step, steps: settings.steps },
      });
    });
    if (this.state.file) await this.#inspect();
    if (this.state.training === 'done') await this.mapAll();
  }

  /** Takes a file, or those of a folder, in the place of the one before, whose run is removed. */
  async take(given: readonly NamedFile[]): Promise<void> {
    await this.forget();
    const [first] = given;
    const alone = given.length === 1 && !first.webkitRelativePath;
    const name = alone ? first.name : first.webkitRelativePath?.split('/')[0] || 'folder';
    await this.#work('data', `Reading ${name}`, async () => {
      const size = given.reduce((sum, file) => sum + file.size, 0);
      if (size > KEPT_BYTES) this.#given = alone ? first : given;
      else if (alone) await this.#lacuna.files.write(`${DATA}/${name}`, first);
      else
        for (const file of given) await this.#lacuna.files.write(`${DATA}/${name}/${insideOf(file)}`, file);
      this.#set({ file: { name, size, ...(!alone && { files: given.length }) } });
    });
    if (this.state.file) await this.#inspect();
  }

  async takeSample(name: string): Promise<void> {
    const content = await fetch(`samples/${name}`).then((answer) => answer.blob());
    await this.take([new File([content], name)]);
  }

  /** Removes the file, the run and all else that the page keeps. */
  async forget(): Promise<void> {
    for (const stop of Object.values(this.#stops)) stop.abort();
    for (const path of [SESSION, RUN, FIT, DATA]) await this.#lacuna.files.remove(path);
    this.#given = undefined;
    this.#set({ ...empty, file: undefined, earlier: false, settings: DEFAULTS });
  }

  async choose(settings: Partial<Settings>): Promise<void> {
    this.#set({ settings: { ...this.state.settings, ...settings } });
    if ('columns' in settings || 'label' in settings || 'tokenizer' in settings) await this.#inspect();
  }

  async #inspect(): Promise<void> {
    await this.#work('tokens', 'Looking at the columns', async () => {
      const look = () =>
        this.#lacuna.inspect({ data: this.#data, config: readingConfig(this.state.settings) });
      const inspection = await look();
      const first = this.state.inspection === undefined && this.state.training === 'none';
      this.#set({ inspection });
      const [label] = inspection.labels;
      if (first && label !== undefined) this.#set({ settings: { ...this.state.settings, label } });
    });
  }

  /** Learns from the beginning, or goes on. */
  async train(): Promise<void> {
    const resume = this.state.training === 'stopped';
    if (!resume) await this.#lacuna.files.remove(RUN);
    await this.#lacuna.files.remove(FIT);
    const { file, settings, curve } = this.state;
    const fresh = {
      curve: empty.curve,
      warnings: [],
      map: undefined,
      mapped: undefined,
      selected: undefined,
    };
    this.#set({
      ...(resume ? {} : fresh),
      strange: undefined,
      fit: undefined,
      device: undefined,
      training: 'running',
    });
    const kept: Kept = { file: file!, settings };
    await this.#lacuna.files.write(SESSION, new Blob([JSON.stringify(kept)]));
    const drawn = resume ? { ...curve } : empty.curve;
    await this.#work('training', 'Preparing', async ({ signal, onEvent }) => {
      const hear = (event: ProgressEvent) => {
        if (event.type === 'step') this.#step(event);
        else if (event.type === 'valid') {
          this.#validated(event);
          void this.#mapSome();
        } else {
          const device = event.type === 'info' && /^device: (.*)/.exec(event.message)?.[1];
          if (device) this.#set({ device });
          onEvent(event);
        }
      };
      const { interrupted } = await this.#lacuna.pretrain(
        { data: this.#data, out: RUN, config: trainingConfig(settings, this.state.gpu), resume },
        { signal, onEvent: hear },
      );
      this.#set({ training: interrupted ? 'stopped' : 'done' });
    });
    if (this.state.errors.training !== undefined)
      this.#set({ training: drawn.steps.length > 0 ? 'stopped' : 'none' });
    if (this.state.training === 'done' || this.state.training === 'stopped') await this.mapAll();
  }

  #step(event: StepEvent): void {
    const { curve } = this.state;
    const { steps, loss, valid, marginal } = upTo(curve, event.step);
    // The validation of a step may come before the step.
    const validated = curve.valid[curve.steps.indexOf(event.step)] ?? Number.NaN;
    this.#set({
      progress: event,
      curve: {
        steps: [...steps, event.step],
        loss: [...loss, event.loss],
        valid: [...valid, validated],
        marginal: event.val_loss_marginal ?? marginal,
      },
    });
  }

  #validated({ step, val_loss, val_loss_marginal }: Extract<ProgressEvent, { type: 'valid' }>): void {
    const { curve } = this.state;
    const at = curve.steps.indexOf(step);
    const marginal = val_loss_marginal ?? curve.marginal;
    if (at < 0)
      this.#set({
        curve: {
          steps: [...curve.steps, step],
          loss: [...curve.loss, Number.NaN],
          valid: [...curve.valid, val_loss],
          marginal,
        },
      });
    else this.#set({ curve: { ...curve, valid: curve.valid.with(at, val_loss), marginal } });
  }

  /** A map of the first records by the newest checkpoint, between the steps of a training; another one of the same records is turned to fit. */
  async #mapSome(): Promise<void> {
    const step = this.state.progress?.step;
    await this.#work('map', 'Drawing the newest map', async ({ signal }) => {
      const map = await this.#lacuna
        .map({ run: RUN, data: this.#data, limit: LIVE_RECORDS }, { signal })
        // There is no checkpoint yet, or the run has become another one.
        .catch(() => undefined);
      if (map && this.state.training === 'running') this.#show(map, { step, whole: false });
    });
  }

  /** A map of all records, where there are many after one of some. */
  async mapAll(): Promise<void> {
    this.#stops.map?.abort();
    while (this.state.busy.map !== undefined) await new Promise((ready) => setTimeout(ready, 50));
    const rows = this.state.inspection?.source.rows ?? Number.POSITIVE_INFINITY;
    const limits = rows > MANY_RECORDS ? [SOME_RECORDS, MAP_RECORDS] : [MAP_RECORDS];
    for (const limit of limits)
      await this.#work(
        'map',
        `Drawing ${limit < rows ? 'a map of some' : 'the map of all'} records`,
        async (hooks) => {
          const map = await this.#lacuna.map({ run: RUN, data: this.#data, limit }, hooks);
          this.#show(map, { step: this.state.progress?.step, whole: map.rows.length < limit });
        },
      );
  }

  #show(map: MapInPage, mapped: State['mapped']): void {
    const { map: before, selected } = this.state;
    const kept = selected !== undefined && map.rows.length > selected ? selected : undefined;
    const masked = map.hidden ? { map, step: mapped?.step } : this.state.masked;
    this.#set({ map: aligned(map, before), mapped, masked, selected: kept });
  }

  select(selected: number | undefined): void {
    this.#set({ selected });
  }

  async findStrange(): Promise<void> {
    await this.#work('anomalies', 'Judging every record', async (hooks) => {
      const rows = this.state.inspection?.source.rows ?? 0;
      // A threshold needs several normal records above it.
      const falseAlarms = Math.min(0.2, Math.max(0.01, 20 / Math.max(1, rows)));
      const { columns, flagged } = await this.#lacuna.anomalies(
        { run: RUN, data: this.#data, falseAlarms },
        hooks,
      );
      this.#set({ strange: { records: strangest(columns!), flagged, rate: falseAlarms } });
    });
  }

  async compare(): Promise<void> {
    const { label } = this.state.settings;
    if (label === undefined) return;
    await this.#work('labels', 'Reading the labels', async (hooks) => {
      await this.#lacuna.files.remove(FIT);
      const options = { run: RUN, data: this.#data, targets: [label], out: FIT, config: { fit: FITTING } };
      this.#set({ fit: await this.#lacuna.fit(options, hooks) });
    });
  }

  async download(what: 'embeddings' | 'encoder' | 'run' | 'report', report?: () => Blob): Promise<void> {
    const stem = this.state.file!.name.replace(/\..*$/, '');
    await this.#work('downloads', 'Preparing the file', async (hooks) => {
      if (what === 'report') return save(report!(), `${stem}-report.html`);
      if (what === 'run') return save(await this.#lacuna.packRun(RUN), `${stem}-run.zip`);
      if (what === 'encoder')
        return save((await this.#lacuna.files.open(`${RUN}/encoder.onnx`))!, `${stem}-encoder.onnx`);
      const out = 'embeddings.csv';
      await this.#lacuna.embed({ run: RUN, data: this.#data, out }, hooks);
      save((await this.#lacuna.files.open(out))!, `${stem}-embeddings.csv`);
    });
  }
}

type Hooks = {
  readonly signal: AbortSignal;
  readonly onEvent: (event: ProgressEvent) => void;
};

/** The path of a file in its folder. */
const insideOf = (file: NamedFile): string =>
  file.webkitRelativePath?.split('/').slice(1).join('/') || file.name;

/** Whether there is an adapter of WebGPU. */
async function offersGpu(): Promise<boolean> {
  const { gpu } = navigator as { readonly gpu?: { requestAdapter(): Promise<object | null> } };
  return Boolean(await gpu?.requestAdapter().catch(() => null));
}

/** Hands a file to the browser's downloads. */
function save(content: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The curve before a step: a run that goes on repeats those since its checkpoint. */
function upTo({ steps, loss, valid, marginal }: Curve, step: number): Curve {
  let length = steps.length;
  while (length > 0 && steps[length - 1] >= step) length--;
  if (length === steps.length) return { steps, loss, valid, marginal };
  return {
    steps: steps.slice(0, length),
    loss: loss.slice(0, length),
    valid: valid.slice(0, length),
    marginal,
  };
}

/** The curve of the run that is kept, from its log. */
async function keptCurve(lacuna: Lacuna): Promise<Curve> {
  const log = await lacuna.files.open(`${RUN}/metrics.jsonl`);
  const lines = ((await log?.text()) ?? '').split('\n').filter((line) => line !== '');
  const entries = lines.map(
    (line) =>
      JSON.parse(line) as {
        readonly step: number;
        readonly loss?: number;
        readonly val_loss?: number;
        readonly val_loss_marginal?: number;
      },
  );
  const byStep = new Map<number, (typeof entries)[number]>();
  for (const entry of entries) byStep.set(entry.step, { ...byStep.get(entry.step), ...entry });
  const sorted = [...byStep.values()].sort((a, b) => a.step - b.step);
  return {
    steps: sorted.map(({ step }) => step),
    loss: sorted.map(({ loss }) => loss ?? Number.NaN),
    valid: sorted.map(({ val_loss }) => val_loss ?? Number.NaN),
    marginal: entries.findLast(({ val_loss_marginal }) => val_loss_marginal !== undefined)?.val_loss_marginal,
  };
}

/** The records with the smallest p-values, of equal ones those with the larger scores first. */
function strangest(columns: Columns): Strange[] {
  const { row, p_value, score, blame } = columns as Readonly<Record<string, ArrayLike<number>>> & {
    readonly blame?: readonly (string | null)[];
  };
  return Array.from(row, (_, i) => i)
    .sort((a, b) => p_value[a] - p_value[b] || score[b] - score[a])
    .slice(0, STRANGE_RECORDS)
    .map((i) => ({ row: row[i], pValue: p_value[i], blame: blame?.[i] ?? '' }));
}
