// Everything is defined: fill in the texts and begin.

for (const button of element.querySelectorAll('button[data-tool], button[data-act]')) {
  const name = button.dataset.tool || button.dataset.act;
  const title = say(name + '_title') || say(name);
  if (title) { button.title = title; button.setAttribute('aria-label', title); }
  const label = button.querySelector('span');
  if (label) label.textContent = say(name);
}
playButton.textContent = say('play');
// Gradio names a message by its raw text, tags and all; what it shows is the better name.
const chat = document.querySelector('#chat');
const unname = () => {
  if (!element.isConnected) return named.disconnect();
  for (const node of chat.querySelectorAll('[data-testid=bot], [data-testid=user]')) {
    if (node.hasAttribute('aria-label')) node.removeAttribute('aria-label');
  }
};
const named = new MutationObserver(unname);
if (chat) named.observe(chat, { subtree: true, childList: true, attributeFilter: ['aria-label'] });
new ResizeObserver(() => { if (view.fitted) fit(); else settle(); }).observe(stage);
fillSamples();
fillLabels();
// A first look needs no choice: the first sample opens by itself.
if ((props.samples || []).length) root.querySelector('.dx-samples button').click();
setTool('point');
legend();
draw();
