// Wires the page: asking, the key, and indexing.

import { Problem, call, events, key } from "./api.js";
import { answer, element, passage } from "./text.js";
import { translate, words } from "./words.js";

const $ = (id) => document.getElementById(id);
let answered = null; // the request id of the answer that is shown
let asking = null; // the AbortController of the question that is being answered

// ---- asking ----
async function ask(question) {
  asking?.abort();
  const mine = (asking = new AbortController());
  begin(question);
  const shown = { text: "", sources: [] };
  try {
    const response = await call("query", { json: request(question), signal: mine.signal });
    let ended = false;
    for await (const { name, data } of events(response)) {
      if (name === "search_results") showSources((shown.sources = data.sources), question);
      if (name === "message") showAnswer((shown.text += data.text));
      if (name === "error") throw new Problem(data.status, data);
      if (name === "final_answer") {
        showEnd(data, question);
        ended = true;
      }
    }
    if (!ended) throw new Problem(0, { detail: words.brokeOff });
  } catch (error) {
    if (asking === mine) fail(error);
  } finally {
    if (asking === mine) end();
  }
}

function request(question) {
  const body = { question, stream: true, use_cache: $("use-cache").checked };
  if ($("top-k").value) body.top_k = Number($("top-k").value);
  if ($("mode").value) body.search_mode = $("mode").value;
  if ($("rerank").checked) body.rerank = true;
  if (collection()) body.collection = collection();
  return body;
}

const collection = () => $("collection").value.trim();

function begin(question) {
  $("problem").hidden = $("welcome").hidden = true;
  $("result").hidden = $("stop").hidden = false;
  offerRating(null);
  $("asked").textContent = question;
  $("facts").textContent = words.searching;
  $("answer").replaceChildren();
  $("sources").replaceChildren();
  $("answer").setAttribute("aria-busy", "true");
}

function end() {
  asking = null;
  $("stop").hidden = true;
  $("answer").setAttribute("aria-busy", "false");
}

function fail(error) {
  $("facts").textContent = "";
  if (error.name === "AbortError") $("facts").textContent = words.stopped;
  else tell(error);
  if (!$("answer").textContent && !$("sources").children.length) $("result").hidden = error.name !== "AbortError";
}

function tell(error) {
  const needsKey = error.status === 401 || error.status === 403;
  $("problem").textContent = needsKey ? `${error.message} ${words.keyNeeded}` : error.message;
  $("problem").hidden = false;
  if (needsKey) {
    $("key-panel").open = true;
    $("key").focus();
  }
}

function showAnswer(text) {
  $("facts").textContent = "";
  $("answer").replaceChildren(answer(text, point));
}

function showSources(sources, said, cited = null) {
  if (!sources.length) $("sources").replaceChildren(element("li", {}, words.noSources));
  else $("sources").replaceChildren(...sources.map((source) => card(source, said, cited, sources)));
  for (const mark of document.querySelectorAll(".passage mark:first-of-type")) {
    mark.parentElement.scrollTop = mark.offsetTop - 24;
  }
}

function card(source, said, cited, sources) {
  const { title, source: from } = source.metadata;
  const id = source.doc_id.length > 24 ? `${source.doc_id.slice(0, 12)}…` : source.doc_id;
  const name = [title, from].find((text) => typeof text === "string" && text) ?? id;
  const unused = cited !== null && !cited.includes(source.citation);
  const score = element("span", { className: "score" }, `${words.score} ${source.score.toPrecision(3)}`);
  const head = element("div", { className: "source-head" },
    element("span", { className: "number" }, `[${source.citation}]`), element("b", {}, name), score);
  if (unused) score.prepend(`${words.notCited} · `);
  const best = Math.max(...sources.map((other) => other.score), source.dense_score === null ? 0 : 1);
  const meter = element("meter", { min: 0, max: best || 1, value: Math.max(0, source.score) });
  meter.setAttribute("aria-hidden", "true");
  const text = element("p", { className: "passage", tabIndex: 0 }, unused ? source.text : passage(source.text, said));
  const item = element("li", { id: `source-${source.citation}`, tabIndex: -1 }, head, meter, text);
  item.classList.toggle("unused", unused);
  return item;
}

