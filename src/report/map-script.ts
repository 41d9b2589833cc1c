/** What a map's page does in the browser. It reads the element `data` and asks nobody for anything. */
export const MAP_SCRIPT = `
const data = JSON.parse(document.getElementById('data').textContent);
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const places = new Uint16Array(bytes(data.places).buffer);
const neighbors = new Int32Array(bytes(data.neighbors).buffer);
const { columns, cells, rows, k } = data;
const count = rows.length;
const canvas = document.getElementById('map');
const [details, colour, legend, search, found] =
  ['details', 'colour', 'legend', 'search', 'found'].map((id) => document.getElementById(id));
const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#7f7f7f', '#8c564b'];
let view = { x: 0.5, y: 0.5, scale: 1 };
let colours = new Uint8Array(count);
let shades = ['#0072b2'];
let matches = null;
let selected = -1;
let asked = false;

const element = (name, text, parent) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
};

function colourBy(column) {
  legend.replaceChildren();
  const at = columns.indexOf(column);
  colours = new Uint8Array(count);
  shades = ['#0072b2'];
  if (at >= 0) {
    const values = cells.map((own) => own[at]);
    const given = values.filter((value) => value !== null && value !== '');
    const numbers = given.map(Number);
    const kinds = [...new Set(values.map((value) => value ?? ''))];
    if (kinds.length > palette.length && given.length > 0 && numbers.every(Number.isFinite)) {
      const sorted = [...numbers].sort((a, b) => a - b);
      const [low, high] = [sorted[Math.floor(sorted.length * 0.02)], sorted[Math.floor(sorted.length * 0.98)]];
      shades = Array.from({ length: 16 }, (_, i) => 'hsl(' + (250 - 200 * i / 15) + ' 70% ' + (38 + 18 * i / 15) + '%)');
      shades.push('#999999');
      values.forEach((value, i) => {
        const part = high > low ? (Number(value) - low) / (high - low) : 0.5;
        colours[i] = value === null || value === '' ? 16 : Math.max(0, Math.min(15, Math.floor(part * 16)));
      });
      for (const [i, label] of [[0, low], [15, high]]) key(shades[i], String(Number(label.toPrecision(4))));
    } else {
      const often = new Map();
      for (const value of values) often.set(value ?? '', (often.get(value ?? '') ?? 0) + 1);
      const top = [...often].sort((a, b) => b[1] - a[1]).slice(0, palette.length - (often.size > palette.length ? 1 : 0)).map(([value]) => value);
      shades = palette.slice(0, top.length).concat('#999999');
      values.forEach((value, i) => { const place = top.indexOf(value ?? ''); colours[i] = place < 0 ? top.length : place; });
      top.forEach((value, i) => key(shades[i], value === '' ? '(missing)' : value));
      if (often.size > top.length) key('#999999', often.size - top.length + ' others');
    }
  }
  draw();
}

function key(shade, text) {
  const item = element('li', undefined, legend);
  const mark = element('span', undefined, item);
  mark.style.setProperty('--shade', shade);
  item.append(text.length > 40 ? text.slice(0, 39) + '…' : text);
}

const toScreen = (i) => {
  const side = Math.min(canvas.width, canvas.height) * view.scale * 0.94;
  return [canvas.width / 2 + (places[2 * i] / 65535 - view.x) * side, canvas.height / 2 - (places[2 * i + 1] / 65535 - view.y) * side];
};

function draw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const pen = canvas.getContext('2d');
    pen.clearRect(0, 0, width, height);
    const size = Math.max(1.5, Math.min(9, (900 / Math.sqrt(count)) * 0.12 * Math.sqrt(view.scale))) * ratio;
    const points = shades.map(() => []);
    for (let i = 0; i < count; i++) points[colours[i]].push(i);
    points.forEach((own, shade) => {
      pen.fillStyle = shades[shade];
      for (const faint of matches ? [true, false] : [false]) {
        pen.globalAlpha = faint ? 0.12 : 0.8;
        for (const i of own) {
          if (matches && matches.has(i) === faint) continue;
          const [x, y] = toScreen(i);
          if (x > -size && y > -size && x < width + size && y < height + size) pen.fillRect(x - size / 2, y - size / 2, size, size);
        }
      }
    });
    pen.globalAlpha = 1;
    if (selected < 0) return;
    pen.strokeStyle = getComputedStyle(canvas).color;
    pen.lineWidth = ratio;
    const [x, y] = toScreen(selected);
    for (let j = 0; j < k; j++) {
      const other = neighbors[selected * k + j];
      if (other < 0) continue;
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(...toScreen(other));
      pen.stroke();
    }
    pen.beginPath();
    pen.arc(x, y, size + 4 * ratio, 0, 7);
    pen.stroke();
  });
}

function nearest(event) {
  const box = canvas.getBoundingClientRect();
  const ratio = canvas.width / box.width;
  const [px, py] = [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
  let [best, least] = [-1, (14 * ratio) ** 2];
  for (let i = 0; i < count; i++) {
    if (matches && !matches.has(i)) continue;
    const [x, y] = toScreen(i);
    const distance = (x - px) ** 2 + (y - py) ** 2;
    if (distance < least) [best, least] = [i, distance];
  }
  return best;
}

const nameOf = (i) => {
  const text = columns.length > 0 ? cells[i].find((cell) => cell !== null && cell !== '') ?? '' : '';
  const short = text.length > 60 ? text.slice(0, 59) + '…' : text;
  return 'record ' + rows[i] + (short ? ': ' + short : '');
};

function show(i) {
  selected = i;
  details.replaceChildren();
  if (i < 0) return draw();
  history.replaceState(null, '', '#' + rows[i]);
  element('h2', 'Record ' + rows[i], details);
  const list = element('dl', undefined, details);
  columns.forEach((column, at) => {
    element('dt', column, list);
    element('dd', cells[i][at] ?? '(missing)', list);
  });
  if (data.hidden) {
    element('h3', 'What the model would hide', details);
    const line = element('p', undefined, details);
    line.className = 'tokens';
    const words = data.tokens ?? [...(cells[i][data.text] ?? '')];
    [...data.hidden[i]].forEach((bit, token) => {
      const word = element(bit === '1' ? 'mark' : 'span', words[token] ?? '▢', line);
      if (data.tokens) word.after(' ');
    });
  }
  element('h3', 'Nearest records', details);
  const others = element('ol', undefined, details);
  for (let j = 0; j < k; j++) {
    const other = neighbors[i * k + j];
    if (other < 0) continue;
    const button = element('button', nameOf(other), element('li', undefined, others));
    button.addEventListener('click', () => show(other));
  }
  draw();
}

element('option', '(one colour)', colour);
for (const column of columns) element('option', column, colour);
colour.addEventListener('change', () => colourBy(colour.value));
search.addEventListener('input', () => {
  const wanted = search.value.trim().toLowerCase();
  matches = wanted === '' ? null : new Set();
  if (matches) cells.forEach((own, i) => { if (own.some((cell) => cell !== null && cell.toLowerCase().includes(wanted))) matches.add(i); });
  found.textContent = matches ? matches.size.toLocaleString('en-US') + ' found' : '';
  draw();
});
search.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && matches?.size) show(matches.values().next().value);
});
const zoom = (factor) => { view.scale = Math.max(0.5, Math.min(200, view.scale * factor)); draw(); };
canvas.addEventListener('wheel', (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15); }, { passive: false });
let drag = null;
canvas.addEventListener('pointerdown', (event) => { drag = { x: event.clientX, y: event.clientY, moved: false }; canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener('pointermove', (event) => {
  if (!drag) { const i = nearest(event); canvas.title = i < 0 ? '' : nameOf(i); return; }
  const side = Math.min(canvas.clientWidth, canvas.clientHeight) * view.scale * 0.94;
  const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
  if (Math.abs(dx) + Math.abs(dy) < 3 && !drag.moved) return;
  drag = { x: event.clientX, y: event.clientY, moved: true };
  view = { ...view, x: view.x - dx / side, y: view.y + dy / side };
  draw();
});
canvas.addEventListener('pointerup', (event) => { if (drag && !drag.moved) show(nearest(event)); drag = null; });
canvas.addEventListener('keydown', (event) => {
  const step = 0.08 / view.scale;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  const move = moves[event.key];
  if (move) { view = { ...view, x: view.x + move[0], y: view.y + move[1] }; draw(); }
  else if (event.key === '+' || event.key === '=') zoom(1.3);
  else if (event.key === '-') zoom(1 / 1.3);
  else if (event.key === 'n' && count > 0) show((selected + 1) % count);
  else return;
  event.preventDefault();
});
document.getElementById('whole').addEventListener('click', () => { view = { x: 0.5, y: 0.5, scale: 1 }; draw(); });
document.getElementById('closer').addEventListener('click', () => zoom(1.5));
document.getElementById('farther').addEventListener('click', () => zoom(1 / 1.5));
new ResizeObserver(draw).observe(canvas);
if (data.colour !== undefined) colour.value = data.colour;
colourBy(colour.value);
// A link may name a record by its row.
if (/^#\\d+$/.test(location.hash)) show(rows.indexOf(Number(location.hash.slice(1))));
`;
