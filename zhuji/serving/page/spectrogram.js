// Spectrograms: how loud which pitches of a sound are, moment by moment, in the mel bands in which reports draw them.

import { label } from "./words.js";

/** Of a sound of 16,000 samples a second: samples of a window (25 ms), of a step from one to the next (10 ms), points of its transform. */
const [SPAN, STEP, POINTS] = [400, 160, 512];
const BANDS = 80;
/** By how much the softest that is seen is below the loudest: natural logarithms of powers, so 52 dB. */
const DEPTH = 12;
/** Columns at most; of a sound with more windows some are left out, in even steps. */
const WIDTH = 640;
const SILENCE = 1e-10;

/** Natural logarithms of the power in each band: `columns`, the lowest band first, and the `loudest` of all. */
export function bands({ samples, rate }) {
  const triangles = filters(rate);
  const step = Math.max(STEP, Math.ceil(samples.length / (WIDTH - 1)));
  const columns = Array.from({ length: 1 + Math.floor(samples.length / step) }, (_, at) => {
    const powers = spectrum(samples, at * step);
    return triangles.map(({ first, weights }) =>
      Math.log(Math.max(SILENCE, weights.reduce((sum, weight, place) => sum + weight * powers[first + place], 0))));
  });
  return { columns, loudest: columns.reduce((most, column) => Math.max(most, ...column), -Infinity) };
}

/** A canvas of them, a pixel each, low pitches at the bottom. Ink as strong as a band is loud; `loudest`: what is drawn strongest, so that
 * two can be compared. `told`: `{name, seconds}`. */
export function spectrogram({ columns }, loudest, told) {
  const canvas = document.createElement("canvas");
  canvas.className = "spectrogram";
  canvas.width = columns.length;
  canvas.height = BANDS;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, BANDS);
  // White, which the style turns round to what is ink on this ground.
  image.data.fill(255);
  columns.forEach((column, x) => column.forEach((value, band) => {
    const strength = Math.max(0, Math.min(1, 1 - (loudest - value) / DEPTH));
    image.data[4 * ((BANDS - 1 - band) * canvas.width + x) + 3] = Math.round(255 * strength);
  }));
  context.putImageData(image, 0, 0);
  canvas.setAttribute("role", "img");
  return label(canvas, { "aria-label": "sound_spectrogram" }, told);
}

/** Powers of the window (Hann) around a sample, frequency by frequency. Silence stands before the beginning and behind the end. */
function spectrum(samples, middle) {
  const [real, imaginary] = [new Float64Array(POINTS), new Float64Array(POINTS)];
  const before = Math.floor((POINTS - SPAN) / 2);
  for (let at = 0; at < SPAN; at += 1) {
    const weight = 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / SPAN);
    real[before + at] = weight * (samples[middle - POINTS / 2 + before + at] ?? 0);
  }
  transform(real, imaginary);
  return real.slice(0, POINTS / 2 + 1).map((value, at) => value ** 2 + imaginary[at] ** 2);
}

/** The fast Fourier transform (Cooley and Tukey 1965), in place; as many points as a power of two. */
function transform(real, imaginary) {
  const size = real.length;
  for (let at = 1, to = 0; at < size; at += 1) {
    let bit = size >> 1;
    for (; to & bit; bit >>= 1) to ^= bit;
    to ^= bit;
    if (at < to) for (const numbers of [real, imaginary]) [numbers[at], numbers[to]] = [numbers[to], numbers[at]];
  }
  for (let half = 1; half < size; half *= 2) {
    for (let turn = 0; turn < half; turn += 1) {
      const [cosine, sine] = [Math.cos((Math.PI * turn) / half), -Math.sin((Math.PI * turn) / half)];
      for (let at = turn; at < size; at += 2 * half) {
        const other = at + half;
        const x = real[other] * cosine - imaginary[other] * sine;
        const y = real[other] * sine + imaginary[other] * cosine;
        [real[other], imaginary[other]] = [real[at] - x, imaginary[at] - y];
        real[at] += x;
        imaginary[at] += y;
      }
    }
  }
}

/** Triangles of equal areas whose corners are equally far apart in mel (Slaney 1998): the `first` frequency of each, and its `weights`. */
function filters(rate) {
  const top = toMel(rate / 2);
  const corners = Array.from({ length: BANDS + 2 }, (_, at) => fromMel((top * at) / (BANDS + 1)));
  return Array.from({ length: BANDS }, (_, band) => {
    const [low, middle, high] = corners.slice(band, band + 3);
    const first = Math.floor((low * POINTS) / rate);
    const count = Math.min(POINTS / 2, Math.ceil((high * POINTS) / rate)) - first + 1;
    const weights = Array.from({ length: count }, (_, place) => {
      const hertz = ((first + place) * rate) / POINTS;
      return Math.max(0, Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle))) * (2 / (high - low));
    });
    return { first, weights };
  });
}

// Linear below 1,000 Hz, logarithmic above.
const LINEAR = 200 / 3;
const RATIO = Math.log(6.4) / 27;
const toMel = (hertz) => (hertz < 1000 ? hertz / LINEAR : 1000 / LINEAR + Math.log(hertz / 1000) / RATIO);
const fromMel = (mel) => (mel < 1000 / LINEAR ? mel * LINEAR : 1000 * Math.exp(RATIO * (mel - 1000 / LINEAR)));
