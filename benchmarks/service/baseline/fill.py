"""Puts texts and their vectors into the Chroma that the tutorial's service will open.

Its own way, embedding each text, takes ten minutes for 10,000 of them and gives the same rows.
Usage: fill.py TEXTS.json VECTORS.npy FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np
from langchain_chroma import Chroma

_AT_ONCE = 1_000

if __name__ == "__main__":
    texts = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    vectors = np.load(sys.argv[2])
    store = Chroma(persist_directory=sys.argv[3])
    for start in range(0, len(texts), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        store._collection.add(
            ids=[str(number) for number in range(start, start + len(texts[part]))],
            embeddings=vectors[part],
            documents=texts[part],
            metadatas=[{"source": "python-docs"} for _ in texts[part]],
        )
