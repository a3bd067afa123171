"""A loaded checkpoint: encoder, head, and the two paths on which images pass through them."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from models.card import Card, LayerCard
from models.preprocessing import normalise


class Network:
    """Encoder and head of a checkpoint in evaluation mode.

    Whole images go through the encoder (`run_trunk`); the count path's small views go through encoder and head
    (`run_counts`). The values of a layer are those that its card describes, usually those after the ReLU that follows
    it.
    """

    def __init__(self, card: Card, encoder: nn.Module, head: nn.Module | None, device: str, dtype: torch.dtype) -> None:
        self.card, self.device, self.dtype = card, torch.device(device), dtype
        self.encoder = encoder.to(self.device, dtype).to(memory_format=torch.channels_last).eval()
        self.head = head.to(self.device, dtype).eval() if head is not None else None

    def trunk_input(self, images: Tensor) -> Tensor:
        """Squares (B, 3, S, S) uint8 -> normalised network input, channels-last in the network's dtype."""
        pixels = images.to(self.device, non_blocking=True).float().div_(255)
        return self._ready(normalise(pixels, self.card.preprocess))

    def run_trunk(self, inputs: Tensor) -> Tensor:
        """The encoder's output (B, C, h, w)."""
        with torch.inference_mode():
            features: Tensor = self.encoder(inputs)
            return features

    def run_counts(self, views: Tensor) -> Tensor:
        """Normalised views (B, 3, size, size) -> count vectors (B, K), in the network's dtype."""
        if self.head is None:
            raise ValueError(f"{self.card.name} has no counting head")
        with torch.inference_mode():
            counts: Tensor = self.head(self.encoder(self._ready(views)))
            return counts

    @contextmanager
    def hooks(self, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
        """A dict that forward passes fill with these layers' values after their ReLU; no hook outlives the block."""
        seen: dict[str, Tensor] = {}
        handles = []
        try:
            for name in names:
                layer = self.card.layer(name)
                owner = self.encoder if layer.on_trunk else self.head
                assert owner is not None

                def keep(_module: nn.Module, _args: object, output: Tensor, layer: LayerCard = layer) -> None:
                    seen[layer.name] = as_read(output, layer)

                handles.append(owner.get_submodule(layer.module).register_forward_hook(keep))
            yield seen
        finally:
            for handle in handles:
                handle.remove()

    def _ready(self, pixels: Tensor) -> Tensor:
        # In two steps: a conversion that also changes the layout takes half as long again.
        return pixels.to(device=self.device, dtype=self.dtype).contiguous(memory_format=torch.channels_last)


def as_read(output: Tensor, layer: LayerCard) -> Tensor:
    """A module's output as a map (B, U, h, w), or as vectors (B, U) for layers without one."""
    if layer.kind != "conv":
        if layer.layout == "tokens":
            return output[:, 0]  # (B, T, U) -> (B, U): the class token
        return output.flatten(1)  # (B, U, 1, 1) -> (B, U)
    if layer.layout == "channels_last":
        return output.permute(0, 3, 1, 2)  # (B, h, w, U) -> (B, U, h, w)
    if layer.layout == "tokens":
        patches = output[:, layer.tokens :]
        side = math.isqrt(patches.shape[1])
        return patches.transpose(1, 2).reshape(len(patches), -1, side, side)  # (B, h w, U) -> (B, U, h, w)
    return output


def native_bf16(device: str) -> bool:
    """Whether the device has units for products of bf16 matrices: a GPU that has them, or a CPU with AMX tiles."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.device(device).type == "cpu" and bool(torch.cpu._is_amx_tile_supported())


def bf16_on_amd() -> bool:
    """Whether this CPU is one of AMD's with AVX-512 BF16: AlexNet runs 1.8 times as fast there as in fp32.

    On an Intel CPU without AMX it ran at .75 of fp32's speed, so the instructions alone do not count.
    """
    facts: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # since torch 2.11
    return bool(facts.get("avx512_bf16")) and str(facts.get("cpu_name", "")).startswith("AMD")


def exact_fp32() -> None:
    """Turn TF32 off in this process, so that fp32 is exact on a GPU too.

    TF32 keeps ten bits of a product, and residuals are small.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def resolve_precision(precision: str, device: str) -> str:
    """`auto` -> bf16 where it is native, else fp32; anything else is kept."""
    if precision == "auto":
        return "bf16" if native_bf16(device) else "fp32"
    return precision


def scan_precision(precision: str, device: str) -> str:
    """The same for passes that only read a network: there `auto` takes AMD's bf16 too.

    Training on a CPU was tuned in fp32.
    """
    if precision == "auto" and torch.device(device).type == "cpu" and bf16_on_amd():
        return "bf16"
    return resolve_precision(precision, device)
