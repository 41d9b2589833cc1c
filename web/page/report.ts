/** What the page found, as one page that asks for nothing. */
import { fitVerdict } from '../../src/report/fit-verdict.js';
import { html } from '../../src/report/html.js';
import { type Block, reportPage, type Section } from '../../src/report/page.js';
import { version } from '../../src/web/index.js';
import { grouped, shortNumber } from './parts.js';
import type { State } from './session.js';
import { objectives, sizes } from './settings.js';
import { verdict } from './training-part.js';

/** Needs the pictures that the page shows at this moment. */
export function reportOf(state: State): Blob {
  const { file, settings, inspection, progress, warnings, map, strange, fit } = state;
  const size = sizes[settings.size];
  const source = inspection?.source;
  const sections: Section[] = [
    {
      title: 'What was learned from',
      blocks: [
        {
          kind: 'text',
          text: `${file!.name}: ${grouped(source?.rows ?? source?.rowsRead ?? 0)} records. Tokens of ${inspection?.tokenizer.columns.join(', ') ?? ''}.`,
        },
      ],
    },
    {
      title: 'Learning',
      blocks: [
        { kind: 'finding', text: verdict(state) },
        {
          kind: 'text',
          text: [
            `${progress?.step ?? 0} of ${settings.steps} steps; ${objectives[settings.objective]}; ${size.layers} layers of ${size.width}.`,
            ...warnings,
          ].join('\n'),
        },
        ...picture(
          '.chart canvas',
          'Loss of training (thin), of validation (thick), and of the marginal (dashed), by step.',
        ),
      ],
    },
    {
      title: 'The records on a map',
      blocks: picture(
        '.map canvas',
        `${grouped(map?.rows.length ?? 0)} records; those that are alike lie near each other.`,
      ),
    },
    ...(strange
      ? [
          {
            title: 'The strangest records',
            blocks: [
              {
                kind: 'table',
                caption: `${strange.flagged} are flagged at a rate of ${100 * strange.rate} % false alarms.`,
                columns: [
                  { title: 'row' },
                  { title: 'p-value', numeric: true },
                  { title: 'worst predicted (error)' },
                ],
                rows: strange.records.map(({ row, pValue, blame }) => [
                  String(row),
                  pValue.toFixed(3),
                  blame,
                ]),
              },
            ],
          } satisfies Section,
        ]
      : []),
    ...(fit
      ? [
          {
            title: `Predicting ${fit.targets.join(', ')}`,
            blocks: [
              { kind: 'finding', text: fitVerdict(fit).join('\n') },
              {
                kind: 'table',
                caption: `${fit.metric}, ${fit.higherIsBetter ? 'higher' : 'lower'} is better; ${fit.split.test} test records, scored once.${fit.rows.some(({ choice }) => choice !== undefined) ? ' Chosen by the log-loss of validation.' : ''}`,
                columns: [
                  { title: 'model' },
                  { title: 'validation', numeric: true },
                  { title: 'test', numeric: true },
                  { title: '95 % interval', numeric: true },
                ],
                rows: fit.rows.map(({ name, valid, test }) => [
                  name === fit.chosen ? `${name} (chosen)` : name,
                  shortNumber(valid),
                  shortNumber(test.value),
                  `${shortNumber(test.low)} – ${shortNumber(test.high)}`,
                ]),
              },
            ],
          } satisfies Section,
        ]
      : []),
  ];
  const page = reportPage(
    {
      title: `What Lacuna learned of ${file!.name}`,
      intro: `Made in a browser by Lacuna ${version}.`,
      sections,
    },
    { policy: html`default-src 'none'; style-src 'unsafe-inline'; img-src data:` },
  );
  return new Blob([page], { type: 'text/html' });
}

function picture(selector: string, caption: string): Block[] {
  const canvas = document.querySelector<HTMLCanvasElement>(selector);
  if (!canvas) return [];
  const image = html`<img alt="${caption}" src="${canvas.toDataURL()}" width="${Math.round(canvas.width / devicePixelRatio)}">`;
  return [{ kind: 'figure', picture: image, caption }];
}
