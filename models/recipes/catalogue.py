"""All pretext tasks of the field's comparison table, those that are built here and those that are not."""

from dataclasses import dataclass
from typing import Literal

Needs = Literal["images", "labels", "video"]


@dataclass(frozen=True)
class System:
    """One task: `question` is what the network has to answer, `needs` the kind of images that it is trained on."""

    name: str
    title: str
    question: str
    authors: str
    venue: str
    link: str
    needs: Needs = "images"


SYSTEMS = (
    System(
        "counting",
        "Learning to count",
        "Do the counts of four tiles add up to the count of the whole?",
        "Noroozi, Pirsiavash, Favaro",
        "ICCV 2017",
        "https://arxiv.org/abs/1708.06734",
    ),
    System(
        "jigsaw",
        "Jigsaw puzzles",
        "In which order were the nine tiles shuffled?",
        "Noroozi, Favaro",
        "ECCV 2016",
        "https://arxiv.org/abs/1603.09246",
    ),
    System(
        "jigsaw_pp",
        "Jigsaw++",
        "In which order, when up to two tiles are of another photo?",
        "Noroozi, Vinjimoor, Favaro, Pirsiavash",
        "CVPR 2018",
        "https://arxiv.org/abs/1805.00385",
    ),
    System(
        "rotation",
        "Rotation",
        "How was the photo turned?",
        "Gidaris, Singh, Komodakis",
        "ICLR 2018",
        "https://arxiv.org/abs/1803.07728",
    ),
    System(
        "context_prediction",
        "Context prediction",
        "On which side of the first patch does the second lie?",
        "Doersch, Gupta, Efros",
        "ICCV 2015",
        "https://arxiv.org/abs/1505.05192",
    ),
    System(
        "inpainting",
        "Context encoders",
        "What fills the hole?",
        "Pathak, Krähenbühl, Donahue, Darrell, Efros",
        "CVPR 2016",
        "https://arxiv.org/abs/1604.07379",
    ),
    System(
        "colorization",
        "Colorization",
        "Which colours did the gray photo have?",
        "Zhang, Isola, Efros",
        "ECCV 2016",
        "https://arxiv.org/abs/1603.08511",
    ),
    System(
        "split_brain",
        "Split-brain autoencoders",
        "Which colours belong to the gray, and which gray to the colours?",
        "Zhang, Isola, Efros",
        "CVPR 2017",
        "https://arxiv.org/abs/1611.09842",
    ),
    System(
        "deepcluster",
        "DeepCluster",
        "Which cluster of the network's own features is it in?",
        "Caron, Bojanowski, Joulin, Douze",
        "ECCV 2018",
        "https://arxiv.org/abs/1807.05520",
    ),
    System(
        "cluster_classification",
        "Knowledge transfer",
        "Which cluster of a stronger network's features is it in?",
        "Noroozi, Vinjimoor, Favaro, Pirsiavash",
        "CVPR 2018",
        "https://arxiv.org/abs/1805.00385",
    ),
    System(
        "supervised",
        "Supervised",
        "What is its label?",
        "Krizhevsky, Sutskever, Hinton",
        "NeurIPS 2012",
        "https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks",
        "labels",
    ),
    System(
        "motion_masks",
        "Watching objects move",
        "Which pixels will move together?",
        "Pathak, Girshick, Dollár, Darrell, Hariharan",
        "CVPR 2017",
        "https://arxiv.org/abs/1612.06370",
        "video",
    ),
    System(
        "tracking",
        "Tracked patches",
        "Is it the same patch, later in the video?",
        "Wang, Gupta",
        "ICCV 2015",
        "https://arxiv.org/abs/1505.00687",
        "video",
    ),
    System(
        "sound",
        "Ambient sound",
        "What does this scene sound like?",
        "Owens, Wu, McDermott, Freeman, Torralba",
        "ECCV 2016",
        "https://arxiv.org/abs/1608.07017",
        "video",
    ),
    System(
        "shuffle_and_learn",
        "Shuffle and learn",
        "Are the three frames in order?",
        "Misra, Zitnick, Hebert",
        "ECCV 2016",
        "https://arxiv.org/abs/1603.08561",
        "video",
    ),
    System(
        "ego_motion",
        "Ego-motion",
        "How do the features turn when the camera does?",
        "Jayaraman, Grauman",
        "ICCV 2015",
        "https://arxiv.org/abs/1505.02206",
        "video",
    ),
    System(
        "moving",
        "Learning to see by moving",
        "How did the camera move between two frames?",
        "Agrawal, Carreira, Malik",
        "ICCV 2015",
        "https://arxiv.org/abs/1505.01596",
        "video",
    ),
)


def system(name: str) -> System | None:
    """The task of that name, built or not."""
    return next((known for known in SYSTEMS if known.name == name), None)
