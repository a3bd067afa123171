"""The form of a chain, as browsers send it, turned into what REST takes."""

from typing import Any

from pydantic import BaseModel, Field

Text = str


class ChainForm(BaseModel):
    """`begin` is `pretrain:TASK`, `checkpoint:SLUG`, `scan:SLUG` or `clustering:SLUG`; an empty field is no choice."""

    begin: str = Field(max_length=500)
    pretext_gallery: str = Field("", max_length=200)
    pretext_recipe: str = Field("small", max_length=100)
    pretext_steps: str = Field("", max_length=12)
    layer: str = Field("", max_length=200)
    cluster_gallery: str = Field("", max_length=200)
    method: str = Field("kmeans", max_length=20)
    k: str = Field("100", max_length=12)
    pca: str = Field("", max_length=12)
    spherical: bool = False
    target_gallery: str = Field("", max_length=200)
    student_network: str = Field("alexnet", max_length=100)
    student_recipe: str = Field("small", max_length=100)
    student_steps: str = Field("", max_length=12)
    seed: str = Field("0", max_length=12)
    probe: str = Field("", max_length=200)

    def spec(self) -> dict[str, Any]:
        """The chain's spec; values are checked where it is started."""
        kind, _, name = self.begin.partition(":")
        spec: dict[str, Any] = {
            "method": self.method,
            "k": number(self.k),
            "spherical": self.spherical,
            "cluster_seed": number(self.seed),
            "student": {
                "recipe": self.student_recipe,
                "seed": number(self.seed),
                "config": {"network": self.student_network, **steps(self.student_steps)},
            },
        }
        optional = {
            "layer": self.layer,
            "target_gallery": self.target_gallery,
            "probe": self.probe,
            "pca": number(self.pca),
        }
        spec |= {key: value for key, value in optional.items() if value not in ("", None)}
        if kind == "pretrain":
            pretrain = {"task": name, "gallery": self.pretext_gallery, "recipe": self.pretext_recipe}
            spec["pretrain"] = {**pretrain, "seed": number(self.seed), "config": steps(self.pretext_steps)}
        else:
            spec[kind] = name
        if kind in ("pretrain", "checkpoint") and self.cluster_gallery:
            spec["cluster_gallery"] = self.cluster_gallery
        return spec


def number(text: str) -> object:
    """A whole number where it is one, else the text, which is then refused by name; None where it is empty."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else text or None


def steps(text: str) -> dict[str, object]:
    """An override of the recipe's steps, where one is given."""
    return {} if text == "" else {"steps": number(text)}
