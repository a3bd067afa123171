"""Scans: one pass over a gallery that keeps the best images of every unit and the embeddings of every image."""
