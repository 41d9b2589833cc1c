/** Points of a map as pixels: as many as there are, in one pass. */

export interface View {
  /** What of the map is in the middle, and how much larger it is than the whole. */
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export const WHOLE: View = { x: 0.5, y: 0.5, scale: 1 };

export interface Points {
  /** float32[n, 2], each axis from 0 to 1. */
  readonly places: Float32Array;
  /** uint8[n]: which of the shades each has. */
  readonly colours: Uint8Array;
  /** Red, green and blue, 0 … 255. */
  readonly shades: readonly (readonly [number, number, number])[];
}

/** Pixels of the map's side in a canvas of this size. */
const sideOf = (width: number, height: number, { scale }: View): number =>
  Math.min(width, height) * scale * 0.92;

/** Where a place of the map is on the canvas. */
export function onCanvas(
  width: number,
  height: number,
  view: View,
  x: number,
  y: number,
): [x: number, y: number] {
  const side = sideOf(width, height, view);
  return [width / 2 + (x - view.x) * side, height / 2 - (y - view.y) * side];
}

/** By how much of the map a movement of so many pixels is. */
export const pixels = (width: number, height: number, view: View): number => 1 / sideOf(width, height, view);

/** The radius of points in pixels: smaller where there are many. */
export function radiusOf(count: number, { scale }: View, ratio: number): number {
  return Math.max(0.75, Math.min(4.5, (75 / Math.sqrt(count)) * Math.sqrt(scale))) * ratio;
}

/** A disc: how much of each pixel about its middle it covers, from 0 to 255. */
function disc(radius: number): { readonly side: number; readonly cover: Uint8Array } {
  const reach = Math.ceil(radius);
  const side = 2 * reach + 1;
  const cover = new Uint8Array(side * side);
  for (let y = -reach; y <= reach; y++)
    for (let x = -reach; x <= reach; x++)
      cover[(y + reach) * side + x + reach] = 255 * Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(x, y)));
  return { side, cover };
}

export function drawPoints(
  image: ImageData,
  { places, colours, shades }: Points,
  view: View,
  radius: number,
): void {
  const { width, height, data } = image;
  data.fill(0);
  const { side, cover } = disc(radius);
  const reach = (side - 1) / 2;
  const scale = sideOf(width, height, view);
  const [left, top] = [width / 2 - view.x * scale, height / 2 + view.y * scale];
  for (let i = 0; i < colours.length; i++) {
    const x = Math.round(left + places[2 * i] * scale) - reach;
    const y = Math.round(top - places[2 * i + 1] * scale) - reach;
    if (x < 0 || y < 0 || x + side > width || y + side > height) continue;
    const [red, green, blue] = shades[colours[i]];
    for (let row = 0, c = 0; row < side; row++) {
      let at = 4 * ((y + row) * width + x);
      for (let column = 0; column < side; column++, c++, at += 4) {
        const alpha = cover[c];
        if (alpha < data[at + 3] && alpha < 128) continue;
        if (alpha === 0) continue;
        data[at] = red;
        data[at + 1] = green;
        data[at + 2] = blue;
        if (alpha > data[at + 3]) data[at + 3] = alpha;
      }
    }
  }
}

/** The point that is nearest to a place of the map and not farther away than `reach`; −1 where there is none. */
export function nearestPoint(places: Float32Array, x: number, y: number, reach: number): number {
  let [best, least] = [-1, reach ** 2];
  for (let i = 0; i < places.length; i += 2) {
    const distance = (places[i] - x) ** 2 + (places[i + 1] - y) ** 2;
    if (distance < least) [best, least] = [i / 2, distance];
  }
  return best;
}
