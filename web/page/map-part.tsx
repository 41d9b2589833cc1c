/** The records on a plane: as it unfolds while the model learns, and a record with those that are like it. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { MapInPage } from '../../src/web/index.js';
import { MaskedRecord } from './masked-record.js';
import { grouped, type PartProps, Section, withoutOptions } from './parts.js';
import { drawPoints, nearestPoint, onCanvas, pixels, radiusOf, type View, WHOLE } from './scatter.js';
import { one, type Shaded, shadesOf } from './shades.js';

/** How long points take to their new places, in milliseconds, and up to how many do. */
const [MOVE, MOVING] = [600, 5000];

export function MapPart({ session }: PartProps) {
  const { map, mapped, selected, busy, settings, strange, training } = session.state;
  const [colour, setColour] = useState<string>();
  const drawing = training === 'running' ? undefined : busy.map;
  const column = map?.columns.indexOf(colour ?? settings.label ?? '') ?? -1;
  const plain = useMemo(() => map && one(map.rows.length), [map]);
  const [found, setFound] = useState<{ map: MapInPage; column: number; shaded: Shaded }>();
  useEffect(() => {
    if (!map || column < 0) return;
    const stop = new AbortController();
    shadesOf(map, column, stop.signal).then(
      (shaded) => setFound({ map, column, shaded }),
      // Another map or column is asked for.
      () => {},
    );
    return () => stop.abort();
  }, [map, column]);
  const shaded = found && found.map === map && found.column === column ? found.shaded : plain;
  return (
    <Section session={session} part="map" title="The records on a map">
      <p class="told" role="status">
        {map
          ? `${grouped(map.rows.length)} ${mapped?.whole ? '' : 'first '}records, those alike near each other${mapped?.step === undefined ? '' : `, after step ${mapped.step}`}. Click one to see it.`
          : 'The first checkpoint will be drawn here.'}
      </p>
      <p class="work told">
        {drawing !== undefined && (
          <>
            <button type="button" onClick={() => session.stop('map')}>
              Stop
            </button>{' '}
            <span role="status">{withoutOptions(drawing)}</span>
          </>
        )}
      </p>
      <div class="map">
        <div>
          <div class="tools">
            <label>
              Colour{' '}
              <select
                value={column < 0 ? '' : map!.columns[column]}
                disabled={!map}
                onChange={(event) => setColour(event.currentTarget.value)}
              >
                <option value="">one colour</option>
                {map?.columns.map((name) => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
            <ul class="legend">
              {shaded?.legend.map(({ shade, text }) => (
                <li key={text}>
                  <span class="key" style={{ background: `rgb(${shade.join(' ')})` }} /> {text}
                </li>
              ))}
            </ul>
          </div>
          <Scatter
            map={map}
            shaded={shaded}
            selected={selected}
            ringed={strange?.records.map(({ row }) => map?.rows.indexOf(row) ?? -1)}
            onSelect={(record) => session.select(record)}
          />
        </div>
        <aside aria-label="The chosen record" aria-live="polite" class="details">
          {map && selected !== undefined ? (
            <Details
              session={session}
              map={map}
              record={selected}
              onSelect={(record) => session.select(record)}
            />
          ) : (
            <p class="told">No record is chosen.</p>
          )}
        </aside>
      </div>
    </Section>
  );
}

function Details({
  session,
  map,
  record,
  onSelect,
}: PartProps & {
  readonly map: MapInPage;
  readonly record: number;
  readonly onSelect: (record: number) => void;
}) {
  const { rows, columns, cell, neighbors, k } = map;
  const nearest = [...neighbors.subarray(record * k, record * k + k)].filter((other) => other >= 0);
  return (
    <>
      <h3>Record {rows[record]}</h3>
      {session.state.inspection?.source.format === 'images' && columns.includes('path') && (
        <Picture session={session} path={cell(record, columns.indexOf('path')) ?? ''} />
      )}
      <dl>
        {columns.map((name, i) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{cell(record, i) ?? '(missing)'}</dd>
          </div>
        ))}
      </dl>
      {map.hidden?.[record] !== undefined && (
        <>
          <h3>The model hides</h3>
          <MaskedRecord map={map} record={record} />
        </>
      )}
      <h3>Most alike</h3>
      <ol>
        {nearest.map((other) => (
          <li key={other}>
            <button type="button" class="plain" onClick={() => onSelect(other)}>
              {nameOf(map, other)}
            </button>
          </li>
        ))}
      </ol>
    </>
  );
}

/** An image of the folder. */
function Picture({ session, path }: PartProps & { readonly path: string }) {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    let made: string | undefined;
    let over = false;
    void session.fileOf(path).then((content) => {
      if (content === undefined || over) return;
      made = URL.createObjectURL(content);
      setUrl(made);
    });
    return () => {
      over = true;
      if (made !== undefined) URL.revokeObjectURL(made);
      setUrl(undefined);
    };
  }, [session, path]);
  return url === undefined ? null : <img class="picture" src={url} alt={path} />;
}

/** Such as `record 12: Turkey vulture, Day`. */
export function nameOf({ rows, columns, cell }: MapInPage, record: number): string {
  const cells = columns.map((_, i) => cell(record, i) ?? '').filter((text) => text !== '');
  const text = cells.join(', ');
  return `${rows[record]}: ${text.length > 48 ? `${text.slice(0, 47)}…` : text}`;
}

