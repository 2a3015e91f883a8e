// How the canvas talks: to Python through props and events, to the chat through classes.
const heardNode = find('.dx-heard');
const chips = find('.dx-chips');
const slider = find('.dx-sift input');
const noticeNode = find('.dx-notice');
const busyNode = find('.dx-busy');
const playButton = find('[data-act=play]');
const plainButton = find('[data-act=plain]');
let rendered = ''; // the annotated picture on display
let plain = false;
let answered = 0; // serial of the newest answer

const heard = (sentence) => { heardNode.textContent = sentence; };

function notice(sentence) {
  noticeNode.hidden = !sentence;
  noticeNode.querySelector('span').textContent = sentence || '';
}

function busy(sentence) {
  busyNode.hidden = !sentence;
  busyNode.querySelector('span').textContent = sentence || '';
  if (sentence) showStatus({}); // what was said of the last picture is not true of the next
}

function showStatus({ text, kind }) {
  const node = find('.dx-status');
  node.textContent = text || '';
  node.dataset.kind = kind || '';
}

// --- phrases and boxes light each other up -------------------------------------------------------

/** The address of a phrase in the chat: its classes x<exchange> and g<number>. */
function addressOf(node) {
  const read = (letter) => {
    const name = [...node.classList].find((item) => new RegExp('^' + letter + '\\d+$').test(item));
    return name ? Number(name.slice(1)) : null;
  };
  return { exchange: read('x'), g: read('g'), index: null };
}

const same = (a, b) => (!a && !b)
  || (a && b && a.exchange === b.exchange && a.g === b.g && a.index === b.index);

function heat(target) {
  if (same(state.hot, target)) return;
  state.hot = target;
  mirror();
}

function pin(target) {
  state.pinned = target;
  mirror();
}

/** Marks phrases and chips of whatever is lit up, then draws. */
function mirror() {
  const hot = state.hot || state.pinned;
  for (const node of document.querySelectorAll('.ph.hot, .dx-chip.hot')) node.classList.remove('hot');
  if (hot) {
    const name = '.x' + hot.exchange + '.g' + hot.g;
    for (const node of document.querySelectorAll('.ph' + name + ', .dx-chip' + name)) {
      node.classList.add('hot');
    }
  }
  face();
  draw();
}

/** Listens to phrases and chips; the chat lies outside this component. */
function listen(type, act) {
  onDocument(type, (event) => {
    act(event.target.closest ? event.target.closest('.ph, .dx-chip') : null, event);
  });
}

listen('pointerover', (node, event) => {
  if (node) heat(addressOf(node));
  else if (state.hot && !stage.contains(event.target)) heat(null);
});
listen('focusin', (node) => heat(node ? addressOf(node) : null));
listen('click', (node) => { if (node) tap(addressOf(node)); });
listen('keydown', (node, event) => {
  if (node && node.classList.contains('ph') && (event.key === 'Enter' || event.key === ' ')) {
    event.preventDefault();
    tap(addressOf(node));
  }
});

/** Keeps a phrase lit until the next tap; a phrase of an older answer brings that answer back. */
function tap(target) {
  const again = state.pinned && same({ ...state.pinned, index: null }, target);
  if (again) state.hot = null; // also under a finger, which never leaves
  pin(again ? null : target);
  if (target.exchange !== state.shown) trigger('recalled', { exchange: target.exchange, screen: screen() });
}

// --- the answer on display -----------------------------------------------------------------------

function chip(group, count) {
  const node = document.createElement('button');
  node.type = 'button';
  node.className = 'dx-chip x' + state.shown + ' g' + group.g;
  node.style.setProperty('--c', group.color);
  const number = document.createElement('b');
  number.textContent = group.g;
  number.style.color = group.ink;
  const label = document.createElement('span');
  label.textContent = group.label + (count > 1 ? ' ×' + count : '');
  const score = document.createElement('small');
  score.textContent = Math.max(...group.scores).toFixed(2);
  node.append(number, label, score);
  return node;
}

function legend() {
  const answer = state.answers.get(state.shown);
  const groups = answer && !state.editing ? answer.groups : [];
  const kept = boxesShown();
  const all = groups.reduce((sum, group) => sum + group.boxes.length, 0);
  chips.replaceChildren(...groups.map((group) => [group, kept.filter((b) => b.g === group.g).length])
    .filter(([, count]) => count).map(([group, count]) => chip(group, count)));
  chips.dataset.empty = all && !kept.length ? say('all_below') : '';
  find('.dx-sift').hidden = !all;
  plainButton.hidden = !all;
  playButton.hidden = !(answer && answer.words && answer.words.length) || !!state.editing;
  slider.value = state.threshold;
  find('.dx-sift output').textContent = Number(state.threshold).toFixed(2) + ' · '
    + say('shown', { shown: kept.length, all });
}

