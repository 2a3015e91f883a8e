// The word trace: where each word of the answer looks, played one after the other.
let trace = null; // {words, at, timer}

function paintTrace() {
  if (!trace) return;
  trace.words.slice(0, trace.at + 1).forEach((word, index) => {
    if (trace.at - index > 4) return;
    const now = index === trace.at;
    rectangle(word.box, { class: 'dx-word' + (now ? ' dx-on' : ''), rx: 4,
      opacity: 1 - (trace.at - index) * 0.2 });
    if (now) tag(word.text, word.box, 'dx-word-tag');
  });
}

function play() {
  const running = trace;
  if (running) clearInterval(running.timer);
  trace = null;
  const answer = state.answers.get(state.shown);
  if (!running && answer) {
    trace = { words: answer.words, at: 0 };
    trace.timer = setInterval(() => {
      trace.at += 1;
      if (trace.at >= trace.words.length || !element.isConnected) return play();
      draw();
    }, 420);
  }
  playButton.textContent = say(trace ? 'stop' : 'play');
  draw();
}
