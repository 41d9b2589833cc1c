/** What is in the file, what would be a token, and the few choices before training. */
import { describeTime } from '../../src/records/cells/cell-format.js';
import { grouped, type PartProps, Section, shortNumber, Table, withoutOptions } from './parts.js';
import type { Session } from './session.js';
import { devices, objectives, type Settings, sizes } from './settings.js';

type Column = NonNullable<Session['state']['inspection']>['source']['columns'][number];

export function TokensPart({ session }: PartProps) {
  const { inspection, settings, training, busy, gpu } = session.state;
  const fixed = training !== 'none' && training !== 'done';
  const chosen = new Set(inspection?.tokenizer.columns);
  const choose = (column: string, learn: boolean) => {
    const names = inspection!.source.columns.map(({ name }) => name);
    void session.choose({ columns: names.filter((name) => (name === column ? learn : chosen.has(name))) });
  };
  return (
    <Section session={session} part="tokens" title="What is learned from">
      {inspection && (
        <>
          <Table label="Columns">
            <thead>
              <tr>
                <th scope="col">Learn from</th>
                <th scope="col">holds</th>
                <th scope="col">such as</th>
                <th scope="col">left out, because</th>
              </tr>
            </thead>
            <tbody>
              {inspection.source.columns.map((column) => (
                <tr key={column.name}>
                  <th scope="row">
                    <label>
                      <input
                        type="checkbox"
                        checked={chosen.has(column.name)}
                        disabled={fixed || busy.tokens !== undefined || column.name === settings.label}
                        onChange={(event) => choose(column.name, event.currentTarget.checked)}
                      />{' '}
                      {column.name}
                    </label>
                  </th>
                  <td>{inWords(column)}</td>
                  <td class="cells">{examplesOf(column)}</td>
                  <td>
                    {column.name === settings.label
                      ? 'the labels, for later'
                      : (inspection.tokenizer.reasons[column.name] ?? '')}
                  </td>
                </tr>
              ))}
            </tbody>
          </Table>
          <p>Read as {inspection.tokenizer.why}. The tokens of the first record:</p>
          <p class="tokens">
            {inspection.tokens[0]?.map((token, i) => (
              <span key={i}>{token}</span>
            ))}
          </p>
          {inspection.tokenizer.warnings
            // That of the labels is answered.
            .filter((warning) => !warning.startsWith(`column ${settings.label} is left out`))
            .map((warning) => (
              <p class="warning" key={warning}>
                {withoutOptions(warning)}
              </p>
            ))}
        </>
      )}
      <form
        class="choices"
        onSubmit={(event) => {
          event.preventDefault();
          void session.train();
        }}
      >
        <fieldset disabled={fixed || inspection === undefined}>
          <legend class="hidden">Choices</legend>
          <Select
            label="Labels, never learned from"
            value={settings.label ?? ''}
            options={[
              ['', 'none'],
              ...(inspection?.source.columns ?? []).map(({ name }) => [name, name] as const),
            ]}
            onChoose={(label) =>
              void session.choose({
                label: label || undefined,
                columns: settings.columns?.filter((name) => name !== label),
              })
            }
          />
          <Select
            label="Read records as"
            value={settings.tokenizer ?? ''}
            options={[
              ['', `as chosen (${inspection?.tokenizer.kind ?? '…'})`],
              ['fields', 'columns of a table'],
              ['sequence', 'letters of a sequence'],
              ['byte-pairs', 'pieces of words of a text'],
            ]}
            onChoose={(kind) =>
              void session.choose({ tokenizer: (kind || undefined) as Settings['tokenizer'] })
            }
          />
          <Select
            label="Learn by"
            value={settings.objective}
            options={Object.entries(objectives)}
            onChoose={(objective) => void session.choose({ objective: objective as Settings['objective'] })}
          />
          <Select
            label="Encoder"
            value={settings.size}
            options={Object.entries(sizes).map(
              ([name, { title, layers, width }]) => [name, `${title}: ${layers} layers of ${width}`] as const,
            )}
            onChoose={(size) => void session.choose({ size: size as Settings['size'] })}
          />
          {gpu && (
            <Select
              label="Compute on"
              value={settings.device}
              options={Object.entries(devices)}
              onChoose={(device) => void session.choose({ device: device as Settings['device'] })}
            />
          )}
          <label>
            <span>Steps</span>
            <input
              type="number"
              min={10}
              max={100000}
              step={10}
              required
              value={Number.isNaN(settings.steps) ? '' : settings.steps}
              onInput={(event) => void session.choose({ steps: event.currentTarget.valueAsNumber })}
            />
          </label>
          <button type="submit" class="start" disabled={busy.tokens !== undefined}>
            {training === 'done' ? 'Learn again' : 'Start learning'}
          </button>
        </fieldset>
        <span class="told" role="status">
          {busy.tokens ?? ''}
        </span>
      </form>
    </Section>
  );
}

function Select({
  label,
  value,
  options,
  onChoose,
}: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, title: string])[];
  readonly onChoose: (value: string) => void;
}) {
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {options.map(([name, title]) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Times are held as seconds. */
const examplesOf = ({ examples, format }: Column): string =>
  examples
    .slice(0, 3)
    .map((example) => (format?.kind === 'date' ? describeTime(Number(example), format.holds) : example))
    .join(', ');

/** Such as `numbers, 0 to 55.9, 12 missing`. */
function inWords({ type, range, distinct, distinctCapped, lengths, missing, format }: Column): string {
  const gaps = missing > 0 ? `, ${grouped(missing)} missing` : '';
  if (format) return `${format.kind}${gaps}`;
  if (range) return `${type}, ${shortNumber(range.min)} to ${shortNumber(range.max)}${gaps}`;
  const kinds = `${grouped(distinct)}${distinctCapped ? ' or more' : ''} different`;
  return `${type}, ${kinds}${lengths && lengths.max > 20 ? `, up to ${grouped(lengths.max)} characters` : ''}${gaps}`;
}
