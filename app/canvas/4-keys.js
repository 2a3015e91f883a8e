// What the keyboard does: tools, zoom, boxes one after the other, and a cross that points.
const TOOL_KEYS = { v: 'select', p: 'point', b: 'box', s: 'scribble', m: 'mask' };
const PANS = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
const KEYS = {
  '+': () => zoom(1.4), '=': () => zoom(1.4), '-': () => zoom(1 / 1.4), 0: fit,
  Delete: removeSelected, Backspace: removeSelected,
  Escape: () => { state.selected = state.menu = ''; pin(null); heat(null); commit(); },
  ']': () => step(1), '[': () => step(-1),
  Enter: () => state.editing && focusLabel(),
  n: nextPicture,
};

// The keyboard points with a cross: Enter takes it up and puts it down, arrows move it.
const AIMED = ['point', 'box'];
let aim = null; // {at, from}: where the cross is, and the first corner of a box

function aimKey(event) {
  if (event.target !== stage || !state.picture || !AIMED.includes(state.tool)) return false;
  const way = PANS[event.key];
  if (!aim && event.key !== 'Enter') return false;
  if (!aim) takeAim();
  else if (event.key === 'Enter') putDown(event.shiftKey);
  else if (event.key === 'Escape') aim = null;
  else if (way) moveAim(way, event.shiftKey ? 4 : 20);
  else return false;
  draw();
  return true;
}

function takeAim() {
  notice('');
  const frame = stage.getBoundingClientRect();
  aim = { at: toUnit(frame.left + frame.width / 2, frame.top + frame.height / 2) };
  heard(say('aim'));
}

function moveAim(way, pixels) {
  const [width, height] = sizeOf();
  aim.at = [[0, width], [1, height]].map(([axis, size]) =>
    rounded(clamp(aim.at[axis] - Math.sign(way[axis]) * pixels / (size * view.scale), 0, 1)));
}

function putDown(ruledOut) {
  const { at, from } = aim;
  if (state.tool === 'box' && !from) { aim.from = at; return; }
  aim = null;
  if (state.tool === 'point') return placePoint(at, !ruledOut);
  remember();
  const box = ordered([...from, ...at]);
  const fresh = state.editing ? addEdit(box) : newMark({ box });
  finishDraft({ draft: true, mark: fresh, fresh: state.editing && fresh });
  if (!state.editing) {
    requestAnimationFrame(() => menu.querySelector('button')?.focus({ preventScroll: true }));
  }
}

function paintAim() {
  if (!aim) return;
  if (aim.from) rectangle(ordered([...aim.from, ...aim.at]), { class: 'dx-over', rx: 3 });
  const [x, y] = toScreen(aim.at);
  const d = 'M' + (x - 16) + ' ' + y + 'h32M' + x + ' ' + (y - 16) + 'v32';
  for (const style of ['dx-under', 'dx-over']) shape('path', { class: style, d });
}

function removeSelected() {
  if (state.editing) removeEdit(state.selected);
  else if (markNamed(state.selected)) removeMark(state.selected);
}

/** Lights up the next box of the answer, for people without a mouse. */
function step(by) {
  if (state.editing) return stepEdit(by);
  const boxes = boxesShown();
  if (!boxes.length) return heard(say('none_found'));
  const now = boxes.findIndex((item) => state.pinned && item.g === state.pinned.g
    && item.index === state.pinned.index);
  const next = now < 0 ? (by > 0 ? 0 : boxes.length - 1) : (now + by + boxes.length) % boxes.length;
  const box = boxes[next];
  pin({ exchange: state.shown, g: box.g, index: box.index });
  heard(say('found', { number: next + 1, all: boxes.length, label: box.label,
    score: ' ' + box.score.toFixed(2) }));
}

function key(event) {
  stage.classList.remove('dx-by-hand');
  if (['INPUT', 'TEXTAREA', 'SELECT'].includes(event.target.tagName)) return;
  if (event.key === 'Enter' && event.target !== stage) return; // it presses a button
  const command = event.ctrlKey || event.metaKey;
  let act = null;
  if (!command && aimKey(event)) act = () => {};
  else if (command && event.key.toLowerCase() === 'z') {
    act = () => (event.shiftKey ? travel(future, past) : travel(past, future));
  } else if (command && event.key.toLowerCase() === 'y') act = () => travel(future, past);
  else if (command || event.altKey) return;
  else if (TOOL_KEYS[event.key]) act = () => setTool(TOOL_KEYS[event.key]);
  else if (state.editing && event.target === stage && PANS[event.key] && nudge(event)) act = () => {};
  else if (event.target === stage && PANS[event.key]) {
    const forward = ['ArrowRight', 'ArrowDown'].includes(event.key) ? 1 : -1;
    act = () => (view.fitted ? step(forward) : pan(...PANS[event.key]));
  } else if (event.key === ' ' && event.target === stage) act = () => { spaceHeld = true; };
  else act = KEYS[event.key];
  if (!act) return;
  act();
  event.preventDefault();
}
root.addEventListener('keydown', key);
root.addEventListener('keyup', (event) => { if (event.key === ' ') spaceHeld = false; });
