"""The HTTP API: turns requests into calls of `rag`. Knows neither Milvus nor Redis."""
