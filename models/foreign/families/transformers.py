"""Vision transformers: torchvision's names, and those of timm, DINO, DINOv2, MAE and MoCo v3."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace

from models.foreign.names import Names, kept_head, left_head
from models.foreign.preparations import half, imagenet, photos
from models.foreign.report import Guess, Head, PreprocessChoice

SIZES = {192: "tiny", 384: "small", 768: "base", 1024: "large", 1280: "huge", 1536: "giant"}
CHUNKED = re.compile(r"^blocks\.\d+\.(\d+)\.")  # DINOv2 writes blocks.<chunk>.<block>.


HEADS = {1280: 16, 1408: 16, 1664: 16}  # of the published sizes that have not 64 channels a head
CHANNELS = (64, 32, 80, 88, 96, 104, 128)  # of a head, in networks that people publish
MOCO_V3_SMALL = 384  # the width of MoCo v3's small network, which has 12 heads instead of 6


def heads_of(width: int) -> int:
    """64 channels a head in nearly every published size."""
    return HEADS.get(width, max(1, width // 64))


def likely_heads(names: Names, width: int) -> tuple[tuple[int, ...], str]:
    """The numbers of heads that a network of that width may have, the likeliest first, and why that one.

    No weight tells it: queries, keys and values have the same shapes however many heads share them.
    """
    usual, why = heads_of(width), "the weights do not tell"
    if width == MOCO_V3_SMALL and (sign := _sign_of_moco_v3(names)):
        usual, why = 12, f"as MoCo v3's small network has, for {sign}"
    others = sorted({width // each for each in CHANNELS if width % each == 0} - {usual})
    return (usual, *others), why


def _sign_of_moco_v3(names: Names) -> str:
    """What says that the network is MoCo v3's (Chen, Xie, He, ICCV 2021); empty where nothing does."""
    if found := {"base_encoder", "momentum_encoder"} & set(names.prefix.split(".")):
        return f"its tensors are called {found.pop()}"
    known = names.tensors.get("pos_embed")
    if known is None or known.low is None or known.high is None or names.starting("decoder_", "mask_token"):
        return ""
    # Fixed positions are sines and cosines and reach from -1 to 1; learned ones stay far below. MAE has them, too.
    fixed = -1.001 < known.low < -0.95 and 0.95 < known.high < 1.001
    return "its positions are fixed sines" if fixed else ""


def with_heads(guess: Guess, heads: tuple[int, ...], why: str) -> Iterator[Guess]:
    """The guess with the likeliest number of heads, then with each of the others, to be chosen by name."""
    width = int(guess.arguments["width"])
    for place, number in enumerate(heads):
        yield replace(
            guess,
            arguments={**guess.arguments, "heads": number},
            title=guess.title if place == 0 else f"{guess.title}, {number} heads",
            score=guess.score if place == 0 else guess.score / 2,
            assumed=(f"{number} heads of {width // number} channels: {why if place == 0 else 'chosen by you'}",),
        )


