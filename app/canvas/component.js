// What the script of every component begins with. Gradio gives it: element, props, trigger, upload,
// watch. Components know nothing of each other; they talk through events on the document.
'use strict';
const find = (selector) => element.querySelector(selector);
const words = props.words || {};

/** Returns a text of words.py with its {names} filled in. */
function say(key, values) {
  return (words[key] || '').replace(/\{(\w+)\}/g, (_, name) => (values || {})[name] ?? '');
}

/** Listens on the document for as long as the component is on the page. */
function onDocument(type, act, capture = false) {
  const handler = (event) => {
    if (element.isConnected) act(event);
    else document.removeEventListener(type, handler, capture);
  };
  document.addEventListener(type, handler, capture);
}

const tell = (name, detail = {}) =>
  document.dispatchEvent(new CustomEvent('deixis-' + name, { detail }));
const hear = (name, act) => onDocument('deixis-' + name, (event) => act(event.detail));

for (const node of element.querySelectorAll('[data-text]')) node.textContent = say(node.dataset.text);
for (const node of element.querySelectorAll('[data-aria]')) {
  node.setAttribute('aria-label', say(node.dataset.aria));
}
