// What the page says, in English and in Chinese.

const ENGLISH = {
  facts: { generated: "Written by the language model", extractive: "Quoted from the documents" },
  cached: { exact: "kept from an earlier question", semantic: "kept from a like question", stale: "kept, and may be out of date" },
  missing: { cache: "without the cache", llm: "the language model did not answer", reranker: "not reranked", vector_store: "the vector store did not answer" },
  tokens: (n) => `${n} tokens`, milliseconds: (n) => `${n} ms`,
  cite: (n) => `Source ${n}`, score: "score", notCited: "not cited",
  reading: "Sending…", queued: "Waiting…", running: (done, total) => `Indexing ${done} of ${total}`,
  succeeded: (total) => (total === 1 ? "1 document indexed" : `${total} documents indexed`), failed: "Not indexed:", cancelled: "Cancelled.",
  unreachable: "The service does not answer. Is it running?", brokeOff: "The connection broke off. Ask again.",
  keyNeeded: "Enter an API key above.", nothing: "Choose a file or enter a text.", noSources: "No passage was found.",
  rated: "Noted.",
  stopped: "Stopped.", searching: "Searching…",
};

const CHINESE = {
  collection: "集合", key: "API 密钥", keyHint: "仅保存在此标签页", save: "保存", ask: "提问", question: "问题",
  placeholder: "向您的文档提问", options: "选项", mode: "检索", modeDefault: "默认", dense: "按语义", sparse: "按词",
  hybrid: "两者结合", topK: "来源数", useCache: "可使用已有回答", rerank: "重排来源", stop: "停止", send: "提问", sources: "来源",
  welcome: "回答来自此处已索引的文档，并注明所依据的段落。", index: "添加文档", drop: "选择文件，或拖放到此处",
  text: "或输入文本", add: "索引",
  facts: { generated: "由语言模型撰写", extractive: "摘自文档原文" },
  cached: { exact: "来自缓存", semantic: "来自相近问题的缓存", stale: "来自缓存，可能已过时" },
  missing: { cache: "缓存不可用", llm: "语言模型未响应", reranker: "未重排", vector_store: "向量库未响应" },
  tokens: (n) => `${n} 个词元`, milliseconds: (n) => `${n} 毫秒`,
  cite: (n) => `来源 ${n}`, score: "得分", notCited: "未引用",
  reading: "发送中…", queued: "等待中…", running: (done, total) => `正在索引 ${done} / ${total}`,
  succeeded: (total) => `已索引 ${total} 个文档`, failed: "未能索引：", cancelled: "已取消。",
  unreachable: "服务没有响应。它在运行吗？", brokeOff: "连接中断，请重新提问。",
  keyNeeded: "请在上方输入 API 密钥。", nothing: "请选择文件或输入文本。", noSources: "没有找到相关段落。",
  rate: "这个回答好吗？", rateUp: "好", rateDown: "不好", rated: "已记录。",
  stopped: "已停止。", searching: "检索中…",
};

const chinese = navigator.language.toLowerCase().startsWith("zh");
export const words = chinese ? CHINESE : ENGLISH;

// The English words stand in the page itself.
export function translate() {
  if (!chinese) return;
  document.documentElement.lang = "zh";
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
  for (const element of document.querySelectorAll("[data-hint]")) element.placeholder = words[element.dataset.hint];
}
