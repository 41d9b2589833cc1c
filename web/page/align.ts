/** Maps of the same records, turned so that points stay near where they were. */
import type { MapInPage } from '../../src/web/index.js';

/**
 * The map turned, and mirrored where that fits better, to lie on the one before (orthogonal Procrustes in the plane); as it
 * is where that one is of other records.
 */
export function aligned(map: MapInPage, before: MapInPage | undefined): MapInPage {
  const count = map.rows.length;
  if (!before || before.rows.length !== count || before.rows[count - 1] !== map.rows[count - 1]) return map;
  const [a, b] = [centred(map.places), centred(before.places)];
  // Sums of the products of the x and y of one with those of the other.
  let [xx, xy, yx, yy] = [0, 0, 0, 0];
  for (let i = 0; i < 2 * count; i += 2) {
    xx += a[i] * b[i];
    xy += a[i] * b[i + 1];
    yx += a[i + 1] * b[i];
    yy += a[i + 1] * b[i + 1];
  }
  const [turned, mirrored] = [Math.hypot(xx + yy, xy - yx), Math.hypot(yy - xx, xy + yx)];
  const flip = mirrored > turned ? -1 : 1;
  const angle = Math.atan2(flip * xy - yx, flip * xx + yy);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const places = new Float32Array(2 * count);
  for (let i = 0; i < 2 * count; i += 2) {
    const [x, y] = [flip * a[i], a[i + 1]];
    places[i] = cos * x - sin * y;
    places[i + 1] = sin * x + cos * y;
  }
  return { ...map, places: withinUnit(places) };
}

/** float32[n, 2] about its mean. */
function centred(places: Float32Array): Float32Array {
  const count = places.length / 2;
  let [x, y] = [0, 0];
  for (let i = 0; i < places.length; i += 2) {
    x += places[i] / count;
    y += places[i + 1] / count;
  }
  return places.map((place, i) => place - (i % 2 === 0 ? x : y));
}

/** Shifted and scaled, both axes alike, into the square from 0 to 1. */
function withinUnit(places: Float32Array): Float32Array {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (const [i, place] of places.entries()) {
    low[i % 2] = Math.min(low[i % 2], place);
    high[i % 2] = Math.max(high[i % 2], place);
  }
  const side = Math.max(high[0] - low[0], high[1] - low[1]) || 1;
  return places.map((place, i) => 0.5 + (place - (low[i % 2] + high[i % 2]) / 2) / side);
}
