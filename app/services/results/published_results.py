"""Results that papers and the talk's slides report; they use other data and protocols than the tables of probes.

All are of AlexNet, fine-tuned on PASCAL VOC: classification (VOC07 mAP, with fc6-8 or all layers trained), detection
(VOC07 mAP, Fast R-CNN), segmentation (VOC12 mIoU, FCN). Most rows are from table 4 of Zhang, Isola, Efros, "Split-Brain
Autoencoders", CVPR 2017; those of the slides are from the talk on learning to count and knowledge transfer.
"""

from dataclasses import dataclass
from typing import Final

SPLIT_BRAIN: Final = "Split-Brain, table 4"
SLIDES: Final = "the talk's slides"


@dataclass(frozen=True)
class Published:
    """One method; numbers are in percent, None where nothing is reported.

    `fc` and `all` are classification with fc6-8 or with all layers trained. `notes` are keys of FOOTNOTES.
    """

    method: str
    source: str
    fc: float | None = None
    all: float | None = None
    detection: float | None = None
    segmentation: float | None = None
    notes: str = ""


@dataclass(frozen=True)
class Linear:
    """Top-1 accuracy in percent of linear classifiers on the frozen layers conv1 to conv5.

    `target` is the data set that they classify, `network` says how the network was trained.
    """

    target: str
    network: str
    layers: tuple[float, float, float, float, float]


VOC: Final = (
    Published("ImageNet labels", SPLIT_BRAIN, 78.9, 79.9, 56.8, 48.0, "d"),
    Published("Random Gaussian", SPLIT_BRAIN, None, 53.3, 43.4, 19.8),
    Published("Autoencoder", SPLIT_BRAIN, 16.0, 53.8, 41.9, 25.2),
    Published("k-means init, Krähenbühl et al.", SPLIT_BRAIN, 39.2, 56.6, 45.6, 32.6),
    Published("Ego-motion equivariance, Jayaraman and Grauman", SPLIT_BRAIN, None, None, 41.7, None),
    Published("Ego-motion, Agrawal et al.", SPLIT_BRAIN, 31.0, 54.2, 43.9, None, "†"),
    Published("Video tracking, Wang and Gupta", SPLIT_BRAIN, None, 63.1, 47.2, None, "†"),
    Published("Context prediction, Doersch et al.", SPLIT_BRAIN, 55.1, 65.3, 51.1, None, "†"),
    Published("Inpainting, Pathak et al.", SPLIT_BRAIN, None, 56.5, 44.5, 29.7),
    Published("Shuffle and learn, Misra et al.", SPLIT_BRAIN, None, None, 42.4, None),
    Published("Ambient sound, Owens et al.", SPLIT_BRAIN, 54.6, 54.4, 44.0, None),
    Published("Colorization, Zhang et al.", SPLIT_BRAIN, 61.5, 65.9, 46.9, 35.6, "†"),
    Published("Split-Brain, Zhang et al.", SPLIT_BRAIN, 63.0, 67.1, 46.7, 36.0, "†"),
    Published("Watching objects move, Pathak et al.", SPLIT_BRAIN, None, 61.0, 52.2, 39.7, "e"),
    Published("Jigsaw (new version)", SLIDES, None, 67.6, 53.2, 37.6, "b s"),
    Published("Learning to count", SLIDES, None, 67.7, 52.4, 36.6, "c s"),
    Published("Jigsaw++ (CC + VGG)", SLIDES, None, 72.5, 56.5, 42.6, "a s"),
    Published("HOG (CC)", SLIDES, None, 70.2, 53.2, 39.2, "s"),
    Published("Rotation", SLIDES, None, 72.9, 54.4, 39.1, "s"),
    Published("DeepCluster", SLIDES, None, 73.7, 55.4, 45.1, "s"),
)

FOOTNOTES: Final = {
    "†": "Rescaled before fine-tuning (Krähenbühl et al., data-dependent initialisation), which moves a row by several "
    "points: context prediction 55.3 to 65.3, ambient sound 54.4 to 61.3 in classification.",
    "a": "This slide row is AlexNet trained on clusters of a VGG-16's Jigsaw++ features (CC + VGG), not AlexNet "
    "trained on Jigsaw++ itself, which has 69.8.",
    "b": "67.6 on the slides, 67.7 in the table of the CVPR 2018 paper.",
    "c": "52.4 on the slides; 51.4 is remembered from the paper and was not checked.",
    "d": "Detection is 57.1 on the slides and 56.8 in older tables.",
    "e": "Segmentation is from another comparison than the rest of its row.",
    "s": "Detection at a single scale and at several differs by up to 0.8. The CVPR 2018 paper trains and tests at "
    "several scales (150,000 iterations); the slides do not say it for each of the other rows.",
}

LINEAR: Final = (
    Linear("ImageNet", "ImageNet labels", (19.3, 36.3, 44.2, 48.3, 50.5)),
    Linear("ImageNet", "random Gaussian", (11.6, 17.1, 16.9, 16.3, 14.1)),
    Linear("ImageNet", "k-means init", (17.5, 23.0, 24.5, 23.2, 20.6)),
    Linear("Places", "Places labels", (22.1, 35.1, 40.2, 43.3, 44.6)),
    Linear("Places", "ImageNet labels", (22.7, 34.8, 38.4, 39.4, 38.7)),
    Linear("Places", "random Gaussian", (15.7, 20.3, 19.8, 19.1, 17.5)),
)
