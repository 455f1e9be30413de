/** A short sound for who wants one: two tones that are made here, so that there is no file to load. */

/** Hertz, and seconds after the first. */
const TONES = [{ pitch: 880, after: 0 }, { pitch: 1175, after: 0.12 }];
const TONE_SECONDS = 0.22;
const LOUDNESS = 0.15;
/** Tabs learn of the same event so far apart at most. */
const SILENT_MS = 2_000;

/** @type {AudioContext | null} */
let context = null;

/**
 * Browsers let a page sound only behind a press. This is called at the one that switches the sound on; a page that was
 * loaded with the choice of before waits for its first one.
 */
export function prepare() {
  if (navigator.userActivation?.isActive) wake();
  for (const name of ["pointerdown", "keydown"]) addEventListener(name, wake, { capture: true });
}

function wake() {
  context ??= new AudioContext();
  // It sleeps when the device does.
  if (context.state !== "running") context.resume();
}

/** Sounds in one of the tabs of this browser; not in one that has not been pressed yet. */
export async function chime() {
  const ready = context;
  if (!ready) return;
  if (navigator.userActivation?.isActive) await ready.resume();
  if (ready.state !== "running") return;
  // Pages that came neither over https nor from this machine have no locks.
  if (!navigator.locks) return play(ready);
  navigator.locks.request("vx11-chime", { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    play(ready);
    await new Promise((done) => setTimeout(done, SILENT_MS));
  });
}

/** @param {AudioContext} ready */
function play(ready) {
  for (const { pitch, after } of TONES) {
    const [tone, loudness, begin] = [ready.createOscillator(), ready.createGain(), ready.currentTime + after];
    tone.frequency.value = pitch;
    loudness.gain.setValueAtTime(LOUDNESS, begin);
    // It fades, because a tone that is cut off cracks.
    loudness.gain.exponentialRampToValueAtTime(0.001, begin + TONE_SECONDS);
    tone.connect(loudness).connect(ready.destination);
    tone.start(begin);
    tone.stop(begin + TONE_SECONDS);
  }
}
