"""A network for demonstrations: learns glyphs in seconds on one thread, and shows every effect of a long tail."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imbnas.models.networks import Images, initialise, linear_classifier


class SmallNet(nn.Module):
    """A `backbone` of three 3x3 convolutions of stride 2 at W, 2W, 4W channels, each with batch norm and ReLU,
    then average pooling; a linear `classifier`.
    """

    def __init__(self, num_classes: int, width: int = 16, generator: torch.Generator | None = None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, width), (width, 2 * width), (2 * width, 4 * width)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.backbone = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = linear_classifier(4 * width, num_classes)
        initialise(self, generator)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Images) -> Float[Tensor, "batch classes"]:
        return self.classifier(self.backbone(images))
