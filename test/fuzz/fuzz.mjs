// @ts-nocheck: plain JavaScript that runs what is built
/** Damaged files for a parser in a child process, which may neither hang nor grow nor fail in any way but by a refusal. */
import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** For one input: seconds of computing, memory beyond what was taken before, and the length of a refusal. */
const MOST = { seconds: 2, mebibytes: 500, characters: 4000 };
/** Without any computing, as where a promise is never kept. */
const MOST_IDLE_SECONDS = 60;
const LOOK_EVERY_MS = 250;

/** Seconds of computing of a process so far; where the system does not tell, of the clock. */
function computed(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return performance.now() / 1000;
  }
}

/** The parser and the number of an input that is counted through all of them. */
function inputAt(plan, counted) {
  let number = counted;
  for (const { name, count } of plan) {
    if (number < count) return { name, number };
    number -= count;
  }
  throw new Error(`there is no input ${counted}`);
}

/** The inputs from `from` on in one process, until it ends or is ended. */
function attempt(settings) {
  return new Promise((resolve) => {
    const child = fork(new URL('child.mjs', import.meta.url), [], {
      execArgv: ['--expose-gc', '--max-old-space-size=1500'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    // Not as an argument, which may not be long.
    child.send({ ...settings, most: MOST });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said = `${said}${chunk}`.slice(-2000);
    });
    const findings = [];
    let done;
    let killed = '';
    child.on('message', (message) => {
      if (message.found) findings.push(message.found);
      done ??= message.done;
    });
    const place = () => {
      try {
        return readFileSync(settings.place).readInt32LE();
      } catch {
        return undefined;
      }
    };
    let last = { number: undefined, computed: 0, at: 0 };
    const watch = setInterval(() => {
      const number = place();
      const now = { number, computed: computed(child.pid), at: performance.now() / 1000 };
      if (number === undefined || number !== last.number) last = now;
      else if (now.computed - last.computed > 2 * MOST.seconds)
        killed = `still computing after ${2 * MOST.seconds} s`;
      else if (now.at - last.at > MOST_IDLE_SECONDS) killed = `still waiting after ${MOST_IDLE_SECONDS} s`;
      if (killed) child.kill('SIGKILL');
    }, LOOK_EVERY_MS);
    child.on('close', (code, signal) => {
      clearInterval(watch);
      const number = place();
      if (!done && number === undefined) throw new Error(`the process did not begin: ${said}`);
      const ending =
        killed || `the process ended by ${signal ?? code}: ${JSON.stringify(said.slice(0, 500))}`;
      if (!done) findings.push({ ...inputAt(settings.plan, number), why: ending });
      resolve({
        findings,
        refused: done?.refused ?? 0,
        peak: done?.peak ?? 0,
        next: done ? Number.POSITIVE_INFINITY : number + 1,
      });
    });
  });
}

/**
 * Inputs of some parsers, one after the other. After one that ends the process the next process goes on behind it.
 * @param plan parsers by name, with how many inputs each reads, or with the `inputs` themselves in Base64
 * @param runs the folder that `trainRuns` filled
 */
export async function fuzz({ plan, runs, seed = 1 }) {
  const folder = mkdtempSync(join(tmpdir(), 'lacuna-fuzz-'));
  const begun = performance.now();
  const inputs = plan.reduce((sum, { count }) => sum + count, 0);
  const total = { inputs, refused: 0, peak: 0, findings: [] };
  try {
    for (let from = 0; from < inputs; ) {
      const { findings, refused, peak, next } = await attempt({
        plan,
        seed,
        from,
        runs,
        folder: join(folder, `from ${from}`),
        place: join(folder, `place ${from}`),
      });
      total.findings.push(...findings);
      total.refused += refused;
      total.peak = Math.max(total.peak, peak);
      from = next;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { ...total, seconds: (performance.now() - begun) / 1000 };
}
