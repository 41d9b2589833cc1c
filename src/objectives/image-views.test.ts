import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GridSpec } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { drawImageView, IMAGE_VIEWS, type ImageView, imageRenderer } from './image-views.js';

/** The image itself. */
const unchanged: ImageView = {
  top: 0,
  left: 0,
  height: 1,
  width: 1,
  mirrored: false,
  brightness: 0,
  contrast: 1,
  saturation: 1,
  blur: 0,
};

const { block } = (await realRecords()).continuous;
/** A handwritten seven in patches of 7 x 7, standardised. */
const seven = block.values!.slice(0, 28 * 28);
const sevenGrid: GridSpec = { rows: 4, columns: 4, patch: 7 };

function render(grid: GridSpec, colours: number, tokens: Float32Array, view: Partial<ImageView>) {
  const out = new Float32Array(tokens.length);
  imageRenderer(grid, colours)(tokens, { ...unchanged, ...view }, out);
  return out;
}

interface Picture {
  readonly grid: GridSpec;
  readonly colours: number;
  readonly tokens: Float32Array;
}

/** Reads pixel (y, x) of a colour from tokens. */
const pixelOf =
  ({ grid: { columns, patch }, colours, tokens }: Picture) =>
  (y: number, x: number, colour: number) => {
    const token = Math.floor(y / patch) * columns + Math.floor(x / patch);
    return tokens[((token * patch + (y % patch)) * patch + (x % patch)) * colours + colour];
  };

const clamp = (value: number, last: number) => Math.max(0, Math.min(last, value));

/** One pixel of a view by the book: bilinear reading of the crop, mirrored, then the blur over its neighbours. */
function pixelByHand(picture: Picture, view: ImageView, y: number, x: number, colour: number): number {
  const { rows, columns, patch } = picture.grid;
  const [height, width] = [rows * patch, columns * patch];
  const at = pixelOf(picture);
  const bilinear = (v: number, u: number) => {
    const row = clamp(view.top * height + (v + 0.5) * view.height - 0.5, height - 1);
    const column = clamp(view.left * width + (u + 0.5) * view.width - 0.5, width - 1);
    const [upper, left] = [Math.floor(row), Math.floor(column)];
    const [lower, right] = [Math.min(upper + 1, height - 1), Math.min(left + 1, width - 1)];
    const [down, along] = [row - upper, column - left];
    return (
      (1 - down) * ((1 - along) * at(upper, left, colour) + along * at(upper, right, colour)) +
      down * ((1 - along) * at(lower, left, colour) + along * at(lower, right, colour))
    );
  };
  const shown = (v: number, u: number) => bilinear(v, view.mirrored ? width - 1 - u : u);
  if (view.blur === 0) return shown(y, x);
  const radius = Math.max(1, Math.floor(Math.min(height, width) / 20));
  let [sum, weights] = [0, 0];
  for (let dy = -radius; dy <= radius; dy++) {
    for (let dx = -radius; dx <= radius; dx++) {
      const weight = Math.exp(-(dy * dy + dx * dx) / (2 * view.blur ** 2));
      sum += weight * shown(clamp(y + dy, height - 1), clamp(x + dx, width - 1));
      weights += weight;
    }
  }
  return sum / weights;
}

const pictures = fc
  .record({
    grid: fc.record({
      rows: fc.integer({ min: 1, max: 6 }),
      columns: fc.integer({ min: 1, max: 6 }),
      patch: fc.integer({ min: 1, max: 3 }),
    }),
    colours: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(),
  })
  .map(({ grid, colours, seed }): Picture => {
    const { normal } = random(seed, 'picture');
    const tokens = new Float32Array(grid.rows * grid.columns * grid.patch ** 2 * colours).map(normal);
    return { grid, colours, tokens };
  });

const drawn = fc.nat().map((seed) => drawImageView(IMAGE_VIEWS, random(seed, 'view')));

/** Largest difference to the view by hand, before its colours are changed. */
function differenceByHand(picture: Picture, view: ImageView): number {
  const { grid, colours, tokens } = picture;
  const result = pixelOf({
    ...picture,
    tokens: render(grid, colours, tokens, { ...view, brightness: 0, contrast: 1, saturation: 1 }),
  });
  let worst = 0;
  for (let y = 0; y < grid.rows * grid.patch; y++)
    for (let x = 0; x < grid.columns * grid.patch; x++)
      for (let colour = 0; colour < colours; colour++) {
        const expected = pixelByHand(picture, view, y, x, colour);
        worst = Math.max(worst, Math.abs(result(y, x, colour) - expected));
      }
  return worst;
}

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

