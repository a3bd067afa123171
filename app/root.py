"""Where this program lies: the folder of `app`, `models`, `templates` and `static`, in a clone or installed.

Nothing is ever written below it: of an installed program it may belong to somebody else.
"""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
