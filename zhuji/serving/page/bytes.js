// Files as JSON has them, and back: bytes in base64.

/** All bytes of a file, in base64. */
export async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/** A file that came as JSON has it. `beginnings`: `[first bytes, ending]` of each kind; `rest`: the ending of what is none of them. */
export function fileOf(text, beginnings, rest) {
  const bytes = atob(text);
  const ending = beginnings.find(([beginning]) => bytes.startsWith(beginning))?.[1] ?? rest;
  return new File([Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))], `example.${ending}`);
}
