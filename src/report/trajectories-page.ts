/** How the errors of hidden tokens moved over the checkpoints of a run, as a page. */
import {
  RISES_BY_CHANCE,
  type TokenKind,
  type TokenTrajectories,
  type Trend,
  trends,
} from '../models/token-trajectories.js';
import { takeRecords } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { PALETTE, renderChart } from './charts.js';
import { svgMarkup } from './html.js';
import { type Line, linePanel } from './line-panel.js';
import { maskedTokens } from './masked-tokens.js';
import { grouped } from './numbers.js';
import type { Page } from './page.js';
import { concatenated } from './panel.js';

/** Kinds of token in the figure, and in the table. */
const [DRAWN, LISTED] = [PALETTE.length, 40];
/** Records that are shown with the tokens that rise marked. */
const SHOWN = 20;

const called: Readonly<Record<Trend, string>> = { falls: 'falling', still: 'still', rises: 'rising' };

/** `block` has the tokens that `found` is of. */
export async function trajectoriesPage(
  title: string,
  found: TokenTrajectories,
  tokenizer: Tokenizer,
  block: TokenBlock,
): Promise<Page> {
  const { steps, kinds, errors } = found;
  const line = (label: string, means: readonly number[], color: string): Line => ({
    label,
    style: { color, hollow: false },
    points: means.map((mean, i) => ({ x: steps[i], mean, low: Number.NaN, high: Number.NaN })),
  });
  const panel = (title: string, lines: readonly Line[]) =>
    linePanel(lines, {
      title,
      width: 330,
      height: 260,
      x: { title: 'step', scale: { zero: false }, axis: { tickCount: 4 } },
      y: 'mean error of a hidden token',
    });
  const present = trends.filter((trend) => found.trends[trend].share > 0);
  const figure = await renderChart(
    concatenated(
      [
        panel('By what becomes of the error', [
          line('all', errors, PALETTE[4]),
          ...present.map((trend, i) => line(called[trend], found.trends[trend].errors, PALETTE[i])),
        ]),
        panel(
          'The most frequent tokens',
          kinds.slice(0, DRAWN).map(({ token, errors: own }, i) => line(written(token), own, PALETTE[i])),
        ),
      ],
      2,
    ),
  );
  const rising = found.trends.rises.share;
  return {
    title,
    intro: `Every token of ${grouped(found.records)} records was hidden once at each of ${steps.length} checkpoints, by the same masks, and predicted from the rest. Errors are nats, or squared in units of the training variance.`,
    sections: [
      {
        title: 'Which tokens are learned',
        blocks: [
          {
            kind: 'finding',
            text: `The error of ${percent(found.trends.falls.share)} of the tokens falls, that of ${percent(rising)} rises, where ${percent(RISES_BY_CHANCE)} would if all stood still but for independent noise.`,
          },
          {
            kind: 'figure',
            picture: svgMarkup(
              figure,
              `Mean error against step, from ${shown(errors[0])} to ${shown(errors[errors.length - 1])}`,
            ),
            caption:
              'A token falls or rises where a t-test at 5 % tells the slope of its error over the checkpoints from none (Xia et al. 2023).',
          },
          {
            kind: 'table',
            caption: 'Tokens by what becomes of their error.',
            columns: [
              { title: 'error' },
              { title: 'share', numeric: true },
              { title: `step ${grouped(steps[0])}`, numeric: true },
              { title: `step ${grouped(steps[steps.length - 1])}`, numeric: true },
            ],
            rows: present.map((trend) => {
              const { share, errors: own } = found.trends[trend];
              return [called[trend], percent(share), shown(own[0]), shown(own[own.length - 1])];
            }),
          },
        ],
      },
      { title: 'When they are learned', blocks: [kindsTable(kinds.slice(0, LISTED))] },
      {
        title: 'Where the error rises',
        blocks: [
          {
            kind: 'figure',
            picture: maskedTokens(tokenizer, firstRecords(block), marksOf(block, found.of)),
            caption: 'The first records; tokens whose error rises are marked.',
          },
        ],
      },
    ],
  };
}

const kindsTable = (kinds: readonly TokenKind[]) =>
  ({
    kind: 'table',
    caption:
      'The most frequent tokens, in the order in which they are learned: at the first checkpoint whose error is nearer to the lowest than to the first.',
    columns: [
      { title: 'token' },
      { title: 'times', numeric: true },
      { title: 'learned at step', numeric: true },
      { title: 'first error', numeric: true },
      { title: 'lowest', numeric: true },
      { title: 'last', numeric: true },
      { title: 'rising', numeric: true },
    ],
    rows: kinds
      .toSorted((a, b) => a.learned - b.learned || b.count - a.count)
      .map(({ token, count, learned, errors, rising }) => [
        written(token),
        grouped(count),
        grouped(learned),
        shown(errors[0]),
        shown(Math.min(...errors)),
        shown(errors[errors.length - 1]),
        percent(rising),
      ]),
  }) as const;

/** White space would not be seen. */
const written = (token: string): string => token.replaceAll(/\s/g, '␣');
const shown = (error: number): string => error.toFixed(3);
const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

const firstRecords = (block: TokenBlock): TokenBlock =>
  takeRecords(
    block,
    Array.from({ length: Math.min(SHOWN, block.count) }, (_, record) => record),
  );

const marksOf = ({ count, offsets }: TokenBlock, of: readonly (Trend | undefined)[]): boolean[][] =>
  Array.from({ length: Math.min(SHOWN, count) }, (_, record) =>
    of.slice(offsets[record], offsets[record + 1]).map((trend) => trend === 'rises'),
  );
