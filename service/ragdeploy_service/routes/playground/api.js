// Talks to the service as any client does.

import { words } from "./words.js";

const KEY = "ragdeploy-key";

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

// An error that the service told, in words for the person who reads it.
export class Problem extends Error {
  constructor(status, details) {
    const fields = (details.errors ?? []).map((error) => `${error.field}: ${error.message}`);
    super([details.detail, ...fields].filter(Boolean).join("\n") || `HTTP ${status}`);
    this.status = status;
  }
}

export async function call(path, { json, ...options } = {}) {
  const headers = new Headers(options.headers);
  if (key.get()) headers.set("X-API-Key", key.get());
  if (json !== undefined) {
    headers.set("Content-Type", "application/json");
    options = { method: "POST", body: JSON.stringify(json), ...options };
  }
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: words.unreachable });
  }
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  return response;
}

// Yields {name, data} for each server-sent event of a response.
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (held + value).split("\n\n");
    held = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const name = lines.find((line) => line.startsWith("event: "))?.slice(7);
      const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
      if (name) yield { name, data: JSON.parse(data) };
    }
  }
}
