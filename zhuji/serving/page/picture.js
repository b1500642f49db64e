// Pictures as this page shows them: upright, on canvases alone, so that no address of a picture is ever needed.

/** Longer side, in pixels of the canvas, from which a picture is large enough, and up to which it is drawn. */
const LEAST = 320;
const MOST = 1280;

/** Told apart with any kind of colour vision (Okabe and Ito 2008). With the dashes in step no two of 28 kinds look alike. */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442"];
const DASHES = [[], [5, 3], [1, 2], [6, 2, 1, 2]];
const DARK_INK = new Set(["#e69f00", "#cc79a7", "#56b4e9", "#f0e442", "#009e73", "#d55e00"]);
/** Colours of what speaks for and against. */
export const FOR = [213, 94, 0];
export const AGAINST = [0, 114, 178];

/** The picture in a file, turned upright; null where this browser cannot show its kind (DICOM and TIFF, say). */
export async function bitmapOf(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    // The server may still read it: then its answer is shown without the picture.
    return null;
  }
}

/** A canvas with the picture on it. `scale`: how long a side of one of its pixels is. Without a bitmap, grey of that size. */
export function sheet(bitmap, [width, height] = [bitmap.width, bitmap.height], filter = "none") {
  const canvas = document.createElement("canvas");
  const longer = Math.max(width, height);
  const scale = longer < LEAST ? Math.ceil(LEAST / longer) : Math.min(1, MOST / longer);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  // Small pictures are enlarged pixel by pixel: nothing is made up between them.
  context.imageSmoothingEnabled = scale < 1;
  context.filter = filter;
  if (bitmap) context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  else {
    context.fillStyle = "#b5b5b5";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  context.filter = "none";
  return { canvas, context, scale };
}

/** Frames objects, the surest on top. `found`: `{label, score, box}`, boxes in pixels of the picture; `labels`: all classes. */
export function frame({ canvas, context, scale }, found, labels, written) {
  const line = Math.max(2, Math.max(canvas.width, canvas.height) / 250);
  const letters = Math.max(13, Math.round(Math.max(canvas.width, canvas.height) / 42));
  const marks = found.map(({ label, score, box }) => {
    const kind = Math.max(0, labels.indexOf(label));
    const colour = COLOURS[kind % COLOURS.length];
    return { colour, dashes: DASHES[kind % DASHES.length], box: box.map((side) => side * scale), text: `${label} ${written(score)}` };
  }).reverse();
  for (const { colour, dashes, box: [left, top, right, bottom] } of marks) {
    context.lineWidth = line + 2;
    context.setLineDash([]);
    context.strokeStyle = DARK_INK.has(colour) ? "#0008" : "#fff8";
    context.strokeRect(left, top, right - left, bottom - top);
    context.lineWidth = line;
    context.setLineDash(dashes.map((length) => length * line));
    context.strokeStyle = colour;
    context.strokeRect(left, top, right - left, bottom - top);
  }
  context.setLineDash([]);
  context.font = `500 ${letters}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  for (const { colour, box: [left, top], text } of marks) {
    const wide = context.measureText(text).width + 8;
    const high = letters + 5;
    const x = Math.max(0, Math.min(left - line / 2, canvas.width - wide));
    const y = top - line / 2 >= high ? top - line / 2 - high : Math.max(0, top) + line / 2;
    context.fillStyle = colour;
    context.fillRect(x, y, wide, high);
    context.fillStyle = DARK_INK.has(colour) ? "#000" : "#fff";
    context.fillText(text, x + 4, y + high / 2);
  }
}

/** Lays a map over a picture: orange for, blue and striped against. `covers`: where it lies, in pixels of the picture. */
export function heat({ canvas, context, scale }, map, covers) {
  const most = Math.max(...map.flat().map(Math.abs), 1e-12);
  const [left, top, right, bottom] = covers.map((side) => side * scale);
  for (const [sign, colour] of [[1, FOR], [-1, AGAINST]]) {
    const layer = document.createElement("canvas");
    layer.width = canvas.width;
    layer.height = canvas.height;
    const on = layer.getContext("2d");
    on.imageSmoothingQuality = "high";
    on.drawImage(cells(map, most, sign, colour), left, top, right - left, bottom - top);
    if (sign < 0) stripe(on, layer);
    context.drawImage(layer, 0, 0);
  }
}

/** A map as a picture of its own: one pixel a cell, the stronger the less one sees through it. */
function cells(map, most, sign, colour) {
  const canvas = document.createElement("canvas");
  canvas.width = map[0].length;
  canvas.height = map.length;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  map.flat().forEach((weight, place) => {
    pixels.data.set([...colour, Math.max(0, sign * weight / most) * 217], place * 4);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Cuts stripes out of a layer: colour alone must not tell for from against. */
export function stripe(context, { width, height }) {
  context.globalCompositeOperation = "destination-out";
  context.strokeStyle = "#000b";
  context.lineWidth = 2.5;
  context.beginPath();
  for (let place = -height; place < width; place += 7) {
    context.moveTo(place, height);
    context.lineTo(place + height, 0);
  }
  context.stroke();
  context.globalCompositeOperation = "source-over";
}
