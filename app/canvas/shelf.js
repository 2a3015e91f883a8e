// Saved examples: a thumbnail to reopen each, a button to delete it.
const shelf = find('.shelf');
let asked = null; // the example whose deletion waits for a second click
let shown = 0; // serial of the newest list

function card(item) {
  const node = document.createElement('figure');
  const open = document.createElement('button');
  const picture = document.createElement('img');
  const caption = document.createElement('figcaption');
  const remove = document.createElement('button');
  open.type = remove.type = 'button';
  picture.src = item.src;
  picture.alt = item.title;
  open.title = say('reopen') + ': ' + item.title;
  open.append(picture);
  open.addEventListener('click', () => {
    asked = null;
    tell('reopening');
    trigger('reopened', { id: item.id });
  });
  caption.textContent = item.title;
  const sure = asked === item.id;
  remove.textContent = sure ? say('sure') : '×';
  remove.className = sure ? 'sure' : '';
  remove.title = say('remove') + ': ' + item.title;
  remove.setAttribute('aria-label', remove.title);
  remove.addEventListener('click', () => {
    if (!sure) { asked = item.id; fill(); return; }
    asked = null;
    trigger('deleted', { id: item.id });
  });
  node.append(open, remove, caption);
  return node;
}

function fill() {
  const { items, serial } = props.content || { serial: -1 };
  if (serial < shown) return; // not there yet, or a list that arrives late
  shown = serial;
  shelf.replaceChildren(...items.map(card));
  shelf.classList.toggle('shelf-empty', !items.length);
  if (!items.length) shelf.textContent = say('empty');
}
watch('content', fill);
fill();
