"""How a network is trained: the loop, its batches, and what is looked at on the way."""
