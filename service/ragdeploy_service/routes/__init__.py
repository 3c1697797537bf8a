"""The HTTP API: turns requests into calls of `rag` and results into responses. Knows no Milvus and no Redis."""
