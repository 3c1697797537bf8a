"""The systems outside the process: Milvus, Redis, the language model, the embedding model.

None knows HTTP routes.
"""
