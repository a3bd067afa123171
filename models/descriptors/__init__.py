"""Descriptors by name: encoders without weights. Being listed here is what makes one scannable like a checkpoint."""

from models.descriptors.base import Descriptor
from models.descriptors.colours import ColourHistogram
from models.descriptors.hog import Hog

DESCRIPTORS: dict[str, type[Descriptor]] = {Hog.name: Hog, ColourHistogram.name: ColourHistogram}
