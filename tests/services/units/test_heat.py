"""Heat maps: cells as they are, on one scale for all images of a unit."""

from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image

from app.services.units.heat import png
from app.services.units.service import RowHeat
from models.answers import HeatMap
from models.card import LayerCard

LAYER = LayerCard("conv1", 1, "conv", "1", stride=4, receptive_field=7, offset=2.0)
MAP = np.array([[0.0, 2.0], [4.0, 1.0]], dtype=np.float32)
HEAT = RowHeat(LAYER, 0, 0, HeatMap(MAP, (2.0, 0.0, 10.0, 8.0)), side=8, width=12, height=8, highest=4.0)


def alpha(heat: RowHeat, *, smooth: bool = False) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png(heat, smooth=smooth))))[..., 3]


def test_each_cell_is_one_even_square_a_stride_wide() -> None:
    """Cell (y, x) covers 4 x 4 pixels; the input begins two pixels from the left of the image."""
    picture = alpha(HEAT)
    assert picture.shape == (8, 12)
    for y in range(2):
        for x in range(2):
            assert len(np.unique(picture[4 * y : 4 * y + 4, 2 + 4 * x : 6 + 4 * x])) == 1
    assert picture[0, 2] == 0 < picture[4, 6] < picture[0, 6] < picture[4, 2]
    assert (picture[:, :2] == 0).all() and (picture[:, 10:] == 0).all()


def test_smoothing_is_asked_for() -> None:
    assert len(np.unique(alpha(HEAT))) == 4 < len(np.unique(alpha(HEAT, smooth=True)))


def test_the_scale_is_that_of_the_unit_and_not_of_the_image() -> None:
    faint = replace(HEAT, heat=HeatMap(MAP / 2, HEAT.heat.crop))
    assert alpha(faint).max() < alpha(HEAT).max()
    assert alpha(faint)[4, 2] == alpha(HEAT)[0, 6]  # 2.0 in either image
