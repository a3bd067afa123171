"""Which units of a layer are active: the one threshold that every page and every measure goes by. Free of torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ACTIVE_SHARE = 1e-3


def active(values: NDArray[Any]) -> NDArray[np.bool_]:
    """The units whose value is above a thousandth of the largest one: (U,) -> (U,). None where none is above 0.

    Values are means over images, or what one image makes each unit count.
    """
    found: NDArray[np.bool_] = values > ACTIVE_SHARE * values.max(initial=0)
    return found
