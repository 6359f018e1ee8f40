"""A network for demonstrations: learns glyphs in seconds on one thread, and shows every effect of a long tail."""

import torch
from torch import nn

from imbnas.models.networks import initialise


class SmallNet(nn.Sequential):
    """Three 3x3 convolutions of stride 2 at W, 2W, 4W channels, each with batch norm and ReLU; pooling; linear.

    `backbone` is all but the last layer, `classifier` the last.
    """

    def __init__(self, num_classes: int, width: int = 16, generator: torch.Generator | None = None) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, width), (width, 2 * width), (2 * width, 4 * width)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, num_classes))
        initialise(self, generator)
        self.to(memory_format=torch.channels_last)

    @property
    def backbone(self) -> nn.Sequential:
        return self[:-1]

    @property
    def classifier(self) -> nn.Linear:
        return self[-1]
