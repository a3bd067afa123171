"""Where a probe's features come from: a network's layers after their ReLU, or pixels, colours and gradients."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from models.card import Card
from models.checkpoints import storage as checkpoints
from models.counting.equation import views
from models.crops import count_view
from models.descriptors.hog import Hog, HogSettings
from models.encoders.initialisation import he
from models.geometry import central_square
from models.network import Network
from models.probes.protocol import cells, short_for
from models.resampling import fit_square
from models.search.control_spaces import picture_vectors
from models.seeds import generator

CROPS = 7  # the stream that crops are drawn from: the same ones for every network, layer and seed
TWIN = 11
PIXEL_SIDE = 55  # 55 x 55 x 3 = 9,075 numbers
HOG = HogSettings(side=136, cell=8)  # 16 x 16 blocks of 2 x 2 cells with 9 orientations: 9,216 numbers


@dataclass(frozen=True)
class LayerFeatures:
    """One layer of a batch: `maps` (B, C, cells) for the linear classifier, `means` (B, E) for neighbours."""

    maps: Tensor
    means: Tensor


@dataclass(frozen=True)
class ProbeCrops:
    """A batch of crops (B, 3, side, side) uint8, and the images that they were cut from, mirrored where the crop is."""

    squares: Tensor
    images: Sequence[Tensor]


class FeatureSource(Protocol):
    """Anything that turns crops into numbers, layer by layer."""

    def features(self, crops: ProbeCrops) -> Mapping[str, LayerFeatures]: ...

    def trunk_hash(self) -> str: ...


class NetworkFeatures:
    """The chosen layers of a frozen network, each on the path that its card says."""

    def __init__(self, network: Network, layers: Sequence[str]) -> None:
        self.network = network
        trunk = {layer.name for layer in network.card.trunk_layers}
        self.trunk = [name for name in layers if name in trunk]
        self.vectors = [name for name in layers if name not in trunk]
        self._order = tuple(layers)
        tokens = any(layer.layout == "tokens" for layer in network.card.layers)
        self._side = network.card.preprocess.trunk_size if tokens else None  # a transformer takes one size only

    @torch.inference_mode()
    def features(self, crops: ProbeCrops) -> Mapping[str, LayerFeatures]:
        """Maps averaged to about 9,000 numbers, and to one number a unit; vectors as they are."""
        seen: dict[str, Tensor] = {}
        if self.trunk:
            with self.network.hooks(self.trunk) as found:
                self.network.run_trunk(self.network.trunk_input(self._fitted(crops.squares)))
            seen |= found
        if self.vectors:
            inputs = torch.stack([count_view(image, self.network.card.preprocess)[0] for image in crops.images])
            with self.network.hooks(self.vectors) as found:
                self.network.run_counts(views(self.network, inputs)[:, 0])  # D(x) alone
            seen |= found
        return {name: _pooled(seen[name].float()) for name in self._order}

    def _fitted(self, squares: Tensor) -> Tensor:
        return squares if self._side is None else torch.stack([fit_square(square, self._side) for square in squares])

    def trunk_hash(self) -> str:
        """sha256 over every weight and buffer, batch norm's statistics among them."""
        digest = hashlib.sha256()
        for module in (self.network.encoder, self.network.head):
            for name, tensor in module.state_dict().items() if module is not None else ():
                digest.update(name.encode())
                digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


class PictureFeatures:
    """Features that need no network, of the very same crops: raw pixels, colours, oriented gradients."""

    def __init__(self) -> None:
        self._hog = Hog(HOG)

    def features(self, crops: ProbeCrops) -> Mapping[str, LayerFeatures]:
        """pixels: 55 x 55 to learn from, 16 x 16 less their mean for neighbours; colours and hog: one vector for both.

        Neighbours of pixels and colours are those of the search (models/search/control_spaces.py).
        """
        found: dict[str, list[tuple[Tensor, Tensor]]] = {"pixels": [], "colours": [], "hog": []}
        for square in crops.squares:
            picture = Image.fromarray(square.permute(1, 2, 0).contiguous().numpy())
            spaces = {name: torch.from_numpy(vector) for name, vector in picture_vectors(picture).items()}
            pixels = fit_square(square, PIXEL_SIDE).float().flatten(1) / 255  # (3, cells)
            gray = fit_square(square, HOG.side).float().mean(dim=0).numpy() / 255
            gradients = torch.from_numpy(self._hog.of_gray(gray))
            found["pixels"].append((pixels, spaces["pixels"]))
            found["colours"].append((spaces["colours"][:, None], spaces["colours"]))
            found["hog"].append((gradients[:, None], gradients))
        stacked = {name: [torch.stack(part) for part in zip(*pairs, strict=True)] for name, pairs in found.items()}
        return {name: LayerFeatures(*parts) for name, parts in stacked.items()}

    def trunk_hash(self) -> str:
        return ""


def random_twin(card: Card, seed: int, device: str) -> Network:
    """The same architecture before any training: He's weights drawn from a seed, zero biases.

    After a ReLU with zero biases the scale of a layer does not change any score of a probe, so one start serves all
    tasks.
    """
    encoder, head = checkpoints.build(card)
    rng = generator(seed, TWIN)
    for module in (encoder, head):
        if module is not None:
            he(module, rng)
    return Network(card, encoder, head, device, torch.float32)


def probe_crops(images: Sequence[Tensor], rows: Sequence[int], view: int, side: int) -> ProbeCrops:
    """The crops of one view. View 0 is the middle of each image (3, H, W).

    Others lie anywhere in its central square, and half of them are mirrored.
    """
    squares, mirrored = [], []
    for image, row in zip(images, rows, strict=True):
        short = short_for(side)
        x0, y0, x1, y1 = (int(edge) for edge in central_square(image.shape[2], image.shape[1]))
        square = fit_square(image[:, y0:y1, x0:x1], short)
        top = left = (short - side) // 2
        flip = False
        if view:
            drawn = torch.rand(3, generator=generator(CROPS, row, view)).tolist()
            top, left = (int(value * (short - side + 1)) for value in drawn[:2])
            flip = drawn[2] < 0.5
        crop = square[:, top : top + side, left : left + side]
        squares.append(crop.flip(-1) if flip else crop)
        mirrored.append(image.flip(-1) if flip else image)
    return ProbeCrops(torch.stack(squares).contiguous(), mirrored)


def _pooled(values: Tensor) -> LayerFeatures:
    if values.ndim == 2:
        return LayerFeatures(values[:, :, None], values)
    side = cells(values.shape[1], min(values.shape[2:]))
    return LayerFeatures(
        F.adaptive_avg_pool2d(values, side).flatten(2), values.mean(dim=(2, 3))
    )  # (B, C, h, w) -> (B, C, s s)
