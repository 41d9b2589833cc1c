/** Learning: the losses, in words what they say, and what the model hides of some records. */
import { useEffect } from 'preact/hooks';
import { duration } from '../../src/report/numbers.js';
import { CurveChart } from './curve-chart.js';
import { MaskedRecord } from './masked-record.js';
import { type PartProps, Section, shortNumber, withoutOptions } from './parts.js';
import type { State } from './session.js';

/** Records whose masks are shown. */
const SHOWN_MASKS = 5;

export function TrainingPart({ session }: PartProps) {
  const { training, curve, progress, map, masked, warnings, busy, settings, device } = session.state;
  const steps = progress?.steps ?? settings.steps;
  const step = progress?.step ?? 0;
  const words = verdict(session.state);
  useEffect(() => {
    if (training === 'running') document.getElementById('training')?.scrollIntoView();
  }, [training]);
  return (
    <Section session={session} part="training" title="Learning">
      <div class="work">
        {training === 'running' || training === 'stopping' ? (
          <button type="button" disabled={training === 'stopping'} onClick={() => session.stop('training')}>
            Stop
          </button>
        ) : (
          <button type="button" disabled={training === 'done'} onClick={() => void session.train()}>
            {training === 'done' ? 'Done' : 'Go on'}
          </button>
        )}
        <progress aria-label="Steps done" max={steps} value={step} />
        <span class="told">
          {training === 'running' && step === 0
            ? withoutOptions(busy.training ?? 'Preparing')
            : `step ${step} of ${steps}${training === 'running' && progress?.seconds_left !== undefined ? `, ${duration(progress.seconds_left)} left` : ''}${training === 'stopped' ? ', stopped: it goes on from here, also when the tab was closed' : ''}`}
        </span>
        {device !== undefined && <span class="told">on {device}</span>}
      </div>
      <div class="two">
        <figure>
          <CurveChart curve={curve} steps={steps} label={`Losses by step. ${words}`} />
          <figcaption>
            <ul class="legend">
              <li class="training">training loss</li>
              <li class="validation">validation loss</li>
              {curve.marginal !== undefined && (
                <li class="marginal">marginal: each value guessed from how often it occurs</li>
              )}
            </ul>
            <p class="verdict" role="status">
              {words}
            </p>
          </figcaption>
        </figure>
        <div class="masks">
          <h3>What the model hides{masked?.step ? `, step ${masked.step}` : ''}</h3>
          {masked ? (
            Array.from({ length: Math.min(SHOWN_MASKS, masked.map.rows.length) }, (_, record) => (
              <MaskedRecord key={record} map={masked.map} record={record} />
            ))
          ) : (
            <p class="told">
              {map
                ? 'This way of learning hides no tokens that have names.'
                : 'The first checkpoint will show it on your first records.'}
            </p>
          )}
        </div>
      </div>
      {warnings.map((warning) => (
        <p class="warning" key={warning}>
          {withoutOptions(warning)}
        </p>
      ))}
    </Section>
  );
}

/** What the losses say. */
export function verdict({ curve: { valid, marginal }, training }: State): string {
  const last = valid.findLast((value) => Number.isFinite(value));
  if (last === undefined) return 'No validation yet.';
  if (marginal === undefined) return `Validation loss ${shortNumber(last)}.`;
  const part = (marginal - last) / marginal;
  const against = `Validation loss ${shortNumber(last)} against ${shortNumber(marginal)} for guessing`;
  if (part <= 0.01)
    return `${against}: ${training === 'running' ? 'nothing is learned of hidden parts yet' : 'nothing was learned of hidden parts that guessing does not know'}.`;
  return `${against}, ${Math.round(100 * part)} % lower: hidden parts are predicted from the rest.`;
}
