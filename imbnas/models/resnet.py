"""ResNet-32, the fixed network of the long-tail literature."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from imbnas.models.networks import Images, initialise, linear_classifier
from imbnas.models.operations import BatchNorm


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a parameter-free shortcut (He et al., 2016, option A)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride, self.extra = (2, outputs - inputs) if outputs > inputs else (1, 0)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, self.stride, 1, bias=False)
        self.bn1 = BatchNorm(outputs, True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = BatchNorm(outputs, True)

    def shortcut(self, x: Tensor) -> Tensor:
        if not self.extra:
            return x
        padding = (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2)
        return F.pad(x[:, :, :: self.stride, :: self.stride], padding)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class ResNet32(nn.Module):
    """The CIFAR ResNet-32 of the long-tail literature: 3 stages of 5 blocks at 16, 32 and 64 channels."""

    def __init__(self, num_classes: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        widths = [16] * 6 + [32] * 5 + [64] * 5
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), BatchNorm(16, True), nn.ReLU())
        self.blocks = nn.Sequential(*(BasicBlock(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = linear_classifier(64, num_classes)
        initialise(self, generator)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Images) -> Float[Tensor, "batch classes"]:
        return self.classifier(self.pool(self.blocks(self.stem(images))))
