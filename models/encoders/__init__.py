"""Encoders by name: each builds an untrained network from the plain arguments that a card keeps."""

from collections.abc import Callable

from torch import nn

from models.card import FILTERS_ONLY
from models.encoders.alexnet import AlexNet, alexnet_torchvision
from models.encoders.cifar_resnet import CifarResNet
from models.encoders.classic import ClassicAlexNet
from models.encoders.filters_only import FiltersOnly
from models.encoders.layers import layers as layers
from models.encoders.nin import NetworkInNetwork
from models.encoders.residual import resnet
from models.encoders.sobel import SobelAlexNet
from models.encoders.split import SplitAlexNet
from models.encoders.timm_network import timm_network
from models.encoders.torchvision_networks import (
    TorchvisionAlexNet,
    TorchvisionVGG,
    torchvision_network,
    torchvision_vit,
)
from models.encoders.vgg import VGG16
from models.encoders.vit import VisionTransformer

ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "alexnet": AlexNet,
    "alexnet-torchvision": alexnet_torchvision,
    "alexnet-classic": ClassicAlexNet,
    "torchvision-alexnet": TorchvisionAlexNet,
    "torchvision-vgg": TorchvisionVGG,
    "torchvision-vit": torchvision_vit,
    "torchvision": torchvision_network,
    "resnet": resnet,
    "cifar-resnet": CifarResNet,
    "nin": NetworkInNetwork,
    "vit": VisionTransformer,
    "timm": timm_network,
    "alexnet-sobel": SobelAlexNet,
    "vgg16": VGG16,
    "alexnet-split": SplitAlexNet,
    FILTERS_ONLY: FiltersOnly,
}