def timm_names(names: Names) -> Iterator[Guess]:
    """patch_embed.proj, cls_token, pos_embed, blocks.i.attn.qkv, norm."""
    embed, known = names.shape("patch_embed.proj.weight"), names.shape("pos_embed")
    if len(embed) != 4 or len(known) != 3 or "cls_token" not in names:
        return
    keys = {name: CHUNKED.sub(r"blocks.\1.", name) for name in names.shapes}
    width, channels, patch, _ = embed
    depth = len({name.split(".")[1] for name in keys.values() if name.startswith("blocks.")})
    first = next((name for name, key in keys.items() if key == "blocks.0.mlp.fc1.weight"), None)
    if first is None or depth == 0:
        return
    grid = math.isqrt(known[1])
    class_position = grid**2 != known[1]
    registers = (*names.shape("register_tokens"), 0, 0)[1]
    rows = names.rows("head.weight") if len(names.shape("head.weight")) == 2 and "head.bias" in names else None
    heads = _around(names, rows)
    left = {name for head in heads if not head.kept for name in head.tensors}
    unused = left_head((name for name in names.starting("mask_token")), "other", None, "stands for hidden patches")
    left |= {name for head in unused for name in head.tensors}
    side = patch * grid
    mean_norm = "fc_norm.weight" in names
    guess = Guess(
        architecture="vit",
        arguments={
            "channels": channels,
            "width": width,
            "depth": depth,
            "hidden": names.rows(first),
            "patch": patch,
            "grid": grid,
            "registers": registers,
            "class_position": class_position,
            "qkv_bias": any(key == "blocks.0.attn.qkv.bias" for key in keys.values()),
            "layer_scale": any(key == "blocks.0.ls1.gamma" for key in keys.values()),
            "mean_norm": mean_norm,
            "classes": rows,
        },
        title=f"vision transformer {SIZES.get(width, f'of width {width}')}, patches of {patch} px",
        score=0.9,
        reason=f"{depth} blocks of attention and MLP, positions for {grid} x {grid} patches",
        keys={name: key for name, key in keys.items() if name not in left},
        heads=(*heads, *unused),
        preprocess=_prepared(side),
    )
    yield from with_heads(guess, *likely_heads(names, width))


def _around(names: Names, rows: int | None) -> tuple[Head, ...]:
    kept = kept_head(names, "head", "classes", "the last layer") if rows else ()
    others = () if rows else left_head(names.starting("head."), "projection", None, "projection head")
    decoder = left_head(names.starting("decoder_"), "decoder", None, "decoder that paints the hidden patches")
    return (*kept, *others, *decoder)


def _prepared(side: int) -> tuple[PreprocessChoice, ...]:
    resize = round(side * 256 / 224)
    own = imagenet(side, resize, "DINO, MAE, MoCo v3 and most of timm")
    small = [imagenet(224, 256, "positions are interpolated; a fifth of the work")] if side > 400 else []
    if small:
        small = [PreprocessChoice("ImageNet mean and deviation at 224 px", small[0].reason, small[0].preprocess)]
    return (own, half(side, resize), *small)


def torchvision(names: Names) -> Iterator[Guess]:
    """conv_proj, class_token, encoder.pos_embedding, encoder.layers.encoder_layer_i."""
    embed, known = names.shape("conv_proj.weight"), names.shape("encoder.pos_embedding")
    if len(embed) != 4 or len(known) != 3:
        return
    width, _, patch, _ = embed
    grid = math.isqrt(known[1] - 1)
    depth = len(names.indices(r"encoder\.layers\.encoder_layer_(\d+)\."))
    layer = "encoder.layers.encoder_layer_0"
    hidden = names.rows(f"{layer}.mlp.0.weight") or names.rows(f"{layer}.mlp.linear_1.weight")
    old = names.starting(f"{layer}.mlp.linear_1")
    keys = {
        name: name.replace("mlp.linear_1", "mlp.0").replace("mlp.linear_2", "mlp.3") if old else name
        for name in names.shapes
    }
    guess = Guess(
        architecture="torchvision-vit",
        arguments={
            "image": grid * patch,
            "patch": patch,
            "width": width,
            "depth": depth,
            "hidden": hidden,
            "classes": names.rows("heads.head.weight"),
        },
        title=f"vision transformer {SIZES.get(width, f'of width {width}')} of torchvision, patches of {patch} px",
        score=0.95,
        reason=f"{depth} encoder layers, positions for {grid} x {grid} patches",
        keys=keys,
        heads=kept_head(names, "heads.head", "classes", "the last layer"),
        preprocess=photos(grid * patch, round(grid * patch * 256 / 224)),
    )
    yield from with_heads(guess, *likely_heads(names, width))


FAMILIES = (
    (
        "vision transformers of timm, DINO, DINOv2 (chunked blocks, registers), MAE, MoCo v3",
        "`patch_embed.proj.weight`, `blocks.0.attn.qkv.weight`",
        timm_names,
    ),
    ("vision transformers of torchvision", "`conv_proj.weight`, `encoder.layers.encoder_layer_0.`", torchvision),
)
