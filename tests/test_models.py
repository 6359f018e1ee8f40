"""Networks: the skeleton's published size, a path and a mixture through the same weights, what a step may move."""

import copy

import pytest
import torch
from torch.nn import functional as F
from untyped import untyped

from imbnas.models import BatchNorm, MixedOp, ResNet32, SubNet, SuperNet, use_batch_statistics
from imbnas.models.operations import AveragePool, Pooling
from imbnas.space import CellSpace, MacroSpace

SPACES = [CellSpace(4, 1, 1), CellSpace(4, 2, 3), MacroSpace(4, (1, 2, 1))]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 4, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(count, 3, 16, 16, generator=generator(1), dtype=dtype)


def one_hot(path: tuple[int, ...], choices: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return F.one_hot(torch.tensor(path), choices).to(dtype)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_one_hot_weights_equal_the_path_bit_for_bit(space):
    net = SuperNet(space, 7, generator()).double()
    path = space.sample(generator(2))
    assert torch.equal(net(images(), path), net(images(), one_hot(path, space.choices)))


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_mixture_is_the_weighted_sum_of_operations(space):
    """Eq. 3 on one edge, against the sum written out."""
    edge = MixedOp(space.operations, 4).double()
    x = torch.randn(2, 4, 8, 8, generator=generator(), dtype=torch.float64)
    weights = torch.rand(space.choices, generator=generator(), dtype=torch.float64)
    weights = weights / weights.sum()
    expected = sum(w * op(x) for w, op in zip(weights, edge, strict=True))
    assert torch.allclose(edge(x, weights), expected, atol=1e-14)


def test_cell_adds_what_its_string_says():
    """|conv~0|+|none~0|skip~1|+|pool~0|none~1|skip~2|: out = pool(x) + conv(x)."""
    space = CellSpace(4, 1, 1)
    net = SuperNet(space, 3, generator()).double()
    names = ["nor_conv_3x3", "none", "skip_connect", "avg_pool_3x3", "none", "skip_connect"]
    path = tuple(space.operations.index(name) for name in names)
    x = torch.randn(2, 4, 8, 8, generator=generator(), dtype=torch.float64)
    from imbnas.models import Eager

    cell = net.backbone.stages[0][0]
    expected = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False) + cell[0][3](x)
    assert torch.allclose(net.backbone.walk_cell(cell, x, path, Eager), expected, atol=1e-14)


