"""Vision transformers under the names of timm, DINO, DINOv2, MAE and MoCo v3.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, https://arxiv.org/abs/2010.11929. LayerScale: Touvron
et al., ICCV 2021; registers: Darcet et al., ICLR 2024.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head self-attention: (B, T, D) -> (B, T, D)."""

    def __init__(self, width: int, heads: int, *, qkv_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)  # (3, B, H, T, D/H)
        mixed = F.scaled_dot_product_attention(q, k, v)
        mixed_heads: Tensor = self.proj(mixed.transpose(1, 2).reshape(b, t, d))  # (B, H, T, D/H) -> (B, T, D)
        return mixed_heads


class Scale(nn.Module):
    """LayerScale: a learned factor for each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Mlp(nn.Module):
    """Two layers around a GELU: (B, T, D) -> (B, T, D)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        value: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return value


class TransformerBlock(nn.Module):
    """Attention and an MLP, each normalised before and added to what came in."""

    def __init__(self, width: int, heads: int, hidden: int, *, qkv_bias: bool, layer_scale: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn, self.mlp = Attention(width, heads, qkv_bias=qkv_bias), Mlp(width, hidden)
        self.ls1 = Scale(width) if layer_scale else nn.Identity()
        self.ls2 = Scale(width) if layer_scale else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        out: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return out


class PatchEmbed(nn.Module):
    """Each patch through one linear map: (B, C, H, W) -> (B, D, h, w)."""

    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        patches: Tensor = self.proj(x)
        return patches


class VisionTransformer(nn.Module):
    """(B, C, H, W) -> the class token after the last norm (B, D), or the classes of a head.

    `grid` is the number of patches a side that positions were learned for; for other sizes they are interpolated.
    `registers` extra tokens follow the class token. `mean_norm`: the mean of the patches is normalised (`fc_norm`) and
    used instead of the class token, as fine-tuned MAE does.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        width: int,
        depth: int,
        heads: int,
        hidden: int,
        patch: int,
        grid: int,
        registers: int = 0,
        class_position: bool = True,
        qkv_bias: bool = True,
        layer_scale: bool = False,
        mean_norm: bool = False,
        classes: int | None = None,
    ) -> None:
        super().__init__()
        self.class_position = class_position
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_tokens = nn.Parameter(torch.zeros(1, registers, width)) if registers else None
        self.pos_embed = nn.Parameter(torch.zeros(1, grid**2 + class_position, width))
        self.patch_embed = PatchEmbed(channels, width, patch)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, hidden, qkv_bias=qkv_bias, layer_scale=layer_scale) for _ in range(depth)
        )
        self.norm = nn.Identity() if mean_norm else nn.LayerNorm(width, eps=1e-6)
        self.fc_norm = nn.LayerNorm(width, eps=1e-6) if mean_norm else nn.Identity()
        self.mean_norm, self.extra_tokens = mean_norm, 1 + registers
        self.head = nn.Identity() if classes is None else nn.Linear(width, classes)

    def forward(self, input: Tensor) -> Tensor:
        patches = self.patch_embed(input)
        positions = self._positions(patches.shape[2], patches.shape[3])
        first = self.cls_token.expand(len(input), -1, -1)
        if self.class_position:
            first, positions = first + positions[:, :1], positions[:, 1:]
        tokens = [first] if self.register_tokens is None else [first, self.register_tokens.expand(len(input), -1, -1)]
        x = torch.cat([*tokens, patches.flatten(2).transpose(1, 2) + positions], dim=1)  # (B, T, D)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        pooled = self.fc_norm(x[:, self.extra_tokens :].mean(dim=1)) if self.mean_norm else x[:, 0]
        out: Tensor = self.head(pooled)
        return out

    def _positions(self, height: int, width: int) -> Tensor:
        """(1, T, D), interpolated where the input has another number of patches than they were learned for."""
        known = self.pos_embed
        first, grid = known[:, : int(self.class_position)], known[:, int(self.class_position) :]
        side = math.isqrt(grid.shape[1])
        if (side, side) == (height, width):
            return known
        square = grid.transpose(1, 2).reshape(1, -1, side, side)  # (1, h w, D) -> (1, D, h, w)
        fitted = F.interpolate(
            square.float(), size=(height, width), mode="bicubic", align_corners=False, antialias=True
        )
        return torch.cat([first, fitted.to(known.dtype).flatten(2).transpose(1, 2)], dim=1)
