// How the stage looks: zoom and pan, the marks, the box that is lit up, the words that are played.
// The boxes of an answer are part of the picture that Python draws; only what is alive is drawn
// here, in screen pixels, so lines keep their width at every zoom.
const NS = 'http://www.w3.org/2000/svg';
const image = find('.dx-picture');
const live = find('.dx-live');
const inkCanvas = find('.dx-ink');
const tags = find('.dx-tags');
const menu = find('.dx-menu');
const view = { scale: 1, x: 0, y: 0, fitted: true };
let waiting = 0;

const sizeOf = () => (state.picture ? [state.picture.width, state.picture.height] : [1, 1]);

function toScreen([x, y]) {
  const [width, height] = sizeOf();
  return [view.x + x * width * view.scale, view.y + y * height * view.scale];
}

function toUnit(clientX, clientY) {
  const [width, height] = sizeOf();
  const frame = stage.getBoundingClientRect();
  return [
    rounded(clamp((clientX - frame.left - stage.clientLeft - view.x) / (width * view.scale), 0, 1)),
    rounded(clamp((clientY - frame.top - stage.clientTop - view.y) / (height * view.scale), 0, 1)),
  ];
}

const fitScale = () => {
  const [width, height] = sizeOf();
  return Math.min(stage.clientWidth / width, stage.clientHeight / height) || 1;
};

function fit() {
  view.scale = fitScale();
  view.fitted = true;
  settle();
}

function zoom(factor, clientX, clientY) {
  if (!state.picture) return;
  const frame = stage.getBoundingClientRect();
  const x = (clientX ?? frame.left + frame.width / 2) - frame.left;
  const y = (clientY ?? frame.top + frame.height / 2) - frame.top;
  const least = fitScale();
  const scale = clamp(view.scale * factor, least, Math.max(least * 8, 12));
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  view.fitted = scale <= least * 1.001;
  settle();
}

function pan(dx, dy) {
  view.x += dx;
  view.y += dy;
  settle();
}

/** Keeps the picture in sight: centred where it is smaller than the stage, never leaving gaps. */
function settle() {
  const [width, height] = sizeOf();
  const keep = (offset, size, room) =>
    size <= room ? (room - size) / 2 : clamp(offset, room - size, 0);
  view.x = keep(view.x, width * view.scale, stage.clientWidth);
  view.y = keep(view.y, height * view.scale, stage.clientHeight);
  stage.classList.toggle('dx-zoomed', !view.fitted);
  draw();
}

function draw() {
  if (!waiting) waiting = requestAnimationFrame(paint);
}