function showEnd(final, question) {
  showAnswer(final.answer); // it stands, whatever was said before
  showSources(final.sources, `${question} ${final.answer}`, final.citations.length ? final.citations : null);
  const facts = [words.facts[final.mode], words.cached[final.cached], ...final.degraded.map((part) => words.missing[part] ?? part)];
  if (final.usage) facts.push(words.tokens(final.usage.prompt_tokens + final.usage.completion_tokens));
  facts.push(words.milliseconds(Math.round(final.latency_ms)));
  $("facts").textContent = facts.filter(Boolean).join(" · ");
  offerRating(final.request_id);
}

// ---- rating ----
function offerRating(id) {
  answered = id;
  $("rating").hidden = !id;
  showRating(null);
}

function showRating(rating) {
  for (const each of ["up", "down"]) $(`rate-${each}`).setAttribute("aria-pressed", String(each === rating));
  $("rated").textContent = rating ? words.rated : "";
}

async function rate(rating) {
  const id = answered;
  try {
    await call("feedback", { json: { request_id: id, rating } });
    if (id === answered) showRating(rating);
  } catch (error) {
    if (id === answered) tell(error);
  }
}

function point(number) {
  for (const item of document.querySelectorAll("#sources .pointed")) item.classList.remove("pointed");
  const item = $(`source-${number}`);
  item?.classList.add("pointed");
  item?.scrollIntoView({ behavior: "smooth", block: "nearest" });
  item?.focus({ preventScroll: true });
}

// ---- indexing ----
async function add() {
  const files = [...$("files").files];
  const text = $("text").value.trim();
  if (!files.length && !text) return show(words.nothing);
  $("add").disabled = true;
  try {
    show(words.reading, null);
    const jobs = [];
    if (files.length) jobs.push(await (await call("index/files", { method: "POST", body: form(files) })).json());
    if (text) jobs.push(await (await call("index", { json: { documents: [text], ...where() } })).json());
    const total = (await Promise.all(jobs.map((job) => follow(job.job_id)))).reduce((sum, n) => sum + n, 0);
    show(words.succeeded(total), 1);
    $("index-form").reset();
    choose();
    await collections();
  } catch (error) {
    show(`${words.failed} ${error.message}`);
    if (error.status === 401 || error.status === 403) tell(error);
  } finally {
    $("add").disabled = false;
  }
}

const where = () => (collection() ? { collection: collection() } : {});

function form(files) {
  const data = new FormData();
  for (const file of files) data.append("files", file);
  for (const [name, value] of Object.entries(where())) data.append(name, value);
  return data;
}

// Watches a job to its end; how many documents it indexed.
async function follow(id) {
  for (;;) {
    const job = await (await call(`jobs/${id}`)).json();
    if (job.state === "succeeded") return job.done;
    if (job.state === "failed" || job.state === "cancelled") {
      throw new Error(job.errors.join(" ") || words.cancelled);
    }
    if (job.state === "queued") show(words.queued, null);
    else show(words.running(job.done, job.total), job.done / job.total);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

// Says how far it is: a number from 0 to 1, null while that is not known, nothing for no bar.
function show(state, value) {
  $("job").hidden = false;
  $("job-state").textContent = state;
  $("progress").hidden = value === undefined;
  if (value === null) $("progress").removeAttribute("value");
  else if (value !== undefined) $("progress").value = value;
}

function choose() {
  $("chosen").textContent = [...$("files").files].map((file) => file.name).join(", ");
}

async function collections() {
  try {
    const found = await (await call("collections")).json();
    $("collection").placeholder = found.default;
    $("collections").replaceChildren(...found.collections.map((name) => element("option", { value: name })));
  } catch (error) {
    if (error.status === 401 || error.status === 403) tell(error);
  }
}

// ---- the page ----
function showKey() {
  $("key").value = key.get();
  $("key-state").textContent = key.get() ? "✓" : "";
}

$("ask-form").addEventListener("submit", (event) => {
  event.preventDefault();
  ask($("question").value.trim());
});
$("question").addEventListener("keydown", (event) => {
  // While Chinese is being composed, Enter chooses a word.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("ask-form").requestSubmit();
  }
});
for (const each of ["up", "down"]) $(`rate-${each}`).addEventListener("click", () => rate(each));
$("stop").addEventListener("click", () => asking?.abort());
$("index-form").addEventListener("submit", (event) => {
  event.preventDefault();
  add();
});
$("files").addEventListener("change", choose);
for (const kind of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") {
      $("files").files = event.dataTransfer.files;
      choose();
    }
  });
}
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key.set($("key").value.trim());
  showKey();
  $("key-panel").open = false;
  $("problem").hidden = true;
  collections();
});

translate();
showKey();
collections();
$("question").focus();
