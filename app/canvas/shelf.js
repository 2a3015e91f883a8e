// Saved examples: a thumbnail to reopen each, a button to delete it.
'use strict';
const shelf = element.querySelector('.shelf');
const words = props.words || {};
let asked = null; // the example whose deletion waits for a second click

function card(item) {
  const node = document.createElement('figure');
  const open = document.createElement('button');
  const picture = document.createElement('img');
  const caption = document.createElement('figcaption');
  const remove = document.createElement('button');
  open.type = remove.type = 'button';
  picture.src = item.src;
  picture.alt = item.title;
  open.title = words.reopen + ': ' + item.title;
  open.append(picture);
  open.addEventListener('click', () => trigger('reopened', { id: item.id }));
  caption.textContent = item.title;
  const sure = asked === item.id;
  remove.textContent = sure ? words.sure : '×';
  remove.className = sure ? 'sure' : '';
  remove.title = words.remove + ': ' + item.title;
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
  const items = props.items || [];
  shelf.replaceChildren(...items.map(card));
  shelf.classList.toggle('shelf-empty', !items.length);
  if (!items.length) shelf.textContent = words.empty || '';
}
watch('items', fill);
fill();
