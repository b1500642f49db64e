// A button that records from the microphone. The sound stays on this page until it is sent.

import { fill, make } from "./dom.js";
import { asWav } from "./sound.js";
import { say, spoken } from "./words.js";

/** Seconds after which a recording ends by itself. */
const LONGEST = 60;

/** The button, and where it says what went wrong; nothing where the browser gives no microphone (a page without HTTPS that is not of this
 * machine, say). `take` gets each recording as a WAV file. */
export function recorder(take) {
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) return null;
  const button = spoken("button", "record", {}, { type: "button" });
  const place = make("span", { class: "quiet", role: "status" });
  let running = null;
  const refused = (why) => fill(place, spoken("span", "record_refused", { why }));
  const start = async () => {
    button.disabled = true;
    fill(place);
    try {
      running = await recording((seconds) => say(button, "record_stop", { seconds: Math.floor(seconds) }));
    } catch (trouble) {
      refused(trouble.message);
      return;
    } finally {
      button.disabled = false;
    }
    const recorded = await running.done;
    running = null;
    say(button, "record");
    const file = await asWav(recorded, "recording.wav");
    if (file) take(file);
    else refused(recorded.type);
  };
  button.addEventListener("click", () => (running ? running.stop() : start()));
  return make("div", { class: "row" }, button, place);
}

async function recording(tick) {
  const source = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(source);
  const pieces = [];
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  const stop = () => { if (recorder.state !== "inactive") recorder.stop(); };
  const done = new Promise((resolve) => {
    recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
    recorder.addEventListener("stop", () => {
      clearInterval(clock);
      // The microphone is let go at once.
      for (const track of source.getTracks()) track.stop();
      resolve(new Blob(pieces, { type: recorder.mimeType }));
    });
  });
  const clock = setInterval(() => {
    tick(seconds());
    if (seconds() >= LONGEST) stop();
  }, 250);
  recorder.start();
  tick(0);
  return { stop, done };
}
