// Everything is defined: fill in the texts and begin.

for (const button of element.querySelectorAll('button[data-tool], button[data-act]')) {
  const name = button.dataset.tool || button.dataset.act;
  const title = say(name + '_title') || say(name);
  const label = button.querySelector('span');
  if (label) label.textContent = say(name); // what is seen is the name; the title tells more
  if (title) button.title = title;
  if (title && !label) button.setAttribute('aria-label', title);
}
playButton.textContent = say('play');

/** Gives Gradio's own parts their names for who listens; they come to the page after the canvas.
 *  It names a message by its raw text, tags and all, and the buttons of a question not at all. */
function nameParts() {
  const parts = ['#chat', '#question'].map((id) => document.querySelector(id));
  if (parts.includes(null)) return void requestAnimationFrame(nameParts);
  const name = () => {
    if (!element.isConnected) return named.disconnect();
    for (const node of parts[0].querySelectorAll('[data-testid=bot], [data-testid=user]')) {
      if (node.hasAttribute('aria-label')) node.removeAttribute('aria-label');
    }
    for (const button of parts[1].querySelectorAll('button:not([aria-label])')) {
      const stops = button.classList.contains('stop-button');
      button.setAttribute('aria-label', say(stops ? 'stop' : 'send'));
    }
  };
  const named = new MutationObserver(name);
  const changes = { subtree: true, childList: true, attributeFilter: ['aria-label'] };
  for (const part of parts) named.observe(part, changes);
  name();
}
nameParts();
new ResizeObserver(() => { if (view.fitted) fit(); else settle(); }).observe(stage);
fillSamples();
fillLabels();
// A first look needs no choice: the first sample opens by itself.
if ((props.samples || []).length) root.querySelector('.dx-samples button').click();
setTool('point');
legend();
draw();
