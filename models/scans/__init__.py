"""One pass over a gallery: what fires every unit, embeddings, and how they are kept."""