describe('cropping, mirroring and blurring', () => {
  it('leaves an image that is shown whole as it is', () => {
    expect(render(sevenGrid, 1, seven, {})).toEqual(seven);
    fc.assert(
      fc.property(pictures, ({ grid, colours, tokens }) => {
        expect(render(grid, colours, tokens, {})).toEqual(tokens);
      }),
    );
  });

  it('mirrors twice to the same image, and once to the columns in reverse', () => {
    fc.assert(
      fc.property(pictures, (picture) => {
        const { grid, colours, tokens } = picture;
        const mirror = (image: Float32Array) => render(grid, colours, image, { mirrored: true });
        const once = mirror(tokens);
        expect(mirror(once)).toEqual(tokens);
        const width = grid.columns * grid.patch;
        const [before, after] = [pixelOf(picture), pixelOf({ ...picture, tokens: once })];
        expect(after(0, 0, 0)).toBe(before(0, width - 1, 0));
      }),
    );
  });

  it('enlarges by hand: the middle half of four pixels in a row', () => {
    const row = Float32Array.of(0, 10, 20, 40);
    const half = { left: 0.25, width: 0.5 };
    // Read at 0.75, 1.25, 1.75 and 2.25.
    expect([...render({ rows: 1, columns: 4, patch: 1 }, 1, row, half)]).toEqual([7.5, 12.5, 17.5, 25]);
  });

  it('agrees with a plain reading of each pixel', () => {
    fc.assert(
      fc.property(pictures, drawn, (picture, view) => {
        expect(differenceByHand(picture, view)).toBeLessThan(1e-5);
      }),
    );
  });

  it('agrees with it where the blur reaches further than a pixel', () => {
    const { normal } = random(1, 'picture');
    const grid = { rows: 11, columns: 10, patch: 4 };
    const picture = { grid, colours: 1, tokens: new Float32Array(44 * 40).map(normal) };
    for (const blur of [0.3, 1, 2]) {
      const view = { ...unchanged, top: 0.1, left: 0.2, height: 0.7, width: 0.6, mirrored: true, blur };
      expect(differenceByHand(picture, view)).toBeLessThan(1e-5);
    }
  });

  it('keeps an image of one colour', () => {
    fc.assert(
      fc.property(pictures, drawn, fc.double({ min: 0.1, max: 2, noNaN: true }), (picture, view, blur) => {
        const plain = new Float32Array(picture.tokens.length).fill(1.5);
        const { brightness } = view;
        for (const value of render(picture.grid, picture.colours, plain, { ...view, blur }))
          expect(value).toBeCloseTo(1.5 + brightness, 5);
      }),
    );
  });

  it('gives the same view whatever the patches are', () => {
    const whole = { rows: 1, columns: 1, patch: 28 };
    const picture = { grid: sevenGrid, colours: 1, tokens: seven };
    const at = pixelOf(picture);
    const rowByRow = Float32Array.from({ length: 28 * 28 }, (_, i) => at(Math.floor(i / 28), i % 28, 0));
    for (let seed = 0; seed < 10; seed++) {
      const view = drawImageView(IMAGE_VIEWS, random(seed, 'view'));
      const shown = pixelOf({ ...picture, tokens: render(sevenGrid, 1, seven, view) });
      const expected = render(whole, 1, rowByRow, view);
      expect(Float32Array.from({ length: 28 * 28 }, (_, i) => shown(Math.floor(i / 28), i % 28, 0))).toEqual(
        expected,
      );
    }
  });
});

