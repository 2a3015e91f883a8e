// Correcting: the boxes of an answer become editable. The caption editor beside the canvas hears
// of every change through events on the document, and tells which box its words belong to.
const EDIT_TOOLS = ['select', 'box'];
let editHot = new Set(); // boxes of the words under the pointer in the caption editor
let correcting = false; // whether the Correct tab is open
let entered = 0; // serial of the newest edit; one that arrives late is not looked at

function paintOf(id) {
  const paints = props.paints || [];
  const [color, ink] = paints[(Number(id) - 1) % (paints.length || 1)] || ['#fff', '#000'];
  return { color, ink };
}

/** Whether these are boxes of the picture on display, made after it was opened. */
function fits(edit) {
  const picture = state.picture || { id: '', serial: 0 };
  return edit && edit.picture === picture.id && edit.serial > picture.serial;
}

function enterEditing(edit) {
  if (edit.serial < entered) return;
  entered = edit.serial;
  correcting = !!edit.open;
  root.classList.toggle('dx-correcting', correcting);
  const boxes = fits(edit) && edit.boxes;
  state.editing = boxes ? boxes.map((box) => ({ ...box, ...paintOf(box.id) })) : null;
  state.selected = state.menu = '';
  state.hot = state.pinned = null;
  past = [];
  future = [];
  fillLabels(edit.labels || []);
  setTool(correcting ? 'select' : 'point');
  if (correcting && document.activeElement === document.body) {
    stage.focus({ preventScroll: true }); // so that the keys work at once
  }
  face();
  legend();
  commit();
  tellBoxes();
}

/** Suggestions for labels, from the model's vocabulary. */
function fillLabels(labels) {
  const list = find('#dx-labels');
  list.replaceChildren(...labels.map((label) => {
    const option = document.createElement('option');
    option.value = label;
    return option;
  }));
}

function tellBoxes() {
  const boxes = (state.editing || []).map((box) => ({ ...box }));
  document.dispatchEvent(new CustomEvent('deixis-boxes', { detail: {
    boxes, selected: state.selected } }));
}

function addEdit(box) {
  const numbers = state.editing.map((item) => Number(item.id));
  const id = String(Math.max(0, ...numbers) + 1);
  const item = { id, label: '', box, ...paintOf(id) };
  state.editing.push(item);
  state.selected = state.menu = id;
  return item;
}

function finishEdit() {
  setTool('select');
  draw();
  requestAnimationFrame(() => requestAnimationFrame(focusLabel));
}

function focusLabel() {
  const input = menu.querySelector('input');
  if (input) { input.focus({ preventScroll: true }); input.select(); }
}

function removeEdit(id) {
  if (!state.editing.some((item) => item.id === id)) return;
  remember();
  state.editing = state.editing.filter((item) => item.id !== id);
  state.selected = state.menu = '';
  commit();
}

function relabel(item, label) {
  if (item.label === label) return;
  remember();
  state.editing.find((other) => other.id === item.id).label = label;
  commit();
}

/** A field for the label and a button to delete, beside the box in hand. */
function fillEditMenu(item) {
  menu.dataset.mark = 'edit ' + item.id;
  const input = document.createElement('input');
  input.type = 'text';
  input.value = item.label;
  input.maxLength = 120;
  input.placeholder = say('label');
  input.setAttribute('aria-label', say('label'));
  input.setAttribute('list', 'dx-labels');
  input.addEventListener('change', () => relabel(item, input.value.trim()));
  input.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key === 'Enter' || event.key === 'Escape') {
      relabel(item, input.value.trim());
      stage.focus({ preventScroll: true });
    }
  });
  const remove = document.createElement('button');
  remove.type = 'button';
  remove.textContent = '×';
  remove.title = say('remove', { name: item.id });
  remove.setAttribute('aria-label', remove.title);
  remove.addEventListener('click', () => removeEdit(item.id));
  menu.replaceChildren(input, remove);
}

/** Moves the box in hand by a pixel of the screen, or ten with Shift. */
function nudge(event) {
  const item = state.editing && state.editing.find((box) => box.id === state.selected);
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!item || !way[event.key]) return false;
  const [width, height] = sizeOf();
  const step = (event.shiftKey ? 10 : 1) / view.scale;
  remember();
  item.box = moved(item.box, way[event.key][0] * step / width, way[event.key][1] * step / height);
  commit();
  return true;
}

function stepEdit(by) {
  const boxes = state.editing;
  if (!boxes.length) return heard(say('none_found'));
  const now = boxes.findIndex((item) => item.id === state.selected);
  const next = boxes[now < 0 ? (by > 0 ? 0 : boxes.length - 1)
    : (now + by + boxes.length) % boxes.length];
  state.selected = state.menu = next.id;
  commit();
  heard(next.id + ' ' + next.label);
}

watch('edit', () => { if (props.edit) enterEditing(props.edit); });

/** Ctrl+Enter keeps what is there, wherever on the page the hands are. */
const accept = (event) => {
  if (!element.isConnected) return document.removeEventListener('keydown', accept, true);
  if (!correcting || event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.target.blur) event.target.blur(); // a label that is being typed counts too
  setTimeout(() => document.querySelector('#save').click(), 0);
};
document.addEventListener('keydown', accept, true);

const onPick = (event) => {
  if (!element.isConnected) return document.removeEventListener('deixis-pick', onPick);
  editHot = new Set(event.detail.ids);
  draw();
};
document.addEventListener('deixis-pick', onPick);
