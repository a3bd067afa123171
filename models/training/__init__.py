"""How a network is trained: the loop, its batches, its targets, and its validation."""