function Scatter({
  map,
  shaded,
  selected,
  ringed,
  onSelect,
}: {
  readonly map: MapInPage | undefined;
  readonly shaded: Shaded | undefined;
  readonly selected: number | undefined;
  readonly ringed: readonly number[] | undefined;
  readonly onSelect: (record: number | undefined) => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [view, setView] = useState<View>(WHOLE);
  const shown = useRef<Float32Array | undefined>(undefined);
  const drag = useRef<{ x: number; y: number; moved: boolean } | undefined>(undefined);
  const draw = useRef(() => {});
  draw.current = () => {
    if (canvas.current && map && shaded)
      paint(canvas.current, shown.current ?? map.places, map, shaded, view, selected, ringed ?? []);
  };

  // Points of the same records move to their new places.
  useEffect(() => {
    const [from, to] = [shown.current, map?.places];
    shown.current = to;
    const still =
      !from ||
      !to ||
      from.length !== to.length ||
      to.length > 2 * MOVING ||
      matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (still) return;
    const began = performance.now();
    let frame = requestAnimationFrame(function move(now) {
      const part = Math.min(1, Math.max(0, now - began) / MOVE);
      const eased = part * part * (3 - 2 * part);
      shown.current = part < 1 ? to.map((place, i) => from[i] + eased * (place - from[i])) : to;
      draw.current();
      if (part < 1) frame = requestAnimationFrame(move);
    });
    return () => {
      cancelAnimationFrame(frame);
      shown.current = to;
    };
  }, [map]);
  useEffect(() => draw.current());
  useEffect(() => {
    const fit = new ResizeObserver(() => draw.current());
    fit.observe(canvas.current!);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const redraw = () => draw.current();
    dark.addEventListener('change', redraw);
    return () => {
      fit.disconnect();
      dark.removeEventListener('change', redraw);
    };
  }, []);

  const zoom = (factor: number) =>
    setView((now) => ({ ...now, scale: Math.max(0.5, Math.min(200, now.scale * factor)) }));
  const mapPixels = () => pixels(canvas.current!.clientWidth, canvas.current!.clientHeight, view);
  const step = 0.08 / view.scale;
  const moves: Readonly<Record<string, readonly [number, number]>> = {
    ArrowLeft: [-step, 0],
    ArrowRight: [step, 0],
    ArrowUp: [0, step],
    ArrowDown: [0, -step],
  };
  return (
    <>
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: its keys are its own, as its label says */}
      <canvas
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-label={`Map${map ? ` of ${grouped(map.rows.length)} records` : ''}. Arrow keys move, plus and minus zoom, n and p choose the next and the previous record.`}
        onPointerDown={(event) => {
          drag.current = { x: event.clientX, y: event.clientY, moved: false };
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={(event) => {
          const last = drag.current;
          if (!last) return;
          const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
          if (!last.moved && Math.abs(dx) + Math.abs(dy) < 4) return;
          drag.current = { x: event.clientX, y: event.clientY, moved: true };
          const part = mapPixels();
          setView((now) => ({ ...now, x: now.x - dx * part, y: now.y + dy * part }));
        }}
        onPointerUp={(event) => {
          const clicked = drag.current?.moved === false;
          drag.current = undefined;
          if (!clicked || !map) return;
          const box = event.currentTarget.getBoundingClientRect();
          const part = mapPixels();
          const x = view.x + (event.clientX - box.left - box.width / 2) * part;
          const y = view.y - (event.clientY - box.top - box.height / 2) * part;
          const found = nearestPoint(map.places, x, y, 14 * part);
          onSelect(found < 0 ? undefined : found);
        }}
        onKeyDown={(event) => {
          const move = moves[event.key];
          const count = map?.rows.length ?? 0;
          if (move) setView((now) => ({ ...now, x: now.x + move[0], y: now.y + move[1] }));
          else if (event.key === '+' || event.key === '=') zoom(1.3);
          else if (event.key === '-') zoom(1 / 1.3);
          else if (event.key === 'n' && count > 0) onSelect(((selected ?? -1) + 1) % count);
          else if (event.key === 'p' && count > 0) onSelect(((selected ?? 0) + count - 1) % count);
          else return;
          event.preventDefault();
        }}
      />
      <div class="tools">
        <button type="button" aria-label="closer" onClick={() => zoom(1.5)}>
          +
        </button>
        <button type="button" aria-label="farther" onClick={() => zoom(1 / 1.5)}>
          −
        </button>
        <button type="button" onClick={() => setView(WHOLE)}>
          whole map
        </button>
      </div>
    </>
  );
}

function paint(
  canvas: HTMLCanvasElement,
  places: Float32Array,
  { neighbors, k }: MapInPage,
  shaded: Shaded,
  view: View,
  selected: number | undefined,
  ringed: readonly number[],
): void {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (width === 0 || height === 0 || places.length !== 2 * shaded.colours.length) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext('2d')!;
  const radius = radiusOf(shaded.colours.length, view, ratio);
  const image = pen.createImageData(width, height);
  drawPoints(image, { ...shaded, places }, view, radius);
  pen.putImageData(image, 0, 0);
  const at = (record: number) => onCanvas(width, height, view, places[2 * record], places[2 * record + 1]);
  pen.strokeStyle = getComputedStyle(canvas).color;
  pen.lineWidth = 1.5 * ratio;
  const ring = (record: number, reach: number) => {
    pen.beginPath();
    pen.arc(...at(record), radius + reach * ratio, 0, 7);
    pen.stroke();
  };
  for (const record of ringed) if (record >= 0) ring(record, 2);
  if (selected === undefined || selected >= shaded.colours.length) return;
  for (const other of neighbors.subarray(selected * k, selected * k + k)) {
    if (other < 0) continue;
    pen.beginPath();
    pen.moveTo(...at(selected));
    pen.lineTo(...at(other));
    pen.stroke();
  }
  ring(selected, 5);
}
