/** The file or folder: dropped, chosen, or a sample. */
import { useState } from 'preact/hooks';
import type { NamedFile } from '../../src/web/index.js';
import { dropped } from './dropped.js';
import { bytes, grouped, type PartProps, Section } from './parts.js';

const samples = [
  { file: 'weather.csv', title: 'A table', says: '1,461 days of weather in Seattle' },
  { file: 'molecules.csv', title: 'Molecules', says: '2,117 on lists of known risks' },
  { file: 'peptides.csv', title: 'Proteins', says: '1,800 short ones, half of them against microbes' },
] as const;

export function DataPart({ session }: PartProps) {
  const [over, setOver] = useState(false);
  const { lacuna, file, inspection, earlier, training, busy } = session.state;
  const ready = lacuna !== undefined && training !== 'running' && training !== 'stopping';
  const take = (given: readonly NamedFile[]) => {
    if (given.length > 0 && ready) void session.take(given);
  };
  const source = inspection?.source;
  return (
    <Section session={session} part="data" title="Your file">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: dropping is beside the button, which does the same */}
      <div
        class={over ? 'drop over' : 'drop'}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          if (event.dataTransfer) void dropped(event.dataTransfer).then(take);
        }}
      >
        <label class={ready ? 'button' : 'button off'}>
          <input
            type="file"
            multiple
            disabled={!ready}
            onChange={(event) => take([...(event.currentTarget.files ?? [])])}
          />
          Choose a file
        </label>{' '}
        <label class={ready ? 'button' : 'button off'}>
          <input
            type="file"
            ref={(input) => {
              if (input) input.webkitdirectory = true;
            }}
            disabled={!ready}
            onChange={(event) => take(shownOnes(event.currentTarget.files))}
          />
          Choose a folder
        </label>{' '}
        or drop either here: a table (CSV, TSV, Parquet, JSON), sequences (FASTA, lines), molecules (SMILES),
        arrays (NPY, IDX), a folder of images or of sounds (WAV).
      </div>
      <ul class="samples" aria-label="Samples">
        {samples.map(({ file: name, title, says }) => (
          <li key={name}>
            <button type="button" disabled={!ready} onClick={() => void session.takeSample(name)}>
              <strong>{title}</strong> <span>{says}</span>
            </button>
          </li>
        ))}
      </ul>
      <p class="told" role="status">
        {busy.data ??
          (file === undefined
            ? lacuna
              ? 'Ready.'
              : ''
            : [
                `${earlier ? 'Kept from an earlier visit: ' : ''}${file.name}${file.files === undefined ? '' : `, ${grouped(file.files)} files`}, ${bytes(file.size)}`,
                ...(source
                  ? [
                      `${grouped(source.rows ?? source.rowsRead)}${source.rows === undefined ? ' or more' : ''} records, ${source.columns.length} ${source.columns.length === 1 ? 'column' : 'columns'}`,
                      ...(inspection.rejected > 0
                        ? [`${grouped(inspection.rejected)} could not be read`]
                        : []),
                    ]
                  : []),
              ].join(' · '))}{' '}
        {file && ready && (
          <button type="button" class="plain" onClick={() => void session.forget()}>
            Forget it, and what was learned
          </button>
        )}
      </p>
    </Section>
  );
}

/** Files of a folder without hidden ones. */
const shownOnes = (files: FileList | null): File[] =>
  [...(files ?? [])].filter(({ webkitRelativePath }) => !/(^|\/)\./.test(webkitRelativePath));
