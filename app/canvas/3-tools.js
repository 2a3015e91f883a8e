// What hands do: mouse and touch become marks, zoom and selections.
const LONG_PRESS = 500;
const SLACK = 7; // screen pixels a finger may slip and still mean a click
const pointers = new Map();
let press = null; // {tool, start, last, item, corner, index, moved, timer}
let pinch = null;
let spaceHeld = false;

function setTool(tool) {
  if (correcting && !EDIT_TOOLS.includes(tool)) return;
  state.tool = tool;
  aim = null;
  stage.dataset.tool = tool;
  for (const button of element.querySelectorAll('[data-tool]')) {
    if (button === stage) continue;
    button.setAttribute('aria-pressed', String(button.dataset.tool === tool));
  }
  draw();
}

/** Makes a point mark, or adds to the one in hand, and asks at once. */
function placePoint(place, positive, add) {
  let mark = markNamed(state.selected);
  if (!mark || !mark.points) mark = state.marks.filter((other) => other.points).at(-1);
  if (!positive && !mark) return notice(say('rule_out_first'));
  remember();
  if (positive && !(add && mark)) mark = newMark({ points: [[...place, 1]] });
  else mark.points.push([...place, positive ? 1 : 0]);
  state.selected = mark.name;
  commit();
  ask(say('click_question', { number: mark.name.slice(1) }), 'click');
}

function hitMark(event) {
  const [px, py] = [event.clientX, event.clientY];
  const frame = stage.getBoundingClientRect();
  const near = (place) => {
    const [x, y] = toScreen(place);
    return Math.hypot(x + frame.left - px, y + frame.top - py) < 14;
  };
  for (const mark of [...state.marks].reverse()) {
    if (mark.points) {
      const index = mark.points.findIndex(near);
      if (index >= 0) return { mark, index };
    } else if ((mark.scribble || mark.strokes?.flatMap((s) => s.path) || []).some(near)) {
      return { mark };
    } else if (mark.box && inside(mark.box, toUnit(px, py))) return { mark };
  }
  return null;
}

const inside = (box, [x, y]) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3];
const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
const smallest = (items, place) =>
  items.filter((item) => inside(item.box, place)).sort((a, b) => area(a.box) - area(b.box))[0];

function startSelect(event, place) {
  const corner = event.target.dataset ? event.target.dataset.corner : null;
  if (state.editing) {
    const held = state.editing.find((item) => item.id === state.selected);
    const item = corner ? held : smallest(state.editing, place);
    state.selected = state.menu = item ? item.id : '';
    tellBoxes();
    if (item) press = { ...press, item, corner, from: [...item.box] };
    return draw();
  }
  const held = markNamed(state.selected);
  const hit = corner && held ? { mark: held } : hitMark(event);
  if (hit) {
    state.selected = state.menu = hit.mark.name;
    press = { ...press, item: hit.mark, corner, index: hit.index, from: copy(hit.mark) };
  } else {
    state.selected = state.menu = '';
    const box = smallest(boxesShown(), place);
    pin(box ? { exchange: state.shown, g: box.g, index: box.index } : null);
  }
  commit();
}

const brushWidth = () => clamp(26 / (Math.max(...sizeOf()) * view.scale), 0.005, 0.2);

function startDraw(event, place) {
  remember();
  const tool = state.tool;
  if (tool === 'box') press.draft = { box: [...place, ...place] };
  if (tool === 'scribble') press.draft = { scribble: [place], width: 0.02 };
  if (tool === 'mask') {
    const stroke = { path: [place], width: brushWidth(), erase: event.button === 2 || event.altKey };
    const held = markNamed(state.selected);
    press.mark = held && held.strokes ? held : null;
    if (!press.mark && stroke.erase) { past.pop(); press = null; return; }
    if (press.mark) press.mark.strokes.push(stroke);
    else press.draft = { strokes: [stroke] };
    press.stroke = stroke;
  }
  if (press.draft && state.editing) {
    press.fresh = addEdit(press.draft.box);
    press.mark = press.fresh;
  } else if (press.draft) press.mark = newMark(press.draft);
  draw();
}

function down(event) {
  if (!state.picture || event.target.closest('button')) return;
  aim = null;
  notice(''); // who goes on has read it, and it would cover what is drawn
  pointers.set(event.pointerId, event);
  stage.classList.add('dx-by-hand');
  stage.focus({ preventScroll: true });
  if (pointers.size === 2) return startPinch();
  if (pointers.size > 2) return;
  const place = toUnit(event.clientX, event.clientY);
  press = { tool: state.tool, start: place, at: [event.clientX, event.clientY],
    last: [event.clientX, event.clientY], moved: false, event };
  try { stage.setPointerCapture(event.pointerId); } catch { /* the pointer is gone already */ }
  if (event.button === 1 || spaceHeld) press.tool = 'pan';
  else if (state.tool === 'point') armLongPress(event, place);
  else if (state.tool === 'select') startSelect(event, place);
  else if (event.button === 0 || state.tool === 'mask') startDraw(event, place);
  else press = null;
  if (event.pointerType === 'mouse') event.preventDefault();
}

