// Answers arrive on one stream, which the server closes when nothing is left to answer. Whatever is
// asked after the server closed it, but before the page hears of that, would wait until the next
// thing is asked: Gradio opens a stream only for a question that finds none open (its client's
// `submit` and `open_stream`). So something was asked on a stream that closes? Then ask for nothing,
// which opens the next one; whatever waits arrives on it.
let asking = false; // whether something was asked while the stream was open
let reading = false; // whether it is open

const addressOfCall = (call) => (call && call.url) || String(call);

function follow(signal) {
  reading = true;
  asking = false;
  signal.addEventListener('abort', () => {
    reading = false;
    if (asking && element.isConnected) trigger('nudged', {});
  }, { once: true });
}

const fetchOf = window.fetch;
window.fetch = async (call, options) => {
  const address = addressOfCall(call);
  const signal = (options && options.signal) || (call && call.signal);
  if (address.includes('/queue/data') && signal) follow(signal);
  const response = await fetchOf.call(window, call, options);
  if (address.includes('/queue/join') && reading) asking = true;
  return response;
};
