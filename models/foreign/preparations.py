"""The ways in which the networks of this field had their input images prepared, as choices with reasons."""

from models.card import Colour, Preprocess
from models.foreign.report import PreprocessChoice

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CAFFE_MEAN = (104.007, 116.669, 122.679)  # BGR, of the ILSVRC 2012 training images
HALF = (0.5, 0.5, 0.5)


def fixed(
    side: int,
    *,
    resize: int | None = None,
    mean: tuple[float, ...] = IMAGENET_MEAN,
    std: tuple[float, ...] = IMAGENET_STD,
    colour: Colour = "rgb",
    scale: float = 1.0,
) -> Preprocess:
    """A square of `side` pixels, out of one of `resize` (as large where None), with fixed mean and deviation."""
    return Preprocess(
        crop=side,
        region=resize or side,
        size=side,
        trunk_size=side,
        normalise="mean_std",
        mean=mean,
        std=std,
        resize=resize or side,
        colour=colour,
        scale=scale,
    )


def imagenet(side: int = 224, resize: int = 256, reason: str = "most PyTorch networks for photos") -> PreprocessChoice:
    return PreprocessChoice("ImageNet mean and deviation", reason, fixed(side, resize=resize))


def half(side: int = 224, resize: int = 256) -> PreprocessChoice:
    reason = "transformers from JAX and some small networks bring pixels to -1..1"
    return PreprocessChoice("-1 to 1", reason, fixed(side, resize=resize, mean=HALF, std=HALF))


def plain(side: int = 224, resize: int = 256) -> PreprocessChoice:
    reason = "pixels as they are, 0..1: MoCo's and SimCLR's TensorFlow releases, quick experiments"
    return PreprocessChoice("0 to 1", reason, fixed(side, resize=resize, mean=(0.0,) * 3, std=(1.0,) * 3))


def caffe(side: int = 227, resize: int = 256, reason: str = "networks of the Caffe days") -> PreprocessChoice:
    how = fixed(side, resize=resize, mean=CAFFE_MEAN, std=(1.0,) * 3, colour="bgr", scale=255.0)
    return PreprocessChoice("BGR 0 to 255, mean subtracted", reason, how)


def cifar(side: int = 32) -> tuple[PreprocessChoice, ...]:
    """Tiny pictures: the whole photo brought to 32 pixels."""
    return (
        PreprocessChoice(
            "ImageNet mean and deviation",
            "the CIFAR networks most often met (akamaster's) were trained with ImageNet's values",
            fixed(side),
        ),
        PreprocessChoice(
            "CIFAR mean and deviation",
            "many repositories use the values of CIFAR-10 itself",
            fixed(side, mean=CIFAR_MEAN, std=CIFAR_STD),
        ),
        PreprocessChoice("-1 to 1", "quick experiments bring pixels to -1..1", fixed(side, mean=HALF, std=HALF)),
    )


def lab(side: int = 180, resize: int = 256, reason: str = "Split-Brain and colorization see Lab") -> PreprocessChoice:
    how = fixed(side, resize=resize, mean=(50.0, 0.0, 0.0), std=(1.0,) * 3, colour="lab")
    return PreprocessChoice("Lab, L less 50", reason, how)


def lightness(side: int = 224, resize: int = 256) -> PreprocessChoice:
    how = fixed(side, resize=resize, mean=(50.0,), std=(1.0,), colour="l")
    return PreprocessChoice("L of Lab less 50", "one input channel: colorization networks see lightness", how)


def gray(side: int = 224, resize: int = 256) -> PreprocessChoice:
    how = fixed(side, resize=resize, mean=(0.449,), std=(0.226,), colour="gray")
    return PreprocessChoice("gray", "one input channel", how)


def standardised(side: int, resize: int, reason: str) -> PreprocessChoice:
    """Each image loses its own mean and is divided by its own deviation."""
    how = Preprocess(side, resize, side, side, "per_input", resize=resize)
    return PreprocessChoice("each image by its own mean and deviation", reason, how)


def photos(side: int = 224, resize: int = 256) -> tuple[PreprocessChoice, ...]:
    """The plausible preparations for a PyTorch network on photos, the usual one first."""
    return (imagenet(side, resize), half(side, resize), plain(side, resize), caffe(side, resize))
