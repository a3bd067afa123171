"""One OpenMP thread for the server's searches; import this before anything that loads faiss.

A single query is slower on two threads than on one, and the library reads the variable once, when it is loaded. Jobs
and the predictor, which are children, choose their own.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
