// Turns answers and passages into elements. Never into HTML: documents may hold anything.

import { words } from "./words.js";

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const CODE_BLOCK = /^```[^\n]*\n([\s\S]*?)(?:\n```[ \t]*$|$(?![\s\S]))/m;
const INLINE = /\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\]|`([^`\n]+)`|\*\*([^*\n]+)\*\*/;

// An answer: code, bold, and citations as buttons that call `cite` with their number.
export function answer(text, cite) {
  const made = document.createDocumentFragment();
  let rest = text;
  for (let block; (block = CODE_BLOCK.exec(rest)); rest = rest.slice(block.index + block[0].length).replace(/^\n+/, "")) {
    made.append(inline(rest.slice(0, block.index).trimEnd(), cite), element("pre", {}, element("code", {}, block[1])));
  }
  made.append(inline(rest, cite));
  return made;
}

function inline(text, cite) {
  const made = document.createDocumentFragment();
  for (let found; (found = INLINE.exec(text)); text = text.slice(found.index + found[0].length)) {
    made.append(text.slice(0, found.index));
    if (found[1]) for (const number of found[1].split(",")) made.append(citation(Number(number), cite));
    else made.append(found[2] ? element("code", {}, found[2]) : element("strong", {}, found[3]));
  }
  made.append(text);
  return made;
}

function citation(number, cite) {
  const button = element("button", { type: "button", className: "cite", onclick: () => cite(number) }, String(number));
  button.setAttribute("aria-label", words.cite(number));
  return button;
}

// A passage with the sentences marked that share most with what was asked and answered.
export function passage(text, said) {
  const asked = terms(said);
  const sentences = text.split(/(?<=[.!?])(?=\s)|(?<=[。！？\n])/);
  const scores = sentences.map((sentence) => {
    const own = terms(sentence);
    const shared = [...own].filter((term) => asked.has(term)).length;
    return shared / (3 + own.size);
  });
  const enough = Math.max(0.12, 0.7 * Math.max(...scores));
  const made = document.createDocumentFragment();
  sentences.forEach((sentence, i) => {
    const [, before, words, after] = /^(\s*)([^]*?)(\s*)$/.exec(sentence);
    if (scores[i] < enough) made.append(sentence);
    else made.append(before, element("mark", {}, words), after);
  });
  return made;
}

// Words, and pairs of Chinese characters, which come close to words.
function terms(text) {
  const found = new Set();
  for (const [word] of text.toLowerCase().matchAll(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]+|[\p{L}\p{N}_]{3,}/gu)) {
    if (/\p{Script=Han}/u.test(word)) for (let i = 0; i + 1 < word.length; i++) found.add(word.slice(i, i + 2));
    else found.add(word.replace(/(?<=.{3})s$/, ""));
  }
  return found;
}
