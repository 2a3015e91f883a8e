// Typing @ in the question offers the marks; the box lies outside the component.
const offer = document.createElement('div');
offer.className = 'suggest';
offer.setAttribute('role', 'listbox');
offer.setAttribute('aria-label', say('marks'));
offer.hidden = true;
let offered = 0;

const questionBox = () => document.querySelector('#question textarea');

/** The piece "@…" that ends at the cursor, or null. */
function typedMention(box) {
  const before = box.value.slice(0, box.selectionStart);
  const match = /(^|[^\w@])(@\d{0,3})$/.exec(before);
  return match ? match[2] : null;
}

function kindOf(mark) {
  const kind = mark.box ? 'box' : mark.points ? 'point' : mark.scribble ? 'scribble' : 'mask';
  return say(kind + '_kind');
}

function offerMarks(box) {
  const typed = document.activeElement === box ? typedMention(box) : null;
  const fitting = typed ? state.marks.filter((mark) => mark.name.startsWith(typed)) : [];
  const done = fitting.length === 1 && fitting[0].name === typed;
  offer.hidden = !fitting.length || done;
  if (offer.hidden) return;
  offered = Math.min(offered, fitting.length - 1);
  offer.replaceChildren(...fitting.map((mark, index) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('role', 'option');
    button.setAttribute('aria-selected', String(index === offered));
    button.textContent = mark.name + ' ' + kindOf(mark);
    button.addEventListener('pointerdown', (event) => {
      event.preventDefault(); // keeps the cursor where it is
      takeMention(box, mark.name);
    });
    return button;
  }));
  const frame = box.getBoundingClientRect();
  if (!offer.isConnected) document.body.appendChild(offer);
  offer.style.left = window.scrollX + frame.left + 'px';
  offer.style.top = window.scrollY + frame.top - offer.offsetHeight - 8 + 'px';
}

function takeMention(box, name) {
  const typed = typedMention(box) || '';
  box.setRangeText(name + ' ', box.selectionStart - typed.length, box.selectionStart, 'end');
  // Gradio reads the text from its own events.
  box.dispatchEvent(new Event('input', { bubbles: true }));
  offer.hidden = true;
}

function onQuestion(type, act, capture) {
  onDocument(type, (event) => {
    if (event.target === questionBox()) act(event, event.target);
  }, capture);
}

onQuestion('input', (event, box) => { offered = 0; offerMarks(box); });
onQuestion('focusin', (event, box) => offerMarks(box));
onQuestion('focusout', () => { offer.hidden = true; });
onQuestion('keydown', (event, box) => {
  if (offer.hidden) return;
  const options = [...offer.children];
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (step) offered = (offered + step + options.length) % options.length;
  else if (event.key === 'Enter' || event.key === 'Tab') {
    takeMention(box, options[offered].textContent.split(' ')[0]);
  } else if (event.key === 'Escape') offer.hidden = true;
  else return;
  event.preventDefault();
  event.stopPropagation();
  if (step) offerMarks(box);
}, true);