function shape(name, attributes, parent) {
  const node = document.createElementNS(NS, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  (parent || live).appendChild(node);
  return node;
}

function paint() {
  waiting = 0;
  root.classList.toggle('dx-has', !!state.picture);
  paintActs();
  if (!state.picture) return;
  const [width, height] = sizeOf();
  image.style.width = width * view.scale + 'px';
  image.style.height = height * view.scale + 'px';
  image.style.transform = 'translate(' + view.x + 'px,' + view.y + 'px)';
  live.replaceChildren();
  tags.replaceChildren();
  paintEditing();
  paintHot();
  paintBrush();
  for (const mark of state.editing ? [] : state.marks) paintMark(mark);
  paintTrace();
  paintHint();
  paintAim();
  placeMenu();
}

/** What has nothing to act on is faint; it keeps the focus of who pressed it last. */
function paintActs() {
  const acts = { undo: past, redo: future, clear: state.editing || state.marks };
  for (const name in acts) {
    find('[data-act=' + name + ']').setAttribute('aria-disabled', String(!acts[name].length));
  }
}

function rectangle(box, attributes, parent) {
  const [x0, y0] = toScreen([box[0], box[1]]);
  const [x1, y1] = toScreen([box[2], box[3]]);
  const sides = { x: x0, y: y0, width: Math.max(0, x1 - x0), height: Math.max(0, y1 - y0) };
  return shape('rect', { ...sides, ...attributes }, parent);
}

/** A small label; words of models and people only ever enter as textContent. */
function tag(words, place, className, style) {
  const node = document.createElement('span');
  node.className = 'dx-tag ' + className;
  node.textContent = words;
  const [x, y] = toScreen(place);
  node.style.left = clamp(x, 0, Math.max(0, stage.clientWidth - 34)) + 'px';
  node.style.top = Math.max(y, 26) + 'px';
  Object.assign(node.style, style || {});
  tags.appendChild(node);
  return node;
}

const isHot = (item) => {
  const hot = state.hot || state.pinned;
  return hot && item.g === hot.g && (hot.index == null || hot.index === item.index);
};

/** Lights up the boxes of one phrase and dims the rest of the picture. */
function paintHot() {
  const hot = state.hot || state.pinned;
  if (!hot || state.editing) return;
  const boxes = boxesShown(hot.exchange).filter(isHot);
  if (!boxes.length) return;
  let path = 'M0 0H' + stage.clientWidth + 'V' + stage.clientHeight + 'H0Z';
  for (const { box } of boxes) {
    const [x0, y0] = toScreen(box);
    const [x1, y1] = toScreen([box[2], box[3]]);
    path += 'M' + x0 + ' ' + y0 + 'V' + y1 + 'H' + x1 + 'V' + y0 + 'Z';
  }
  const gentle = state.tool !== 'select' && !state.pinned && state.hot && state.hot.aimed;
  if (!gentle && boxes.length === 1) shape('path', { d: path, class: 'dx-scrim' });
  for (const item of boxes.slice(0, 200)) {
    rectangle(item.box, { class: 'dx-halo', rx: 6 });
    rectangle(item.box, { class: 'dx-lit', rx: 6, stroke: item.color });
  }
  const best = boxes[0];
  const label = best.g + ' ' + best.label + ' ' + best.score.toFixed(2);
  tag(label, best.box, 'dx-lit-tag', { background: best.color, color: best.ink });
}

function paintEditing() {
  for (const item of state.editing || []) {
    const on = item.id === state.selected || editHot.has(item.id);
    rectangle(item.box, { class: 'dx-halo', rx: 3 });
    rectangle(item.box, { class: 'dx-edit' + (on ? ' dx-on' : ''), stroke: item.color, rx: 3 });
    tag(item.id + ' ' + item.label, item.box, 'dx-edit-tag',
      { background: item.color, color: item.ink });
    if (item.id === state.selected) paintHandles(item.box);
  }
}

function paintHandles(box) {
  const corners = { nw: [0, 1], ne: [2, 1], sw: [0, 3], se: [2, 3] };
  for (const corner in corners) {
    const [x, y] = toScreen(corners[corner].map((side) => box[side]));
    shape('rect', { class: 'dx-handle', 'data-corner': corner, x: x - 6, y: y - 6, width: 12,
      height: 12, rx: 3 });
  }
}

function paintMark(mark) {
  const on = mark.name === state.selected;
  const group = shape('g', { class: 'dx-mark' + (on ? ' dx-on' : ''), 'data-mark': mark.name });
  if (mark.box) {
    for (const style of ['dx-under', 'dx-over']) rectangle(mark.box, { class: style, rx: 3 }, group);
    if (on && state.tool === 'select') paintHandles(mark.box);
  }
  if (mark.scribble) {
    const points = mark.scribble.map((place) => toScreen(place).join(',')).join(' ');
    for (const style of ['dx-under', 'dx-over']) shape('polyline', { class: style, points }, group);
  }
  (mark.points || []).forEach((place, index) => paintPoint(place, index, group));
  // Answers have their labels at the top left, so names of marks stay at the bottom left.
  const [x0, , , y1] = boundsOf(mark);
  const place = mark.points ? mark.points[0] : [x0, y1];
  tag(mark.name, place, 'dx-name' + (mark.points ? ' dx-beside' : '') + (on ? ' dx-on' : ''));
}

function paintPoint(place, index, group) {
  const [x, y] = toScreen(place);
  const kind = place[2] ? 'dx-plus' : 'dx-minus';
  shape('circle', { class: kind, 'data-index': index, cx: x, cy: y, r: 9 }, group);
  const sign = 'M' + (x - 4) + ' ' + y + 'h8' + (place[2] ? 'M' + x + ' ' + (y - 4) + 'v8' : '');
  shape('path', { class: kind + '-sign', d: sign }, group);
}

/** Brush marks need erasing, which only a raster can do. */
function paintBrush() {
  const brushed = state.editing ? [] : state.marks.filter((mark) => mark.strokes);
  inkCanvas.hidden = !brushed.length;
  if (!brushed.length) return;
  const ratio = window.devicePixelRatio || 1;
  inkCanvas.width = stage.clientWidth * ratio;
  inkCanvas.height = stage.clientHeight * ratio;
  const ink = inkCanvas.getContext('2d');
  ink.scale(ratio, ratio);
  ink.lineCap = ink.lineJoin = 'round';
  const faded = brushed.every((mark) => state.asked.has(mark.name));
  inkCanvas.classList.toggle('dx-faded', faded && state.tool !== 'select');
  for (const stroke of brushed.flatMap((mark) => mark.strokes)) {
    ink.globalCompositeOperation = stroke.erase ? 'destination-out' : 'source-over';
    ink.strokeStyle = '#fff';
    ink.lineWidth = Math.max(2, stroke.width * Math.max(...sizeOf()) * view.scale);
    ink.beginPath();
    const [first, ...rest] = stroke.path.map(toScreen);
    ink.moveTo(...first);
    for (const place of rest.length ? rest : [first]) ink.lineTo(...place);
    ink.stroke();
  }
}

/** A quiet pulse on a sample's main thing until the first mark or answer. */
function paintHint() {
  const fresh = state.picture.point && !state.marks.length && !state.answers.size;
  if (!fresh || state.tool !== 'point') return;
  const [cx, cy] = toScreen(state.picture.point);
  shape('circle', { class: 'dx-hint', cx, cy, r: 16 });
  shape('circle', { class: 'dx-hint-core', cx, cy, r: 5 });
}

/** Buttons beside a mark that was just drawn, or that is selected. */
function placeMenu() {
  const edited = state.editing && state.editing.find((item) => item.id === state.menu);
  const mark = edited || markNamed(state.menu);
  const open = mark && !press && (edited || state.tool === 'select' || !mark.points);
  menu.hidden = !open;
  if (!open) { menu.dataset.mark = ''; return; }
  if (menu.dataset.mark !== (edited ? 'edit ' + mark.id : mark.name)) fillMenu(mark);
  const [x0, y0, x1, y1] = boundsOf(mark);
  const [left, bottom] = toScreen([(x0 + x1) / 2, y1]);
  const above = bottom + menu.offsetHeight + 12 > stage.clientHeight;
  const room = edited ? 38 : 10; // the label of what is corrected stands above it
  const top = above ? toScreen([x0, y0])[1] - menu.offsetHeight - room : bottom + 10;
  const most = stage.clientWidth - menu.offsetWidth - 6;
  menu.style.left = clamp(left - menu.offsetWidth / 2, 6, Math.max(6, most)) + 'px';
  menu.style.top = clamp(top, 6, stage.clientHeight - menu.offsetHeight - 6) + 'px';
}

// --- the word trace: where each word of the answer looks, one after the other ---------------------
let trace = null; // {words, at, timer}

function paintTrace() {
  if (!trace) return;
  trace.words.slice(0, trace.at + 1).forEach((word, index) => {
    if (trace.at - index > 4) return;
    const now = index === trace.at;
    rectangle(word.box, { class: 'dx-word' + (now ? ' dx-on' : ''), rx: 4,
      opacity: 1 - (trace.at - index) * 0.2 });
    if (now) tag(word.text, word.box, 'dx-word-tag');
  });
}

function play() {
  const running = trace;
  if (running) clearInterval(running.timer);
  trace = null;
  const answer = state.answers.get(state.shown);
  if (!running && answer) {
    trace = { words: answer.words, at: 0 };
    trace.timer = setInterval(() => {
      trace.at += 1;
      if (trace.at >= trace.words.length || !element.isConnected) return play();
      draw();
    }, 420);
  }
  playButton.textContent = say(trace ? 'stop' : 'play');
  draw();
}
