"""Countables: generated scenes whose objects and parts are known, so that a count can be checked against the truth."""

from models.countables.scenes import Drawn, draw

__all__ = ["Drawn", "draw"]
