// How pictures come in: chosen, dropped, pasted, photographed, or one of the samples. Several at once
// wait in line; who corrects goes on to the next with the same question.
let line = []; // files that wait
let followUp = ''; // what to ask of the next picture

async function send(file) {
  if (file.type && !file.type.startsWith('image/')) return notice(say('not_a_picture'));
  notice('');
  busy(say('reading'));
  try {
    const { path } = await upload(file);
    if (sent) await sent.done; // what was corrected is kept before its picture goes
    trigger('opened', { path, name: file.name });
  } catch {
    busy('');
    notice(say('upload_failed'));
  }
}

function take(files) {
  const [file, ...others] = files;
  if (!file) return;
  line = others;
  followUp = '';
  showLine();
  send(file);
}

function showLine() {
  const button = find('[data-act=next]');
  button.hidden = !line.length;
  button.querySelector('span').textContent = say('next', { count: line.length });
}

/** Opens the next of several pictures; while correcting, the same question is asked of it. */
function nextPicture() {
  const file = line.shift();
  if (!file) return;
  showLine();
  const question = draft ? draft.caption.question.trim() : '';
  followUp = question.includes('@') ? '' : question;
  send(file);
}

watch('picture', () => {
  if (!followUp || !props.picture) return;
  const question = followUp;
  followUp = '';
  trigger('asked', { question, task: null, ...value() });
});
watch('notice', () => { followUp = ''; });

for (const input of element.querySelectorAll('input[type=file]')) {
  input.addEventListener('change', () => { take([...input.files]); input.value = ''; });
}
stage.addEventListener('dragover', (event) => {
  event.preventDefault();
  stage.classList.add('dx-drop');
});
stage.addEventListener('dragleave', () => stage.classList.remove('dx-drop'));
stage.addEventListener('drop', (event) => {
  event.preventDefault();
  stage.classList.remove('dx-drop');
  take([...event.dataTransfer.files]);
});
onDocument('paste', (event) => {
  const files = [...(event.clipboardData?.files || [])].filter((f) => f.type.startsWith('image/'));
  if (files.length) { event.preventDefault(); take(files); }
});

/** Marks the sample that is on display, if one is. */
function markSample() {
  for (const button of find('.dx-samples div').children) {
    button.setAttribute('aria-current', String(button.title === (state.picture || {}).sample));
  }
}

function fillSamples() {
  const list = props.samples || [];
  const row = find('.dx-samples div');
  find('.dx-samples').hidden = !list.length;
  row.replaceChildren(...list.map((sample, index) => {
    const button = document.createElement('button');
    const picture = document.createElement('img');
    button.type = 'button';
    button.title = sample.title;
    button.setAttribute('aria-label', sample.title);
    picture.src = sample.src;
    picture.alt = '';
    button.appendChild(picture);
    button.addEventListener('click', async () => {
      busy(say('reading'));
      if (sent) await sent.done;
      trigger('sampled', { index });
    });
    return button;
  }));
}
