"""Sets one OpenMP thread for the server's searches; import this before anything that imports faiss.

A single query is slower on two threads than on one, and faiss reads the variable once, when it is imported. Jobs and
the predictor, which are separate processes, set their own number.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
