/* Server-sent events by fetch, since EventSource cannot send an Authorization header. Rules: the reader comes again
 * from where it was, for as long as it is wanted; a stream that is silent for 45 s (the server speaks every 15 s) is
 * dead; a refusal that waiting cannot cure ends it.
 */
import { backoff, pause } from "./patience.js";

const SILENCE = 45_000;
const REST = 60_000;
const LIVED = 10_000; // a stream that lasted so long was a good one: the next try is soon

/** Reads events into `received(event, data)` until the signal aborts or the server refuses for good. `open(signal)`
 * gives the response, `failed(error)` hears why it was cut (null: the server closed). While nothing is `wanted()` the
 * connection is given back: over HTTP/1.1 a browser opens six to a host, for all its tabs. */
export async function follow({ open, received, failed, wanted, signal }) {
  let failures = 0;
  while (!signal.aborted) {
    if (!wanted()) {
      await pause(REST, { signal });
      continue;
    }
    const started = Date.now();
    let problem = null;
    let opened = false;
    const heard = (event, data) => {
      opened = true;
      received(event, data);
    };
    try {
      await readOnce(open, heard, wanted, signal);
    } catch (error) {
      problem = error;
    }
    if (signal.aborted) return;
    if (!wanted()) continue;
    if (problem?.status && !problem.passing) throw problem;
    failures = Date.now() - started > LIVED ? 0 : opened ? 1 : failures + 1;
    failed(problem);
    await pause(problem?.wait || backoff(failures), { signal, stubborn: problem?.wait > 0 });
  }
}

async function readOnce(open, received, wanted, signal) {
  const attempt = new AbortController();
  const give = () => attempt.abort();
  const rest = setInterval(() => wanted() || give(), REST);
  let silence = setTimeout(give, SILENCE);
  signal.addEventListener("abort", give);
  try {
    const response = await open(attempt.signal);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = createParser(received);
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(silence);
      silence = setTimeout(give, SILENCE);
      parse(part.value);
    }
  } finally {
    clearTimeout(silence);
    clearInterval(rest);
    signal.removeEventListener("abort", give);
  }
}

/** Takes text as it comes and gives whole events; what the stream's end cuts off is never given. */
function createParser(received) {
  let rest = "";
  let event = "";
  let data = [];

  function line(text) {
    if (text === "") {
      if (data.length) received(event || "message", JSON.parse(data.join("\n")));
      event = "";
      data = [];
      return;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(text);
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
  }

  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    lines.forEach(line);
  };
}
