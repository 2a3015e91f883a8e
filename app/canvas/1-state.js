// What the canvas knows: the picture, the marks, the answers, and how to undo.
// The numbered scripts of this folder are joined in one function scope by canvas.py, in the order of
// their numbers, after component.js.
const root = find('.dx');
const stage = find('.dx-stage');

// All coordinates are fractions of the upright picture. A mark is {name} and one of
// points [[x, y, 1|0]], box [x0, y0, x1, y1], scribble [[x, y]], strokes [{path, width, erase}].
const state = {
  picture: null, // {id, src, width, height, alt, point}
  marks: [],
  selected: '', // name of the mark in hand
  menu: '', // name of the mark whose menu is open
  asked: new Set(), // names of marks that were asked about
  numbers: 0, // highest number ever given in this conversation
  answers: new Map(), // exchange → {groups, words, edit: {question, text, links, boxes}}
  shown: null, // exchange whose boxes are on display
  threshold: 0.3,
  tool: 'point',
  hot: null, // {exchange, g, index|null} under the pointer or focus
  pinned: null, // the same, kept by a tap
  editing: null, // boxes under correction: [{id, label, box, color, ink}]
};
let past = [];
let future = [];

const copy = (value) => JSON.parse(JSON.stringify(value));
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const rounded = (value) => Math.round(value * 1e5) / 1e5;
const markNamed = (name) => state.marks.find((mark) => mark.name === name);

function snapshot() {
  return { marks: copy(state.marks), selected: state.selected, editing: copy(state.editing) };
}

/** Call before every change that a person may want back. */
function remember() {
  past.push(snapshot());
  if (past.length > 100) past.shift();
  future = [];
  touched();
}

function travel(from, to) {
  const moment = from.pop();
  if (!moment) return;
  to.push(snapshot());
  Object.assign(state, moment);
  touched();
  commit();
}

/** What Python reads with every question. */
function value() {
  return {
    picture: state.picture ? state.picture.id : '',
    marks: state.marks.map((mark) => ({ ...mark })),
    selected: state.selected,
    threshold: state.threshold,
    screen: screen(),
  };
}

/** How large the picture is shown, so that Python draws lines and letters at the right size. */
function screen() {
  const side = Math.max(...sizeOf()) * fitScale();
  return [Math.round(side), window.devicePixelRatio || 1];
}

/** Hands the marks to Gradio and draws them. */
function commit() {
  props.value = copy(value());
  if (state.editing) tellBoxes();
  draw();
}

function newMark(shape) {
  state.numbers += 1;
  const mark = { name: '@' + state.numbers, ...shape };
  state.marks.push(mark);
  state.selected = state.menu = mark.name;
  return mark;
}

function removeMark(name) {
  remember();
  state.marks = state.marks.filter((mark) => mark.name !== name);
  if (state.selected === name) state.selected = '';
  commit();
}

function ask(question, task) {
  state.asked.add(state.selected);
  state.menu = '';
  showStatus({ text: say('asking'), kind: 'busy' }); // before the server can say so
  draw();
  trigger('asked', { question, task, ...value() });
}

/** The numbers of a mark as a box, for hit tests, menus and tags. */
function boundsOf(mark) {
  if (mark.box) return mark.box;
  const places = mark.points || mark.scribble || mark.strokes.flatMap((stroke) => stroke.path);
  const xs = places.map((place) => place[0]);
  const ys = places.map((place) => place[1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Boxes on display that score enough: [{g, index, label, score, box, color, ink}]. */
function boxesShown(exchange) {
  const answer = state.answers.get(exchange ?? state.shown);
  if (!answer) return [];
  return answer.groups.flatMap((group) =>
    group.boxes.map((box, index) => ({ ...group, index, box, score: group.scores[index] }))
      .filter((item) => item.score >= state.threshold));
}

function moved(box, dx, dy) {
  const x = clamp(dx, -box[0], 1 - box[2]);
  const y = clamp(dy, -box[1], 1 - box[3]);
  return [box[0] + x, box[1] + y, box[2] + x, box[3] + y].map(rounded);
}

/** A box after one corner ('nw', 'ne', 'sw', 'se') was dragged. */
function resized(box, corner, dx, dy) {
  const next = [...box];
  next[corner.includes('w') ? 0 : 2] += dx;
  next[corner.includes('n') ? 1 : 3] += dy;
  return ordered(next);
}

function ordered([x0, y0, x1, y1]) {
  return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)]
    .map((side) => rounded(clamp(side, 0, 1)));
}
