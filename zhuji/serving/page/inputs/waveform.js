// Samples are a sound as frames are.

export * from "./speech.js";