/** Shows the annotated picture, or the plain one where that is asked for or is clearer. */
function face() {
  const hot = state.hot || state.pinned;
  const elsewhere = hot && hot.exchange !== state.shown;
  const bare = plain || elsewhere || !rendered || state.editing;
  const next = bare ? (state.picture ? state.picture.src : '') : rendered;
  if (next && image.getAttribute('src') !== next) image.src = next;
  plainButton.setAttribute('aria-pressed', String(plain));
}

slider.addEventListener('input', () => {
  state.threshold = Number(slider.value);
  legend();
  draw();
});
slider.addEventListener('change', () => {
  commit();
  trigger('sifted', { threshold: state.threshold, screen: screen() });
});

// --- Python sends, the canvas merges -------------------------------------------------------------

watch('picture', () => {
  const next = props.picture;
  busy('');
  notice('');
  if (!next || !next.src) return;
  // Pictures opened one right after the other may arrive in another order.
  if (state.picture && state.picture.serial >= next.serial) return;
  Object.assign(state, { picture: next, marks: [], selected: '', numbers: 0, menu: '',
    asked: new Set(), shown: null, hot: null, pinned: null });
  state.answers.clear();
  past = [];
  future = [];
  rendered = '';
  plain = false;
  stage.style.setProperty('--ratio', next.width / next.height);
  image.alt = next.alt || say('picture_alt');
  markSample();
  face();
  legend();
  forgetDrafts();
  requestAnimationFrame(() => { fit(); commit(); });
});
watch('answer', () => {
  const next = props.answer;
  // Answers may arrive in another order than they were given, or after another picture.
  if (!next || next.serial <= answered || next.picture !== (state.picture || {}).id) return;
  answered = next.serial;
  if (next.exchange == null) {
    Object.assign(state, { shown: null, pinned: null, hot: null });
    if (next.cleared) { state.answers.clear(); clearMarks(); }
  } else {
    state.answers.set(next.exchange, { groups: next.groups, words: next.words, edit: next.edit });
    if (state.shown !== next.exchange) {
      state.hot = null;
      if (state.pinned && state.pinned.exchange !== next.exchange) state.pinned = null;
    }
    state.shown = next.exchange;
    if (typeof next.threshold === 'number') state.threshold = next.threshold;
  }
  rendered = next.src || '';
  plain = false;
  if (trace) play();
  face();
  legend();
  mirror();
  if (!next.kept) offerAnswer();
});
watch('adopt', () => {
  const mark = props.adopt && props.adopt.mark;
  if (!mark || markNamed(mark.name)) return;
  remember();
  state.marks.push(mark);
  state.numbers = Math.max(state.numbers, Number(mark.name.slice(1)));
  state.selected = mark.name;
  commit();
});
watch('notice', () => { busy(''); notice((props.notice || {}).text); });
watch('status', () => showStatus(props.status || {}));
watch('can', () => { menu.dataset.mark = ''; draw(); });

function clearMarks() {
  Object.assign(state, { marks: [], selected: '', menu: '', asked: new Set(), numbers: 0 });
  past = [];
  future = [];
  commit();
}

// --- the menu beside a mark, and buttons ---------------------------------------------------------

function fillMenu(mark) {
  if (state.editing) return fillEditMenu(mark);
  const can = props.can || [];
  menu.dataset.mark = mark.name;
  menu.replaceChildren();
  const number = mark.name.slice(1);
  const add = (words, act, className) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = words;
    button.className = className || '';
    button.addEventListener('click', act);
    menu.appendChild(button);
    return button;
  };
  const task = mark.points ? 'click' : 'region';
  if (can.includes(task)) {
    add(say('what'), () => ask(say('click_question', { number }), task), 'dx-first');
  }
  for (const extra of ['segment', 'pose']) {
    if (can.includes(extra)) add(say(extra), () => ask(say(extra + '_question', { number }), extra));
  }
  const remove = add('×', () => removeMark(mark.name));
  remove.title = say('remove', { name: mark.name });
  remove.setAttribute('aria-label', remove.title);
}

const ACTS = {
  undo: () => travel(past, future),
  redo: () => travel(future, past),
  clear: () => {
    const drawn = state.editing ? 'editing' : 'marks';
    if (!state[drawn].length) return;
    remember();
    Object.assign(state, { [drawn]: [], selected: '', menu: '' });
    commit();
  },
  upload: () => find('.dx-file').click(),
  camera: () => find('.dx-camera').click(),
  zoom_in: () => zoom(1.4),
  zoom_out: () => zoom(1 / 1.4),
  fit,
  dismiss: () => notice(''),
  plain: () => { plain = !plain; face(); },
  next: nextPicture,
  play,
};
root.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.tool) setTool(button.dataset.tool);
  if (ACTS[button.dataset.act]) ACTS[button.dataset.act]();
});
