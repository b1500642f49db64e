// Words that are known by how they are written are a text.

export * from "./text.js";