describe('colour jitter', () => {
  it('shifts by the brightness', () => {
    expect([
      ...render({ rows: 1, columns: 2, patch: 1 }, 1, Float32Array.of(1, 3), { brightness: -0.5 }),
    ]).toEqual([0.5, 2.5]);
  });

  it('stretches about the mean by the contrast', () => {
    const image = Float32Array.of(1, 3, 8);
    expect([...render({ rows: 1, columns: 3, patch: 1 }, 1, image, { contrast: 0.5 })]).toEqual([
      2.5, 3.5, 6,
    ]);
  });

  it('moves three colours towards their grey, and no other number of colours', () => {
    const grid = { rows: 2, columns: 3, patch: 2 };
    const { normal } = random(4, 'picture');
    for (const colours of [1, 2, 4]) {
      const tokens = new Float32Array(24 * colours).map(normal);
      expect(render(grid, colours, tokens, { saturation: 0 })).toEqual(tokens);
    }
    const tokens = new Float32Array(24 * 3).map(normal);
    for (const saturation of [0, 0.7, 1.2]) {
      const view = render(grid, 3, tokens, { saturation });
      for (let i = 0; i < view.length; i += 3) {
        const grey = 0.299 * tokens[i] + 0.587 * tokens[i + 1] + 0.114 * tokens[i + 2];
        for (let colour = i; colour < i + 3; colour++)
          expect(view[colour]).toBeCloseTo(grey + saturation * (tokens[colour] - grey), 5);
      }
    }
  });
});

describe('the view that is drawn', () => {
  const views = Array.from({ length: 4000 }, (_, row) =>
    drawImageView({ ...IMAGE_VIEWS, flip: 0.3, grayscale: 0.1, blur: 0.8 }, random(5, 'view', 0, row)),
  );

  it('lies in the image, with area and aspect as asked', () => {
    for (const { top, left, height, width } of views) {
      expect(Math.min(top, left)).toBeGreaterThanOrEqual(0);
      expect(Math.max(top + height, left + width)).toBeLessThanOrEqual(1 + 1e-12);
      expect(height * width).toBeGreaterThanOrEqual(0.4 - 1e-12);
      expect(width / height).toBeGreaterThanOrEqual(3 / 4 - 1e-12);
      expect(width / height).toBeLessThanOrEqual(4 / 3 + 1e-12);
    }
    // Uniform on 0.4 … 1: mean 0.7, deviation 0.173.
    expect(Math.abs(mean(views.map(({ height, width }) => height * width)) - 0.7)).toBeLessThan(0.012);
    // As often wide as tall.
    expect(Math.abs(mean(views.map(({ height, width }) => Math.log(width / height))))).toBeLessThan(0.012);
  });

  it('is mirrored, grey and blurred as often as asked, and jittered as much', () => {
    const share = (test: (view: ImageView) => boolean) => mean(views.map((view) => Number(test(view))));
    // Four deviations of a share of 4000 are at most 0.032.
    expect(Math.abs(share((view) => view.mirrored) - 0.3)).toBeLessThan(0.03);
    expect(Math.abs(share((view) => view.saturation === 0) - 0.1)).toBeLessThan(0.02);
    expect(Math.abs(share((view) => view.blur > 0) - 0.8)).toBeLessThan(0.03);
    for (const view of views) {
      expect(Math.abs(view.brightness)).toBeLessThanOrEqual(IMAGE_VIEWS.brightness);
      expect(Math.abs(view.contrast - 1)).toBeLessThanOrEqual(IMAGE_VIEWS.contrast);
      if (view.saturation > 0)
        expect(Math.abs(view.saturation - 1)).toBeLessThanOrEqual(IMAGE_VIEWS.saturation + 1e-12);
      if (view.blur > 0) expect(Math.abs(view.blur - 1.05)).toBeLessThanOrEqual(0.95);
    }
    expect(Math.abs(mean(views.map((view) => view.brightness)))).toBeLessThan(0.02);
  });

  it('is the image itself where nothing is asked', () => {
    const nothing = { area: [1, 1], aspect: [1, 1], flip: 0, brightness: 0, contrast: 0 } as const;
    const options = { ...nothing, saturation: 0, grayscale: 0, blur: 0 };
    for (let seed = 0; seed < 20; seed++)
      expect(drawImageView(options, random(seed, 'view'))).toEqual({
        ...unchanged,
        brightness: expect.closeTo(0),
      });
  });

  it('takes as many numbers from the stream whatever is asked', () => {
    const next = (more: Partial<typeof IMAGE_VIEWS>) => {
      const stream = random(2, 'view');
      drawImageView({ ...IMAGE_VIEWS, ...more }, stream);
      return stream.uniform();
    };
    expect(next({ flip: 0, blur: 0, grayscale: 1 })).toBe(next({}));
    expect(next({ area: [1, 1], aspect: [1, 1], blur: 1 })).toBe(next({}));
  });
});
