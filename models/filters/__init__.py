"""First-layer filters: measures, pictures, and k-means of patches to see beside them."""
