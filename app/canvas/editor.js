// The caption editor: words are edited in place; selected words are linked to boxes of the canvas.
// Links live in the text as spans, so they move with the words when the text is edited. Whatever is
// done here is told to the canvas at once, which keeps it and saves it together with the boxes.
const field = find('.ed-text');
const questionField = find('.ed-question');
const chips = find('.ed-chips');
const saveButton = find('#save');
const renewButton = find('.ed-renew');
let boxes = []; // [{id, label, color, ink}]
let chosen = null; // the Range that is selected in the text
let doubted = false; // whether starting over waits for a second click

const spans = () => [...field.querySelectorAll('span.ed-ph')];
const idsOf = (span) => span.dataset.ids.split(',').filter(Boolean);

function fill(edit) {
  questionField.value = edit.question || '';
  field.replaceChildren();
  let place = 0;
  const letters = [...(edit.text || '')]; // whole characters, as Python counts them
  const piece = (start, end) => letters.slice(start, end).join('');
  const links = [...(edit.links || [])].sort((a, b) => a.start - b.start);
  for (const link of links) {
    if (link.start < place || link.end > letters.length) continue;
    field.append(piece(place, link.start), span(piece(link.start, link.end), link.ids));
    place = link.end;
  }
  field.append(piece(place));
  chosen = null;
  paint();
}

function span(text, ids) {
  const node = document.createElement('span');
  node.className = 'ed-ph';
  node.dataset.ids = ids.join(',');
  node.textContent = text;
  return node;
}

/** The text and its links, with places counted in characters of the text as Python counts them. */
function read() {
  const links = [];
  let text = '';
  const walk = (node, ids) => {
    if (node.nodeType === Node.TEXT_NODE) { text += node.data; return; }
    if (node.tagName === 'BR') { text += '\n'; return; }
    const own = node.dataset && node.dataset.ids ? idsOf(node) : ids;
    const start = [...text].length;
    for (const child of node.childNodes) walk(child, own);
    const end = [...text].length;
    if (node.dataset && node.dataset.ids && end > start) links.push({ start, end, ids: own });
  };
  for (const child of field.childNodes) walk(child, null);
  return { question: questionField.value, text, links };
}

/** What starting over throws away does not come back, so it takes two clicks. */
function doubt(whether) {
  doubted = whether;
  renewButton.textContent = say(whether ? 'renew_sure' : 'renew');
}

const report = () => tell('caption', { caption: read() });

function paint() {
  const known = new Map(boxes.map((box) => [box.id, box]));
  for (const node of spans()) {
    const ids = idsOf(node).filter((id) => known.has(id));
    const first = known.get(ids[0]);
    node.style.setProperty('--c', first ? first.color : 'transparent');
    node.title = ids.map((id) => id + ' ' + known.get(id).label).join(', ');
    node.dataset.mark = ids.join(' ');
  }
  const held = heldSpan();
  find('.ed-links').hidden = !boxes.length;
  const ready = !!held || (chosen && !chosen.collapsed);
  chips.replaceChildren(...boxes.map((box) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.disabled = !ready;
    button.style.setProperty('--c', box.color);
    button.setAttribute('aria-pressed', String(!!held && idsOf(held).includes(box.id)));
    const number = document.createElement('b');
    number.textContent = box.id;
    number.style.color = box.ink;
    button.append(number, box.label || '…');
    button.addEventListener('pointerdown', (event) => event.preventDefault());
    button.addEventListener('click', () => toggle(box.id));
    button.addEventListener('pointerenter', () => pick([box.id]));
    button.addEventListener('pointerleave', () => pick([]));
    return button;
  }));
}

/** The linked phrase that holds the selection, if it lies in one. */
function heldSpan() {
  if (!chosen) return null;
  const node = chosen.commonAncestorContainer;
  const from = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
  return from && from.closest ? from.closest('.ed-ph') : null;
}

/** Links the selected words to a box, or takes the link away. */
function toggle(id) {
  const held = heldSpan();
  if (held) {
    const ids = idsOf(held);
    const next = ids.includes(id) ? ids.filter((other) => other !== id) : [...ids, id];
    if (next.length) held.dataset.ids = next.join(',');
    else held.replaceWith(...held.childNodes);
  } else if (chosen && !chosen.collapsed) {
    const text = chosen.toString();
    const inside = text.trim();
    if (!inside) return;
    for (const node of spans()) if (chosen.intersectsNode(node)) node.replaceWith(...node.childNodes);
    chosen.deleteContents();
    const node = span(inside, [id]);
    const [before, after] = text.split(inside);
    const piece = document.createDocumentFragment();
    piece.append(before || '', node, after || '');
    chosen.insertNode(piece);
    chosen.selectNodeContents(node);
  }
  field.normalize();
  paint();
  report();
}

const pick = (ids) => tell('pick', { ids });

field.addEventListener('input', () => { paint(); report(); });
questionField.addEventListener('input', report);
field.addEventListener('keydown', (event) => {
  if (event.key === 'Enter') event.preventDefault(); // a caption is one paragraph
});
field.addEventListener('pointerover', (event) => {
  const node = event.target.closest('.ed-ph');
  pick(node ? idsOf(node) : []);
});
field.addEventListener('pointerleave', () => pick([]));

onDocument('selectionchange', () => {
  const selection = document.getSelection();
  if (!selection.rangeCount || !field.contains(selection.anchorNode)) return;
  chosen = selection.getRangeAt(0).cloneRange();
  const held = heldSpan();
  pick(held ? idsOf(held) : []);
  paint();
});

hear('boxes', (detail) => {
  boxes = detail.boxes;
  for (const node of spans()) node.classList.toggle('hot', idsOf(node).includes(detail.selected));
  paint();
});
hear('caption-set', ({ caption }) => fill(caption));
hear('saving', ({ saving }) => {
  saveButton.setAttribute('aria-busy', String(saving));
  saveButton.querySelector('span').textContent = say(saving ? 'saving' : 'save');
});
saveButton.addEventListener('click', () => tell('save'));
renewButton.addEventListener('click', () => {
  if (doubted) tell('renew');
  doubt(!doubted);
});
renewButton.addEventListener('blur', () => doubt(false));
tell('hello');
