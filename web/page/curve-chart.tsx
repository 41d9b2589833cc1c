/** Losses by step. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { Curve } from './session.js';

const HEIGHT = 260;

const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function options(width: number, steps: number): uPlot.Options {
  const [ink, line] = [colour('--soft'), colour('--line')];
  const axis: uPlot.Axis = {
    stroke: ink,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1 },
    font: '12px system-ui, sans-serif',
    labelFont: '12px system-ui, sans-serif',
    labelSize: 18,
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: [0, steps] } },
    axes: [
      { ...axis, label: 'step' },
      { ...axis, label: 'loss', size: 44 },
    ],
    series: [
      {},
      { label: 'training', stroke: colour('--faint'), width: 1, points: { show: false } },
      {
        label: 'validation',
        stroke: colour('--accent'),
        width: 2,
        spanGaps: true,
        points: { show: true, size: 4 },
      },
      { label: 'marginal', stroke: colour('--second'), width: 2, dash: [6, 4], points: { show: false } },
    ],
  };
}

const gaps = (values: readonly number[]): (number | null)[] =>
  values.map((value) => (Number.isFinite(value) ? value : null));

export function CurveChart({
  curve,
  steps,
  label,
}: {
  readonly curve: Curve;
  readonly steps: number;
  readonly label: string;
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const make = () => {
      const data = plot.current?.data ?? [[], [], [], []];
      plot.current?.destroy();
      plot.current = new uPlot(options(place.current!.clientWidth, steps), data, place.current!);
    };
    make();
    const fit = new ResizeObserver(([{ contentRect }]) =>
      plot.current?.setSize({ width: Math.floor(contentRect.width), height: HEIGHT }),
    );
    fit.observe(place.current!);
    dark.addEventListener('change', make);
    return () => {
      fit.disconnect();
      dark.removeEventListener('change', make);
      plot.current?.destroy();
    };
  }, [steps]);
  useEffect(() => {
    const marginal = curve.steps.map(() => curve.marginal ?? null);
    plot.current?.setData([[...curve.steps], gaps(curve.loss), gaps(curve.valid), marginal]);
  }, [curve, steps]);
  return <div class="chart" ref={place} role="img" aria-label={label} />;
}
