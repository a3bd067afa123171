"""DeepCluster: group the images by the network's features, train on the groups as classes, and group again every epoch.

Caron, Bojanowski, Joulin, Douze, "Deep Clustering for Unsupervised Learning of Visual Features", ECCV 2018,
https://arxiv.org/abs/1807.05520. Values are the released code's, where it differs from the paper. The code trains the
last layer by an optimiser of its own without momentum; here the momentum of that layer is dropped when it is drawn
anew.
"""

from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.card import LayerCard, Preprocess
from models.clusters.kmeans import assign, first_centres, kmeans
from models.clusters.measures import nmi, spread
from models.clusters.space import fit_space
from models.encoders.initialisation import he
from models.encoders.sobel import SobelAlexNet
from models.puzzles import Puzzle, PuzzleAnswer, PuzzlePicture
from models.recipes.deepcluster import DeepClusterConfig
from models.tasks import classifying
from models.tasks.base import Epoch, Relabelled, Task, Views
from models.tasks.heads import Classifier
from models.tasks.pictures import picture
from models.tasks.windows import MEAN, STD, by_mean_and_std, mirror, resized_crops

FEATURE_BATCH = 128
SAME = ("yes", "no")


class DeepCluster(Task):
    """In training the target of a crop is its image's group.

    For held-out images it is measured whether two crops of one image get the same group.
    """

    name: ClassVar[str] = "deepcluster"
    paper: ClassVar[str] = "https://arxiv.org/abs/1807.05520"

    def __init__(self, encoder: SobelAlexNet, head: Classifier, config: DeepClusterConfig) -> None:
        super().__init__()
        self.encoder: SobelAlexNet = encoder
        self.head: Classifier = head
        self.config: DeepClusterConfig = config

    @classmethod
    def build(cls, config: DeepClusterConfig, rng: torch.Generator) -> Self:
        encoder = SobelAlexNet()
        with torch.no_grad():
            features = encoder.eval()(torch.zeros(1, 3, config.size, config.size)).numel()
        head = Classifier(features=features, hidden=config.hidden, outputs=config.clusters, dropout=config.dropout)
        he(encoder, rng)
        he(head, rng)
        made = cls(encoder, head, config)
        made.draw_top(rng)
        return made

    def draw_top(self, rng: torch.Generator) -> None:
        """Draw new weights for the last layer, N(0, .01), since the numbers of groups change from one epoch to the
        next.
        """
        weight = self.head.get_parameter("top.weight")
        with torch.no_grad():
            weight.copy_(torch.randn(weight.shape, generator=rng) * 0.01)
            self.head.get_parameter("top.bias").zero_()

    def on_epoch_start(self, epoch: Epoch) -> Relabelled:
        """Group all training images anew; the epoch then shows every group equally often."""
        seed = int(torch.randint(2**31, (), generator=epoch.rng))
        features = self.features(epoch)
        labels, inertia = regroup(features, self.config, seed)
        self.draw_top(epoch.rng)
        for name in ("top.weight", "top.bias"):
            kept = epoch.optimiser.state.get(self.head.get_parameter(name), {})
            for value in (kept.get(buffer) for buffer in ("momentum_buffer", "exp_avg", "exp_avg_sq")):
                if value is not None:
                    value.zero_()
        found = spread(np.bincount(labels, minlength=self.config.clusters))
        metrics = {
            "kmeans_loss": inertia,
            "empty_clusters": float(found["empty"]),
            "largest_cluster": float(found["largest_share"]),
        }
        if epoch.targets is not None:
            metrics["nmi_with_last"] = nmi(labels, epoch.targets.cpu().numpy())
        return Relabelled(torch.from_numpy(labels).long(), uniform_order(labels, epoch.rng), metrics)

    @torch.inference_mode()
    def features(self, epoch: Epoch) -> NDArray[np.float32]:
        """fc7 before its ReLU, of each training image's middle crop, in evaluation mode: (N, hidden)."""
        training = self.training
        self.eval()
        extents, size, found = epoch.windows.extents, self.config.crop, []
        for indices in torch.split(torch.arange(len(extents)), FEATURE_BATCH):
            corners = (extents[indices] - size).clamp(min=0) // 2
            crops = epoch.windows.crops(indices, corners, corners, size)
            inputs = by_mean_and_std(crops.float() / 255).contiguous(memory_format=torch.channels_last)
            values = self.encoder(inputs)
            for name, module in self.head.named_children():
                values = module(values)
                if name == "fc7":
                    break
            found.append(values.float().cpu())
        self.train(training)
        return torch.cat(found).numpy()

    def views(self, images: Tensor, rng: torch.Generator, targets: Tensor | None = None) -> Views:
        """One crop an image, (B, 3, drawn, drawn) uint8 -> (B, 3, s, s); without targets two, (B, 2, 3, s, s)."""
        if targets is not None:
            return Views(self._crops(images, rng), targets)
        return Views(torch.stack([self._crops(images, rng), self._crops(images, rng)], dim=1))

    def _crops(self, images: Tensor, rng: torch.Generator) -> Tensor:
        pixels = (mirror(images, rng) if self.config.flip else images).float().div_(255)
        if images.shape[-1] != self.config.size:
            pixels = resized_crops(pixels, self.config.size, self.config.scale, rng)
        return by_mean_and_std(pixels)

    def forward(self, views: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(views.flatten(0, -4)))  # (B, ..., 3, s, s) -> (B ..., k)
        return logits.view(*views.shape[:-3], -1)

    def loss(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        return classifying.cross_entropy(outputs, target)

    def measure(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        """Of two crops (B, 2, k): whether both get the same group, beside a crop of this and one of another image."""
        if target is not None:
            return classifying.measures(outputs, target)
        groups = outputs.argmax(dim=-1)  # (B, 2)
        return {
            "same_group": (groups[:, 0] == groups[:, 1]).float(),
            "same_group_of_another": (groups[:, 0] == groups[:, 1].roll(1)).float(),
        }

    def puzzle(self, views: Views, which: int) -> Puzzle:  # noqa: ARG002 - one puzzle a view
        crops = views.inputs[0] if views.target is None else views.inputs[:1]
        shown = tuple(picture("a crop", crop, MEAN, STD) for crop in crops) + tuple(map(self._edges, crops))
        if views.target is None:
            return Puzzle("Are these two crops in one group?", shown, 2, SAME, 0)
        return Puzzle("Which group is it in?", shown, 2, self._choices, int(views.target[0]))

    @torch.no_grad()
    def _edges(self, crop: Tensor) -> PuzzlePicture:
        """The network's whole input for a crop (3, s, s), as pictures."""
        edges = self.encoder.edges(crop[None]).square().sum(dim=1).sqrt()  # (1, s, s)
        return picture("what the network sees of it", (edges / edges.max().clamp(min=1e-6)).expand(3, -1, -1))

    def answer(self, outputs: Tensor, views: Views, which: int) -> PuzzleAnswer:  # noqa: ARG002
        if outputs.ndim == 2:
            return classifying.answer(outputs[0], self._choices)
        one, other = torch.softmax(outputs[0].float(), dim=-1).cpu()  # (k,) each
        same = float((one * other).sum().clamp(0, 1))
        return PuzzleAnswer(f"in one group with a probability of {same:.2f}", (same, 1 - same))

    @property
    def _choices(self) -> tuple[str, ...]:
        return tuple(f"group {number}" for number in range(self.config.clusters))

    def architecture(self) -> dict[str, Any]:
        return {"architecture": "alexnet-sobel", "encoder": {"norm": "batch"}, "head": None}

    def head_layers(self) -> tuple[LayerCard, ...]:
        return ()

    def preprocess(self) -> Preprocess:
        return Preprocess(self.config.crop, self.config.region, self.config.size, None, "mean_std", MEAN, STD)


def regroup(features: NDArray[np.float32], config: DeepClusterConfig, seed: int) -> tuple[NDArray[np.int32], float]:
    """The group of each image, (N,), after PCA-whitening and normalising; and the mean squared distance to centres."""
    images, units = features.shape
    space = fit_space(features, normalise=True, pca=min(config.pca, units, images - 1), whiten=True)
    points = space.apply(features)
    centres = first_centres(points, min(config.clusters, images), seed=seed)
    for step in kmeans(points, centres, iterations=config.iterations, seed=seed):
        centres = step.centres
    labels, squared = assign(points, centres)
    return labels, float(squared.mean())


def uniform_order(labels: NDArray[np.int32], rng: torch.Generator) -> Tensor:
    """Images for an epoch, (N,), in random order: each group that has images equally often, within one."""
    groups = np.unique(labels)
    base, more = divmod(len(labels), len(groups))
    chosen = []
    for place, group in enumerate(groups):
        rows = torch.from_numpy(np.flatnonzero(labels == group))
        wanted = base + (place < more)
        rounds = [rows[torch.randperm(len(rows), generator=rng)] for _ in range(-(-wanted // len(rows)))]
        chosen.append(torch.cat(rounds)[:wanted] if rounds else rows[:0])
    every = torch.cat(chosen)
    return every[torch.randperm(len(every), generator=rng)]
