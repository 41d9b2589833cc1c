/** The page: what it is, its file, and all that follows from it. */
import 'uplot/dist/uPlot.min.css';
import './page.css';
import { render } from 'preact';
import { useEffect, useMemo, useReducer } from 'preact/hooks';
import { DataPart } from './data-part.js';
import { DownloadsPart } from './downloads-part.js';
import { LabelsPart } from './labels-part.js';
import { MapPart } from './map-part.js';
import { Session } from './session.js';
import { StrangePart } from './strange-part.js';
import { TokensPart } from './tokens-part.js';
import { TrainingPart } from './training-part.js';

function App() {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const session = useMemo(() => {
    let asked = false;
    return new Session(() => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        redraw(undefined);
      });
    });
  }, []);
  useEffect(() => void alone().then(() => session.open()), []);
  const { state } = session;
  const trained = state.curve.steps.length > 0 || state.training === 'running';
  return (
    <main>
      <header>
        <h1>Lacuna</h1>
        <p>
          Learns what the records of a file have in common, without labels, by hiding a part of each and
          predicting it. Here, in this tab.
        </p>
        <p class="private">
          <strong>Nothing leaves this machine.</strong> The page forbids itself any connection but to its own
          files, and works without a network from now on.
        </p>
      </header>
      <DataPart session={session} />
      {state.file && <TokensPart session={session} />}
      {trained && <TrainingPart session={session} />}
      {trained && <MapPart session={session} />}
      {(state.training === 'done' || state.training === 'stopped') && trained && (
        <>
          <StrangePart session={session} />
          <LabelsPart session={session} />
          <DownloadsPart session={session} />
        </>
      )}
      <footer>
        <p>
          {state.lacuna
            ? `${state.lacuna.threads} ${state.lacuna.threads === 1 ? 'thread computes' : 'threads compute'}. `
            : ''}
          A file may have 2 GB, and a model with its batch 4 GB of memory. What needs more is for the same
          program on a disk: <code>npx lacuna pretrain</code>.
        </p>
      </footer>
    </main>
  );
}

/**
 * Waits for the service worker, which keeps the page and lets it have threads. Where the server has not isolated the page,
 * the page is loaded once more to be isolated.
 */
async function alone(): Promise<void> {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  const kept = await serviceWorker.register('service-worker.js').catch(() => undefined);
  if (!kept) return;
  if (!serviceWorker.controller)
    await Promise.race([
      new Promise((ready) => serviceWorker.addEventListener('controllerchange', ready, { once: true })),
      new Promise((ready) =>
        kept.installing?.addEventListener('statechange', (event) => {
          if ((event.target as ServiceWorker).state === 'redundant') ready(undefined);
        }),
      ),
    ]);
  if (crossOriginIsolated || !serviceWorker.controller || sessionStorage.getItem('isolated') !== null) return;
  sessionStorage.setItem('isolated', 'asked');
  location.reload();
  await new Promise(() => {});
}

render(<App />, document.getElementById('page')!);
