"""Groups of a scan's embeddings: k-means, what a clustering leaves on disk, its measures."""
