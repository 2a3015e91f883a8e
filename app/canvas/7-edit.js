// Correcting: the boxes of an answer become editable here, its words in the editor beside the canvas.
// What is corrected lives in the browser alone until it is saved, and then goes in one message. Python
// sends answers, never corrections, so nothing that comes late takes the place of what was done
// meanwhile. Canvas and editor are two components; they talk through events on the document.
const EDIT_TOOLS = ['select', 'box'];
const drafts = new Map(); // exchange → draft, also of answers that were left half corrected
let correcting = false; // whether the Correct tab is open
let draft = null; // in hand: {exchange, caption: {question, text, links}, boxes, past, future, changes, kept}
let sent = null; // {draft, changes, done} of a draft that is on its way to the shelf
let again = false; // whether to save once more when that one has arrived
let editHot = new Set(); // boxes of the words under the pointer in the editor

function paintOf(id) {
  const paints = props.paints || [];
  const [color, ink] = paints[(Number(id) - 1) % (paints.length || 1)] || ['#fff', '#000'];
  return { color, ink };
}

/** An answer's boxes and words as they are to be corrected; without an answer an empty page. */
function draftOf(exchange) {
  const blank = { question: say('first_question'), text: '', links: [], boxes: [] };
  const { boxes, ...caption } = (state.answers.get(exchange) || {}).edit || blank;
  const painted = boxes.map((box) => ({ ...box, ...paintOf(box.id) }));
  return { exchange, caption, boxes: painted, past: [], future: [], changes: 0, kept: 0 };
}

const dirty = () => !!draft && draft.changes !== draft.kept;

/** Call whenever a person changed what is being corrected. */
function touched() {
  if (draft) draft.changes += 1;
}

/** Puts what is being corrected aside, to go on later; what was not touched is forgotten. */
function putAside() {
  if (draft && dirty()) Object.assign(draft, { boxes: state.editing, past, future });
  else if (draft) drafts.delete(draft.exchange);
}

/** Corrects the answer on display: goes on where it was left, or begins anew. */
function enterEditing(anew) {
  putAside();
  const exchange = state.answers.has(state.shown) ? state.shown : null;
  if (anew || !drafts.has(exchange)) drafts.set(exchange, draftOf(exchange));
  draft = drafts.get(exchange);
  ({ past, future } = draft);
  tell('caption-set', { caption: draft.caption });
  present(state.picture ? draft.boxes : null);
}

function leaveEditing() {
  putAside();
  draft = null;
  past = [];
  future = [];
  present(null);
}

/** Shows boxes to correct, or the answer as it was drawn. */
function present(boxes) {
  state.editing = boxes;
  state.selected = state.menu = '';
  state.hot = state.pinned = null;
  face();
  legend();
  commit();
}

/** Opens or closes the Correct tab. */
function correct(open) {
  if (correcting === open) return;
  correcting = open;
  root.classList.toggle('dx-correcting', open);
  if (open) enterEditing();
  else leaveEditing();
  setTool(open ? 'select' : 'point');
}

/** Another picture: what was drawn on the one before belongs to it. */
function forgetDrafts() {
  drafts.clear();
  draft = null;
  if (correcting) enterEditing();
}

/** Another answer: it is what should be corrected, unless something was corrected already. */
function offerAnswer() {
  if (correcting && !dirty()) enterEditing(true);
}

/** Sends what was corrected, all of it at once; what is changed meanwhile waits for the next time. */
function save() {
  if (!correcting || !busyNode.hidden) return;
  again = !!sent;
  if (sent) return;
  let arrived;
  const done = new Promise((resolve) => { arrived = resolve; });
  sent = { draft, changes: draft.changes, done, arrived };
  tell('saving', { saving: true });
  const boxes = (state.editing || []).map(({ id, label, box, named }) => ({ id, label, box, named }));
  const { exchange, caption } = draft;
  const picture = state.picture ? state.picture.id : '';
  trigger('corrected', { picture, exchange, boxes, ...caption, screen: screen() });
}

watch('saved', () => {
  const { exchange } = props.saved || {};
  if (!sent) return;
  const { draft: mine, changes, arrived } = sent;
  sent = null;
  tell('saving', { saving: false });
  arrived();
  if (exchange == null) return; // refused; the page says why
  drafts.delete(mine.exchange);
  mine.exchange = exchange;
  mine.kept = changes;
  if (mine.changes !== mine.kept || mine === draft) drafts.set(exchange, mine);
  if (mine !== draft) return;
  if (dirty()) return again && save();
  if (line.length) stage.focus({ preventScroll: true }); // the keys belong to the next picture
  nextPicture();
});

/** Suggestions for labels, from the model's vocabulary. */
function fillLabels() {
  const list = find('#dx-labels');
  list.replaceChildren(...(props.labels || []).map((label) => {
    const option = document.createElement('option');
    option.value = label;
    return option;
  }));
}

function tellBoxes() {
  tell('boxes', { boxes: copy(state.editing || []), selected: state.selected });
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
  Object.assign(state.editing.find((other) => other.id === item.id), { label, named: true });
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

/** Ctrl+Enter keeps what is there, wherever on the page the hands are. */
onDocument('keydown', (event) => {
  if (!correcting || event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.target.matches('.dx-menu input')) event.target.blur(); // a label being typed counts too
  save();
}, true);

watch('labels', fillLabels);
hear('correct', ({ open }) => correct(open));
hear('caption', ({ caption }) => { if (draft) { draft.caption = caption; touched(); } });
hear('save', save);
hear('renew', () => { if (correcting) enterEditing(true); });
hear('reopening', () => busy(say('reading')));
hear('pick', ({ ids }) => { editHot = new Set(ids); draw(); });
hear('hello', () => { // the editor is there: the page makes it when its tab is first opened
  if (draft) tell('caption-set', { caption: draft.caption });
  tellBoxes();
});
