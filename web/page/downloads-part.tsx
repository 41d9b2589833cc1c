/** What there is to take along. */
import { type PartProps, Section } from './parts.js';
import { reportOf } from './report.js';

export function DownloadsPart({ session }: PartProps) {
  const { busy, training } = session.state;
  const working = busy.downloads !== undefined;
  return (
    <Section session={session} part="downloads" title="Take it along">
      <ul class="downloads">
        <li>
          <button type="button" disabled={working} onClick={() => void session.download('embeddings')}>
            Embeddings (CSV)
          </button>{' '}
          numbers for every record, for any other program
        </li>
        <li>
          <button
            type="button"
            disabled={working || training !== 'done'}
            onClick={() => void session.download('encoder')}
          >
            Encoder (ONNX)
          </button>{' '}
          the network alone, for ONNX Runtime{training === 'done' ? '' : '; there when learning is done'}
        </li>
        <li>
          <button type="button" disabled={working} onClick={() => void session.download('run')}>
            Run (zip)
          </button>{' '}
          all of it, for <code>npx lacuna</code> on a disk
        </li>
        <li>
          <button
            type="button"
            disabled={working}
            onClick={() => void session.download('report', () => reportOf(session.state))}
          >
            Report (HTML)
          </button>{' '}
          what this page shows, as a page that asks for nothing
        </li>
      </ul>
      <p class="told" role="status">
        {busy.downloads ?? ''}
      </p>
    </Section>
  );
}
