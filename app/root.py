"""The folder that holds `app`, `models`, `templates` and `static`, in a clone or an installation.

Nothing is ever written into it, because an installed program may belong to another user.
"""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
