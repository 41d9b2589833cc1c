/** Whether what was learned helps to predict labels, beside simple models. */
import { fitVerdict } from '../../src/report/fit-verdict.js';
import { type PartProps, Section, shortNumber, Table, Work } from './parts.js';

export function LabelsPart({ session }: PartProps) {
  const { settings, fit } = session.state;
  return (
    <Section session={session} part="labels" title="Does it help to predict your labels?">
      {settings.label === undefined ? (
        <p>
          Name a column of labels above and learn again: it is left out of learning, and simple models are
          compared with what was learned on records that neither has seen.
        </p>
      ) : (
        <>
          <p>
            Simple models of the columns, the same with what was learned beside them, and all together predict{' '}
            <strong>{settings.label}</strong>. Validation chooses; the test records are scored once.
          </p>
          <Work session={session} part="labels" onStart={() => void session.compare()}>
            Compare
          </Work>
        </>
      )}
      {fit && (
        <>
          <div class="finding">
            {fitVerdict(fit).map((sentence) => (
              <p key={sentence}>{sentence}</p>
            ))}
          </div>
          <Table label="Scores">
            <caption>
              {fit.split.train} records to learn from, {fit.split.valid} for validation, {fit.split.test} for
              the test; {fit.metric}, {fit.higherIsBetter ? 'higher' : 'lower'} is better, with 95 %
              intervals.
              {fit.rows.some(({ choice }) => choice !== undefined)
                ? ' Chosen by the log-loss of validation.'
                : ''}
            </caption>
            <thead>
              <tr>
                <th scope="col">model</th>
                <th scope="col" class="numeric">
                  validation
                </th>
                <th scope="col" class="numeric">
                  test
                </th>
                <th scope="col">interval</th>
              </tr>
            </thead>
            <tbody>
              {fit.rows.map(({ name, valid, test, representation }) => (
                <tr key={name}>
                  <th scope="row">
                    {name === fit.chosen ? <strong>{name} (chosen)</strong> : name}
                    {representation ? <span class="tag">learned</span> : ''}
                  </th>
                  <td class="numeric">{shortNumber(valid)}</td>
                  <td class="numeric">{shortNumber(test.value)}</td>
                  <td>
                    <Interval
                      low={test.low}
                      high={test.high}
                      value={test.value}
                      rows={fit.rows.map((row) => row.test)}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </Table>
        </>
      )}
    </Section>
  );
}

interface Score {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** An interval as a bar on the scale of all rows, with its numbers. */
function Interval({ low, high, value, rows }: Score & { readonly rows: readonly Score[] }) {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return null;
  const ends = rows.flatMap((row) => [row.low, row.high]).filter(Number.isFinite);
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const at = (score: number) => (100 * (score - least)) / (most - least || 1);
  return (
    <span class="interval">
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <line x1={at(low)} x2={at(high)} y1="5" y2="5" />
        <line class="middle" x1={at(value) - 0.8} x2={at(value) + 0.8} y1="5" y2="5" />
      </svg>
      <span>
        {shortNumber(low)} – {shortNumber(high)}
      </span>
    </span>
  );
}
