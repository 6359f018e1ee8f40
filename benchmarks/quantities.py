"""What is measured: pairs of the plain way and ours that do the same work."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imbnas.data import Batches, Dataset
from imbnas.evaluation import rank
from imbnas.models import ResNet32, SuperNet, use_batch_statistics
from imbnas.models.operations import AveragePool
from imbnas.space import CellSpace, MacroSpace, Space
from imbnas.training import Recipe, sgd
from imbnas.training.steps import PlainStep

Pair = tuple[Callable[[], object], Callable[[], object]]
BATCH = 128


@dataclass(frozen=True)
class Quantity:
    title: str
    gate: float  # the least ratio that passes
    goal: float
    prepare: Callable[[], Pair]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixels(count: int) -> Dataset:
    """Random images of CIFAR's size."""
    images = torch.randint(256, (count, 3, 32, 32), generator=generator(), dtype=torch.uint8)
    labels = torch.arange(count) % 10
    return Dataset("random", images, labels, images, labels, tuple("0123456789"))


def floats(count: int = BATCH) -> tuple[Tensor, Tensor]:
    images = torch.randn(count, 3, 32, 32, generator=generator())
    return images, torch.arange(count) % 10


def augmentation() -> Pair:
    """One epoch of 2,560 images: torchvision transforms in a DataLoader against one gather a batch."""
    from imbnas.data.sources import torchvision  # behind the one door that mends its import

    transforms, data = torchvision().transforms, pixels(20 * BATCH)
    mean, std = data.mean.tolist(), data.std.tolist()
    steps = [transforms.ToPILImage(), transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    transform = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(mean, std)])

    class Transformed(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(data.train_images)

        def __getitem__(self, i: int) -> tuple[Tensor, int]:
            return transform(data.train_images[i]), int(data.train_labels[i])

    loader = torch.utils.data.DataLoader(Transformed(), BATCH, shuffle=True)
    batches = Batches(data, torch.arange(len(data.train_images)), BATCH, generator())
    return lambda: list(loader), lambda: [batches.next() for _ in range(batches.steps_per_epoch)]


def plain_step(net: nn.Module, forward: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> Callable:
    """The plain way: NCHW, float32, SGD one parameter at a time."""
    net.to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=2e-4, foreach=False)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(forward(images), labels).backward()
        optimizer.step()

    return step


def our_step(parameters: list, forward: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> Callable:
    """As `imbnas.training.fit` does it: channels last, bfloat16, fused SGD with buffers made up front."""
    images, recipe = images.to(memory_format=torch.channels_last), Recipe(1, 0.01)
    step = PlainStep(forward, sgd(parameters, recipe), recipe, "bf16")
    return lambda: step(images, labels, recipe.rate, None)


def resnet() -> Pair:
    plain, ours = ResNet32(10, generator()), ResNet32(10, generator())
    return plain_step(plain, plain, *floats()), our_step(list(ours.parameters()), ours, *floats())


class EveryModule:
    """A forward pass that calls every module of a path, zeroes, identities and torch's pooling, as most code does."""

    POOL = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    @staticmethod
    def carries(edge: nn.ModuleList, selection: int) -> bool:
        return True

    @staticmethod
    def apply(module: nn.Module, value: Tensor) -> Tensor:
        return module(value)

    @staticmethod
    def choose(edge: nn.ModuleList, value: Tensor, selection: int) -> Tensor:
        chosen = edge[selection]
        return EveryModule.POOL(value) if isinstance(chosen, AveragePool) else chosen(value)

    @staticmethod
    def add(values: list[Tensor], like: Tensor) -> Tensor:
        return sum(values[1:], values[0])


def cycle(space: Space, count: int) -> Callable[[], tuple[int, ...]]:
    """The same `count` random paths over and over."""
    drawn = generator(1)
    paths, turn = [space.sample(drawn) for _ in range(count)], iter(range(10**9))
    return lambda: paths[next(turn) % count]


def several(step: Callable[[], object], times: int) -> Callable[[], None]:
    def work() -> None:
        for _ in range(times):
            step()

    return work


def single_path() -> Pair:
    """Four steps of a super-network over `CellSpace` (C = 16, N = 5), the same four paths, batch 64."""
    space = CellSpace(16, 5, 1)
    plain, ours = SuperNet(space, 10, generator()), SuperNet(space, 10, generator())
    first, second = cycle(space, 4), cycle(space, 4)

    def every_module(images: Tensor) -> Tensor:
        return plain.classifier(plain.backbone.walk(images, list(first()), EveryModule))

    return (
        several(plain_step(plain, every_module, *floats(64)), 4),
        several(our_step(list(ours.parameters()), lambda x: ours(x, second()), *floats(64)), 4),
    )


def converged(space: Space, count: int = 50) -> list[tuple[int, ...]]:
    """A population as evolution breeds it late: half mutants, half crossovers, of ten parents that are kin."""
    drawn = generator(2)
    base = space.sample(drawn)
    parents = [space.mutate(base, 0.15, drawn) for _ in range(10)]
    pick = lambda: parents[int(torch.randint(10, (), generator=drawn))]  # noqa: E731
    mutants = [space.mutate(pick(), 0.1, drawn) for _ in range(count // 2)]
    return mutants + [space.crossover(pick(), pick(), drawn) for _ in range(count - len(mutants))]


def population(space: Space) -> Callable[[], Pair]:
    """A converged population of 50, one path at a time against all through shared computations."""

    def prepare() -> Pair:
        net, paths = SuperNet(space, 10, generator()), converged(space)
        images, labels = floats(64)
        images = images.to(memory_format=torch.channels_last)
        arguments = ([images], [images, images], torch.cat([labels, labels]))
        return lambda: [rank(net, [path], *arguments) for path in paths], lambda: rank(net, paths, *arguments)

    return prepare


def frozen() -> Pair:
    """P1's step against a step of the whole super-network, both our way (C = 16, N = 1, three cells).

    What P1 saves is the way back and the update, about two thirds of a step: alone they give three, and the
    gate asks for more. More than half of what is left is convolution, near the processor's limit, a quarter batch norm.
    """
    space = CellSpace(16, 1, 3)
    whole, head = SuperNet(space, 10, generator()), SuperNet(space, 10, generator())
    use_batch_statistics(head)
    first, second = cycle(space, 8), cycle(space, 8)

    def features(images: Tensor) -> Tensor:
        with torch.no_grad():
            seen = head.features(images, second())
        return head.classifier(seen)

    return (
        several(our_step(list(whole.parameters()), lambda x: whole(x, first()), *floats()), 8),
        several(our_step(list(head.classifier.parameters()), features, *floats()), 8),
    )


ALL = {
    "augmentation": Quantity("augmentation, 2,560 images", 8.0, 12.0, augmentation),
    "resnet": Quantity("ResNet-32 step, batch 128", 1.9, 2.3, resnet),
    "single-path": Quantity("single-path steps, CellSpace C=16 N=5", 1.9, 3.0, single_path),
    "population-macro": Quantity("population of 50, MacroSpace", 2.0, 3.0, population(MacroSpace())),
    "population-cell": Quantity("population of 50, CellSpace 3 stages", 1.5, 2.0, population(CellSpace(16, 1, 3))),
    "frozen": Quantity("P1 step against a full step", 3.5, 4.0, frozen),
}
