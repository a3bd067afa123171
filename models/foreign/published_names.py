"""Published weights by the names their library gives them: `torchvision:resnet50.IMAGENET1K_V2`. Free of torch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from models.card import preprocess_of
from models.foreign.report import PreprocessChoice

NAME: Final = re.compile(r"(torchvision|timm):[A-Za-z0-9_]{1,80}(\.[A-Za-z0-9_.]{1,80})?")


@dataclass(frozen=True)
class LibraryWeights:
    """Where a library keeps weights, and how it prepares images for them.

    `name` is whole (`torchvision:resnet50.IMAGENET1K_V2`), `file` what the download is called and has to be called
    where it is placed by hand; `digest` are the first hexadecimal digits of the file's SHA-256, as far as the library
    tells them (empty where it does not).
    """

    name: str
    url: str
    file: str
    digest: str
    preprocess: PreprocessChoice

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        how = self.preprocess
        choice = {"name": how.name, "reason": how.reason, "preprocess": vars(how.preprocess)}
        return {**vars(self), "preprocess": choice}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "LibraryWeights":
        """What `as_json` gave, also after JSON has made lists of its tuples."""
        choice = value["preprocess"]
        how = PreprocessChoice(choice["name"], choice["reason"], preprocess_of(choice["preprocess"]))
        return cls(value["name"], value["url"], value["file"], value["digest"], how)


def is_library_name(text: str) -> bool:
    """Whether the text names weights of a library; whether there are such weights, the library knows."""
    return NAME.fullmatch(text.strip()) is not None
