"""``kubectl rag``: what people do with their applications, as a plugin of kubectl."""