def test_what_reaches_no_output_is_not_computed():
    """Nothing leaves node 2: the convolutions on its way in are left alone, the one beside them is not."""
    space = CellSpace(4, 1, 1)
    net, ran = SuperNet(space, 3, generator()).double(), []
    for gene, edge in enumerate(net.backbone.stages[0][0]):
        edge[3].register_forward_hook(lambda *_, gene=gene: ran.append(gene))
    names = ["nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "skip_connect", "skip_connect", "none"]
    net(images(), tuple(space.operations.index(name) for name in names))
    assert space.edges[ran[0]] == (0, 1) and len(ran) == 1


@pytest.mark.parametrize(("classes", "params"), [(10, 1_531_546), (100, 1_537_396)])
def test_all_3x3_subnet_has_the_published_parameters(classes, params):
    """NAS-Bench-201 publishes 1.531546 M for 10 classes; 90 more classes add 90 x 65 weights."""
    space = CellSpace(16, 5, 1)
    net = SubNet(space, (3,) * 6, classes)
    assert sum(p.numel() for p in net.parameters()) == params


def test_all_skip_subnet_is_stem_reductions_and_classifier():
    net = SubNet(CellSpace(16, 5, 1), (1,) * 6, 10)
    stem = 3 * 16 * 9 + 32
    reductions = sum(a * 2 * a * 9 + 4 * a * a * 9 + 2 * a * a + 8 * a for a in (16, 32))
    head = 128 + 64 * 10 + 10
    assert sum(p.numel() for p in net.parameters()) == stem + reductions + head == 73_306


def test_resnet32_has_the_usual_parameters():
    """He et al. 2016, Table 6: 0.46 M for ResNet-32 on CIFAR-10 (464,154 with parameter-free shortcuts)."""
    assert sum(p.numel() for p in ResNet32(10).parameters()) == 464_154
    assert ResNet32(100)(torch.zeros(2, 3, 32, 32)).shape == (2, 100)


def normal(x: torch.Tensor) -> torch.Tensor:
    """Batch norm from its definition, without scale and shift, which begin as one and zero."""
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt()


def after_relu(x: torch.Tensor, block: torch.nn.Sequential, stride: int = 1) -> torch.Tensor:
    """ReLU, convolution with as much padding as keeps the size at stride 1, batch norm."""
    weight = block[1].weight
    return normal(F.conv2d(x.relu(), weight, stride=stride, padding=weight.shape[-1] // 2))


def classified(x: torch.Tensor, net: SuperNet) -> torch.Tensor:
    return normal(x).relu().mean((2, 3)) @ net.classifier.weight.T + net.classifier.bias


def test_the_skeleton_of_cells_written_out():
    """Every cell hands its input on; NAS-Bench-201's residual blocks halve the images between the stages."""
    net = SuperNet(CellSpace(4, 1, 1), 7, generator()).double()
    x = normal(F.conv2d(images(), net.backbone.stem[0].weight, padding=1))
    for block in net.backbone.reductions:
        residual = after_relu(after_relu(x, block.residual[0], stride=2), block.residual[1])
        x = residual + F.conv2d(F.avg_pool2d(x, 2), block.shortcut[1].weight)
    assert torch.allclose(net(images(), (0, 0, 0, 1, 0, 0)), classified(x, net), atol=1e-12)


def test_the_macro_network_written_out():
    """One of each residual, and a layer that skips."""
    net = SuperNet(MacroSpace(4, (1, 2, 1)), 7, generator()).double()
    x = normal(F.conv2d(images(), net.backbone.stem[0].weight, stride=2, padding=1))
    for stage, path in enumerate(((1,), (2, 0), (3,))):
        if stage:
            x = after_relu(F.avg_pool2d(x, 2), net.backbone.reductions[stage - 1][1])
        for layer, choice in zip(net.backbone.stages[stage], path, strict=True):
            residual = x if choice else 0 * x
            for block in ((), (layer[1],), layer[2], layer[3])[choice]:
                residual = after_relu(residual, block)
            x = x + residual
    assert torch.allclose(net(images(), (1, 2, 0, 3)), classified(x, net), atol=1e-12)


def test_resnet32_written_out():
    """He et al. 2016, option A: a shortcut takes every other pixel, and zeros are its further channels."""
    net = ResNet32(5, generator()).double()
    x = normal(F.conv2d(images(), net.stem[0].weight, padding=1)).relu()
    for number, block in enumerate(net.blocks):
        stride = 2 if number in (5, 10) else 1
        y = normal(F.conv2d(x, block.conv1.weight, stride=stride, padding=1)).relu()
        y = normal(F.conv2d(y, block.conv2.weight, padding=1))
        if stride == 2:
            zeros = torch.zeros_like(y[:, : y.shape[1] // 4])
            x = torch.cat([zeros, x[:, :, ::2, ::2], zeros], 1)
        x = (y + x).relu()
    expected = x.mean((2, 3)) @ net.classifier.weight.T + net.classifier.bias
    assert torch.allclose(net(images()), expected, atol=1e-10)


def test_weights_begin_as_he_has_it_and_the_classifier_nearly_at_nothing():
    """He et al. 2015: variance 2 over the outputs of a convolution, channels times kernel; here 32 to 64 channels."""
    net = SuperNet(CellSpace(16, 1, 1), 100, generator())
    first, last = net.backbone.reductions[1].residual[0][1].weight.detach(), net.classifier.weight.detach()
    assert first.shape == (64, 32, 3, 3) and float(first.std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.03)
    assert float(last.std()) == pytest.approx(0.01, rel=0.03) and not net.classifier.bias.any()


def test_unsampled_operations_have_no_gradient():
    space = CellSpace(4, 1, 1)
    net = SuperNet(space, 3, generator())
    path = (3, 1, 2, 0, 1, 4)
    net(images(dtype=torch.float32), path).sum().backward()
    for stage in net.backbone.stages:
        for gene, edge in enumerate(stage[0]):
            for choice, op in enumerate(edge):
                touched = any(p.grad is not None for p in op.parameters())
                assert touched == (choice == path[gene] and choice in (2, 3))


@pytest.mark.parametrize("mode", ["track", "batch"])
def test_batch_norm_equals_torch(mode):
    """Against nn.BatchNorm2d in float64: outputs alike; statistics followed in one mode, untouched in the other."""
    ours, theirs = BatchNorm(5, True).double(), torch.nn.BatchNorm2d(5).double()
    x = torch.randn(6, 5, 4, 4, generator=generator(), dtype=torch.float64) * 3 + 1
    ours.mode = mode
    assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.mean, theirs.running_mean if mode == "track" else torch.zeros(5))
    if mode == "track":
        ours.eval(), theirs.eval()
        assert torch.allclose(ours(x), theirs(x), atol=1e-12)


def test_batch_statistics_leave_every_byte():
    net = SuperNet(CellSpace(4, 1, 1), 3, generator())
    net.train()
    use_batch_statistics(net)
    before = copy.deepcopy(net.state_dict())
    net(images(dtype=torch.float32), (3,) * 6)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_same_seed_same_weights_and_fresh_classifier_leaves_the_backbone():
    space = CellSpace(4, 1, 1)
    one, other = SuperNet(space, 3, generator(5)), SuperNet(space, 3, generator(5))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    one.reset_classifier(8, generator(6))
    assert one.classifier.weight.shape == (8, one.backbone.width)
    backbones = zip(one.backbone.state_dict().values(), other.backbone.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in backbones)


def test_a_fresh_classifier_is_of_the_networks_precision():
    net, single = (SuperNet(CellSpace(4, 1, 1), 3, generator(5)) for _ in range(2))
    net.double().reset_classifier(8, generator(6))
    single.reset_classifier(8, generator(6))
    assert net(images(), (3,) * 6).dtype == torch.float64
    assert torch.equal(net.classifier.weight, single.classifier.weight.double())


def test_bad_selections_are_refused_by_name():
    net = SuperNet(CellSpace(4, 1, 1), 3)
    with pytest.raises(ValueError, match="expected 6"):
        net(images(dtype=torch.float32), (1, 2))
    with pytest.raises(ValueError, match=r"shape \(5, 5\)"):
        net(images(dtype=torch.float32), torch.ones(5, 5) / 5)
    with pytest.raises(ValueError, match="gene 2 sum to 2"):
        weights = torch.full((6, 5), 0.2)
        weights[2] = 0.4
        net(images(dtype=torch.float32), weights)


@pytest.mark.parametrize("space", ["cell3-c16-n1", None])
def test_what_is_no_space_is_refused(space):
    with untyped(), pytest.raises(ValueError, match="expected a CellSpace or a MacroSpace"):
        SuperNet(space, 10)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SuperNet(SPACES[0], 0),
        lambda: SuperNet(SPACES[0], 3).reset_classifier(-1),
        lambda: SubNet(SPACES[0], (3,) * 6, 0),
        lambda: ResNet32(0),
    ],
)
def test_a_network_has_at_least_one_class(make):
    with pytest.raises(ValueError, match="num_classes is (0|-1): expected a whole number from 1"):
        make()


@pytest.mark.parametrize("pool", [AveragePool(), Pooling.apply], ids=["processor", "GPU"])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 8)])
def test_average_pooling_is_torchs_own_forwards_and_backwards(pool, size):
    x = torch.randn(3, 4, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    ours = pool(x)
    plain = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    assert torch.allclose(ours, plain, rtol=0, atol=1e-14)
    weights = torch.arange(ours.numel(), dtype=torch.float64).reshape(ours.shape)
    (mine,), (theirs,) = (torch.autograd.grad((y * weights).sum(), x) for y in (ours, plain))
    assert torch.allclose(mine, theirs, atol=1e-9)