function armLongPress(event, place) {
  if (event.pointerType === 'mouse') return;
  press.timer = setTimeout(() => {
    if (!press || press.moved) return;
    press = null;
    if (navigator.vibrate) navigator.vibrate(20);
    placePoint(place, false);
  }, LONG_PRESS);
}

function move(event) {
  if (pointers.has(event.pointerId)) pointers.set(event.pointerId, event);
  if (pinch) return movePinch();
  if (!press) return hover(event);
  const [dx, dy] = [event.clientX - press.last[0], event.clientY - press.last[1]];
  press.last = [event.clientX, event.clientY];
  const far = Math.hypot(event.clientX - press.at[0], event.clientY - press.at[1]);
  if (far > SLACK) press.moved = true;
  if (press.tool === 'pan') return pan(dx, dy);
  const place = toUnit(event.clientX, event.clientY);
  if (press.tool === 'select') dragItem(place);
  else if (press.draft || press.stroke) growDraft(place);
}

function growDraft(place) {
  if (press.tool === 'box') {
    const box = ordered([...press.start, ...place]);
    press.mark.box = box;
  } else {
    const path = press.tool === 'mask' ? press.stroke.path : press.mark.scribble;
    const [x, y] = toScreen(path.at(-1));
    const [nx, ny] = toScreen(place);
    if (Math.hypot(nx - x, ny - y) > 3 && path.length < 2000) path.push(place);
  }
  draw();
}

function dragItem(place) {
  if (!press.item || !press.moved) {
    if (!press.item && press.moved && !view.fitted) press.tool = 'pan';
    return;
  }
  if (!press.kept) { remember(); press.kept = true; }
  const [dx, dy] = [place[0] - press.start[0], place[1] - press.start[1]];
  const { item, from, corner, index } = press;
  if (item.box) {
    const box = from.box || from;
    item.box = corner ? resized(box, corner, dx, dy) : moved(box, dx, dy);
  } else if (item.points && index != null) {
    item.points[index] = [...place, from.points[index][2]];
  } else {
    const shift = (path) => path.map(([x, y]) => [clamp(x + dx, 0, 1), clamp(y + dy, 0, 1)]);
    if (item.scribble) item.scribble = shift(from.scribble);
    if (item.strokes) {
      item.strokes = from.strokes.map((stroke) => ({ ...stroke, path: shift(stroke.path) }));
    }
  }
  draw();
}

function up(event) {
  pointers.delete(event.pointerId);
  if (pinch) {
    if (pointers.size < 2) pinch = null;
    return;
  }
  if (!press) return;
  const done = press;
  press = null;
  clearTimeout(done.timer);
  if (event.type === 'pointercancel') return undoDraft(done);
  if (done.tool === 'point' && !done.moved) {
    const ruledOut = done.event.button === 2 || done.event.altKey;
    placePoint(done.start, !ruledOut, done.event.shiftKey);
  } else if (done.draft) finishDraft(done);
  else if (done.stroke) commit();
  else if (done.kept) commit();
}

/** Keeps what was drawn unless it is too small to be meant. */
function finishDraft(done) {
  const { mark } = done;
  const [x0, y0] = toScreen(boundsOf(mark));
  const [x1, y1] = toScreen(boundsOf(mark).slice(2));
  if (mark.box && (x1 - x0 < 5 || y1 - y0 < 5)) return undoDraft(done);
  if (mark.scribble && mark.scribble.length < 2) return undoDraft(done);
  commit();
  if (done.fresh) finishEdit(done.fresh);
}

function undoDraft(done) {
  if (!done.draft && !done.stroke) return;
  const before = past.pop();
  if (before) Object.assign(state, before);
  if (done.draft && !done.fresh) state.numbers -= 1;
  commit();
}

function startPinch() {
  if (press) { clearTimeout(press.timer); undoDraft(press); press = null; }
  pinch = grip();
}

function grip() {
  const [a, b] = [...pointers.values()];
  return { x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2,
    gap: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1 };
}

function movePinch() {
  if (pointers.size < 2) return;
  const next = grip();
  zoom(next.gap / pinch.gap, next.x, next.y);
  pan(next.x - pinch.x, next.y - pinch.y);
  pinch = next;
}

function hover(event) {
  if (event.pointerType === 'touch' || state.editing) return;
  const box = smallest(boxesShown(), toUnit(event.clientX, event.clientY));
  heat(box ? { exchange: state.shown, g: box.g, index: box.index, aimed: true } : null);
}

stage.addEventListener('pointerdown', down);
stage.addEventListener('blur', () => stage.classList.remove('dx-by-hand'));
stage.addEventListener('pointermove', move);
stage.addEventListener('pointerup', up);
stage.addEventListener('pointercancel', up);
stage.addEventListener('pointerleave', () => { if (!press) heat(null); });
stage.addEventListener('contextmenu', (event) => event.preventDefault());
stage.addEventListener('touchstart', (event) => {
  // A second finger means zoom, never scroll.
  if (event.touches.length > 1) event.preventDefault();
}, { passive: false });
stage.addEventListener('wheel', (event) => {
  if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 240), event.clientX, event.clientY);
  else if (!view.fitted) pan(-event.deltaX, -event.deltaY);
  else return;
  event.preventDefault();
}, { passive: false });
