"""What several requests that make a checkpoint send and answer."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.web.responses import Documented
from models.card import Colour

SAME: Documented = {200: {"description": "the same weights, used in the same way, were registered before"}}


class PreprocessBody(BaseModel):
    """How pixels become input; the fields are those of a checkpoint's `preprocessing`."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    crop: int = Field(ge=1, le=4096)
    region: int = Field(ge=1, le=4096)
    size: int = Field(ge=1, le=4096)
    trunk_size: int | None = Field(None, ge=1, le=4096)
    normalise: Literal["per_crop", "per_input", "mean_std"]
    mean: list[float] = Field([0.0, 0.0, 0.0], min_length=1, max_length=4)
    std: list[float] = Field([1.0, 1.0, 1.0], min_length=1, max_length=4)
    resize: int | None = Field(None, ge=1, le=4096)
    colour: Colour = "rgb"
    scale: float = 1.0
