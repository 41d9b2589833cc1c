/** What the parts of the page share. */
import type { ComponentChildren } from 'preact';
import type { Part, Session } from './session.js';

export interface PartProps {
  readonly session: Session;
}

/** A part with its heading, the line of what is being done, and the line of what went wrong. */
export function Section({
  session,
  part,
  title,
  children,
}: PartProps & { readonly part: Part; readonly title: string; readonly children: ComponentChildren }) {
  const { busy, errors } = session.state;
  return (
    <section aria-labelledby={`${part}-title`} aria-busy={busy[part] !== undefined} id={part}>
      <h2 id={`${part}-title`}>{title}</h2>
      {children}
      {errors[part] !== undefined && (
        <p class="error" role="alert">
          {withoutOptions(errors[part])}
        </p>
      )}
    </section>
  );
}

/** A button that becomes the line of its work, with a way to stop it, in the same place. */
export function Work({
  session,
  part,
  children,
  onStart,
}: PartProps & { readonly part: Part; readonly children: ComponentChildren; readonly onStart: () => void }) {
  const told = session.state.busy[part];
  return (
    <p class="work">
      {told === undefined ? (
        <button type="button" onClick={onStart}>
          {children}
        </button>
      ) : (
        <button type="button" onClick={() => session.stop(part)}>
          Stop
        </button>
      )}
      <span class="told" role="status">
        {withoutOptions(told ?? '')}
      </span>
    </p>
  );
}

export const grouped = (count: number): string => count.toLocaleString('en-US');

/** Three significant digits with a true minus. */
export function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return String(Number(value.toPrecision(3))).replace('-', '−');
}

export function bytes(size: number): string {
  if (size < 1e6) return `${Math.max(1, Math.round(size / 1e3))} kB`;
  return size < 1e9 ? `${shortNumber(size / 1e6)} MB` : `${shortNumber(size / 1e9)} GB`;
}

/** A message of a verb without what it says of options of the command line. */
export const withoutOptions = (message: string): string =>
  message
    .split('; ')
    .filter((clause, i) => i === 0 || !/(^| )--\w/.test(clause))
    .join('; ');

/** A table that is scrolled sideways where it is wider than the screen, with the keyboard too. */
export function Table({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section class="table" tabIndex={0} aria-label={label}>
      <table>{children}</table>
    </section>
  );
}
