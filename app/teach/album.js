// Rows of small pictures with words; a click shows one in full.
const album = find('.album');
const sheet = find('dialog');

function shot(picture) {
  const node = document.createElement('button');
  const image = document.createElement('img');
  node.type = 'button';
  image.src = picture.src;
  image.alt = picture.alt;
  node.append(image);
  if (picture.caption) {
    const caption = document.createElement('span');
    caption.textContent = picture.caption;
    node.append(caption);
  }
  node.addEventListener('click', () => {
    sheet.replaceChildren(Object.assign(document.createElement('img'), { src: picture.src, alt: picture.alt }),
      Object.assign(document.createElement('p'), { textContent: picture.alt }));
    sheet.showModal();
  });
  return node;
}

function row(item) {
  const node = document.createElement('figure');
  const shots = document.createElement('div');
  shots.append(...item.pictures.map(shot));
  shots.style.setProperty('--n', item.pictures.length);
  node.append(shots);
  if (item.title) {
    node.append(Object.assign(document.createElement('figcaption'), { textContent: item.title }));
  }
  return node;
}

function key(entry) {
  const node = document.createElement('span');
  const patch = document.createElement('i');
  patch.style.background = entry.color;
  node.append(patch, document.createTextNode(entry.label));
  return node;
}

function fill() {
  const items = props.items || [];
  const legend = document.createElement('p');
  legend.className = 'album-key';
  legend.append(...(props.legend || []).map(key));
  album.replaceChildren(...items.map(row), legend);
  album.hidden = !items.length;
}
sheet.setAttribute('aria-label', say('enlarged'));
sheet.addEventListener('click', () => sheet.close());
watch('items', fill);
fill();
