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

/** Shows a question that is edited as it was asked; Gradio would show its tags. */
function bare(field) {
  if (field.dataset.bare) return;
  field.dataset.bare = 'yes';
  field.value = new DOMParser().parseFromString(field.value, 'text/html').body.textContent;
  field.dispatchEvent(new Event('input', { bubbles: true })); // what Gradio reads it from
}

/** Mends Gradio's own parts, which come to the page after the canvas. It names a message by its raw
 *  text, tags and all, which also is what it lets people edit, and the buttons of a question not. */
function mendParts() {
  const parts = ['#chat', '#question'].map((id) => document.querySelector(id));
  if (parts.includes(null)) return void requestAnimationFrame(mendParts);
  const mend = () => {
    if (!element.isConnected) return mended.disconnect();
    parts[0].querySelectorAll('textarea').forEach(bare);
    for (const node of parts[0].querySelectorAll('[data-testid=bot], [data-testid=user]')) {
      if (node.hasAttribute('aria-label')) node.removeAttribute('aria-label');
    }
    for (const button of parts[1].querySelectorAll('button:not([aria-label])')) {
      const stops = button.classList.contains('stop-button');
      button.setAttribute('aria-label', say(stops ? 'stop' : 'send'));
    }
  };
  const mended = new MutationObserver(mend);
  const changes = { subtree: true, childList: true, attributeFilter: ['aria-label'] };
  for (const part of parts) mended.observe(part, changes);
  mend();
}
mendParts();
new ResizeObserver(() => { if (view.fitted) fit(); else settle(); }).observe(stage);
fillSamples();
fillLabels();
// A first look needs no choice: the first sample opens by itself.
if ((props.samples || []).length) root.querySelector('.dx-samples button').click();
setTool('point');
legend();
draw();
