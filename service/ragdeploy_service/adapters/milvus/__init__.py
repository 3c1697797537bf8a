"""The vector store: a Milvus server, or Milvus Lite in this process."""
