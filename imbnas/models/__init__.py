"""Operations, the super-network, the networks it contains, and ResNet-32."""

from imbnas.models.backbones import Eager, carries
from imbnas.models.networks import SubNet, SuperNet, check_mixture, initialise
from imbnas.models.operations import BatchNorm, MixedOp, Zero, operation, use_batch_statistics
from imbnas.models.resnet import ResNet32

__all__ = [
    "BatchNorm",
    "Eager",
    "MixedOp",
    "ResNet32",
    "SubNet",
    "SuperNet",
    "Zero",
    "carries",
    "check_mixture",
    "initialise",
    "operation",
    "use_batch_statistics",
]
