"""Search spaces against the benchmark's published counts and costs, and against slower second opinions."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Generator, nn
from untyped import untyped

from imbnas.models import SubNet
from imbnas.space import CellSpace, MacroSpace, median_cost, parse_space

NB201 = CellSpace(channels=16, cells=5, stages=1)
ALL_CELLS = list(product(range(5), repeat=6))
SPACES = [NB201, CellSpace(channels=8, cells=1), MacroSpace(), MacroSpace(width=8, layers=(1, 2, 3))]
NONE, SKIP, CONV1, CONV3, POOL = range(5)


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


# ------------------------------------------------------------------------------------ cells as graphs


def test_the_benchmark_counts_6466_distinct_cells():
    assert len({NB201.canonical(cell) for cell in ALL_CELLS}) == 6466


def test_alive_means_one_of_the_four_ways_is_free_of_none():
    edge = {pair: gene for gene, pair in enumerate(NB201.edges)}
    ways = [[(0, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]]
    for cell in ALL_CELLS:
        assert NB201.is_alive(cell) == any(all(cell[edge[step]] != NONE for step in way) for way in ways)


def test_cells_with_one_canonical_form_compute_the_same():
    """Each operation stands for a fixed nonlinear function of one number, none for nothing."""
    functions = {CONV1: lambda x: math.sin(1.7 * x + 0.3), CONV3: lambda x: math.exp(-x * x / 3) + 0.7 * x}
    functions |= {POOL: lambda x: math.atan(2.3 * x) - 0.1, SKIP: lambda x: x}
    values: dict[str, set[float]] = {}
    for cell in ALL_CELLS:
        nodes = {0: 0.7318}
        for target in (1, 2, 3):
            sources = [(s, gene) for (s, t), gene in zip(NB201.edges, cell, strict=True) if t == target]
            live = [functions[gene](nodes[s]) for s, gene in sources if gene != NONE and nodes[s] is not None]
            nodes[target] = math.fsum(live) if live else None
        output = None if nodes[3] is None else round(nodes[3], 9)
        values.setdefault(NB201.canonical(cell), set()).add(output)
    assert all(len(outputs) == 1 for outputs in values.values())
    # Fewer functions than forms: the benchmark's form keeps zero terms, and sorts a skipped sum as one term.
    assert len(set.union(*values.values())) == 4930


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((NONE, NONE, NONE, CONV1, NONE, NONE), (SKIP, NONE, NONE, NONE, CONV1, NONE)),  # a skip passes on
        (
            (NONE, CONV3, CONV3, NONE, NONE, SKIP),
            (NONE, CONV3, POOL, NONE, NONE, SKIP),
        ),  # of nothing: nothing
        ((SKIP, CONV3, POOL, NONE, NONE, SKIP), (SKIP, POOL, CONV3, NONE, NONE, SKIP)),  # sums are unordered
    ],
)
def test_isomorphic_cells_share_a_canonical_form(one, other):
    assert NB201.canonical(one) == NB201.canonical(other)


def test_canonical_is_by_stage_for_three_stages():
    space, cell = CellSpace(cells=1), (NONE, NONE, NONE, CONV1, NONE, NONE)
    twin, other = (SKIP, NONE, NONE, NONE, CONV1, NONE), (CONV3,) * 6
    assert space.canonical(cell + other + cell) == space.canonical(twin + other + twin)
    assert space.canonical(cell + other + cell) != space.canonical(other + cell + cell)


# -------------------------------------------------------------------------------------------- strings


def test_public_string_form():
    text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"
    assert NB201.from_string(text) == (CONV3, NONE, SKIP, POOL, CONV1, CONV3)
    assert NB201.to_string((CONV3, NONE, SKIP, POOL, CONV1, CONV3)) == text
    three = CellSpace(cells=1).to_string((CONV3, NONE, SKIP, POOL, CONV1, CONV3) * 3)
    assert three == " / ".join([text] * 3)


def test_every_cell_prints_and_reads_back():
    texts = [NB201.to_string(cell) for cell in ALL_CELLS]
    assert len(set(texts)) == 15_625
    assert [NB201.from_string(text) for text in texts] == ALL_CELLS


GOOD = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GOOD.replace("|none~2|", "|sep_conv_3x3~2|"), "unknown operation 'sep_conv_3x3'"),
        (GOOD.replace("|none~2|", "|none~1|"), "wrong edge 'none~1', expected none~2"),
        (GOOD.replace("|none~2|", "|none|"), "wrong edge 'none'"),
        (GOOD.replace("|none~2|", "|"), "node 3 has 2 edges: expected 3"),
        (GOOD.replace("|none~2|", "|none~2|none~3|"), "node 3 has 4 edges"),
        ("|none~0|+|none~0|none~1|", "has 2 nodes: expected 3"),
        (GOOD[:-1], "expected bars around it"),
        ("", "has 1 nodes"),
        (GOOD + " / " + GOOD, "has 2 cells: expected 1"),
    ],
)
def test_malformed_cells_are_refused_by_name(text, fault):
    with pytest.raises(ValueError, match=fault):
        NB201.from_string(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("|skip| / |skip|", "has 2 stages: expected 3"),
        ("|skip| / |skip|conv3x3| / |skip|", "has 1 layers: expected 3"),
        ("skip / |skip|conv3x3| / |skip|skip|skip|", "stage 'skip': expected bars around it"),
        ("|skip| / |skip|conv3x3 / |skip|skip|skip|", "expected bars around it"),
        ("| / |skip|conv3x3| / |skip|skip|skip|", "expected bars around it"),
        ("|skip| / |skip|conv7x7| / |skip|skip|skip|", "unknown operation 'conv7x7'"),
    ],
)
def test_malformed_macro_architectures_are_refused_by_name(text, fault):
    with pytest.raises(ValueError, match=fault):
        MacroSpace(width=8, layers=(1, 2, 3)).from_string(text)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ((0, 1, 2, 3, 4), "has 5 genes: expected 6"),
        ((0, 1, 2, 3, 4, 5), "gene 5 is 5, not 0 to 4"),
        ((0, -1, 2, 3, 4, 0), "gene 1 is -1"),
        ((0.0, 1.0, 2.0, 3.0, 4.0, 0.0), "expected a tuple of ints"),
        ("333333", "expected a tuple of ints"),
    ],
)
def test_malformed_paths_are_refused_by_name(path, fault):
    with pytest.raises(ValueError, match=fault):
        NB201.check(path)


@pytest.mark.parametrize("space", SPACES)
def test_names_read_back(space):
    assert parse_space(space.name) == space


def test_layers_may_be_a_list():
    space = MacroSpace(16, [2, 2, 2])
    assert space == MacroSpace(16, (2, 2, 2)) and space.cost((1,) * 6) == MacroSpace(16, (2, 2, 2)).cost((1,) * 6)


@pytest.mark.parametrize("name", ["", "cell3", "cell2-c16-n1", "cell3-c0-n1", "macro-w33-4-4-4", "macro-w32-4-4"])
def test_unknown_spaces_are_refused(name):
    with pytest.raises(ValueError, match="expected"):
        parse_space(name)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("cell3-c016-n1", "cell3-c16-n1"),
        ("cell03-c16-n1", "cell3-c16-n1"),
        ("cell3-c١٦-n1", "cell3-c16-n1"),
        ("macro-w32-4-4-04", "macro-w32-4-4-4"),
    ],
)
def test_a_space_has_one_spelling_which_is_named(name, plain):
    with pytest.raises(ValueError, match=f"expected {plain}$"):
        parse_space(name)


# ------------------------------------------------------------------------------------------- drawing


@given(space=st.sampled_from(SPACES), seed=st.integers(0, 2**31), rate=st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_drawn_paths_live_and_print(space, seed, rate):
    generator = seeded(seed)
    a, b = space.sample(generator), space.sample(generator)
    mutant, child = space.mutate(a, rate, generator), space.crossover(a, b, generator)
    for path in (a, b, mutant, child):
        space.check(path)
        assert space.is_alive(path)
        assert space.from_string(space.to_string(path)) == path
    assert all(gene in pair for gene, pair in zip(child, zip(a, b, strict=True), strict=True))
    assert space.mutate(a, 0, generator) == a
    assert space.crossover(a, a, generator) == a
    assert space.sample(seeded(seed)) == a


def test_sampling_is_uniform_over_the_living():
    space, generator = MacroSpace(width=8, layers=(1, 1, 1)), seeded(0)
    draws = [space.sample(generator) for _ in range(6400)]
    counts = [draws.count(path) for path in product(range(4), repeat=3)]
    assert chisquare(counts).pvalue > 0.001
    living = [cell for cell in ALL_CELLS if NB201.is_alive(cell)]
    alive_first = sum(cell[0] == NONE for cell in living) / len(living)
    drawn_first = sum(NB201.sample(generator)[0] == NONE for _ in range(5000)) / 5000
    assert drawn_first == pytest.approx(alive_first, abs=0.025)


def test_a_mutant_equals_its_parent_as_often_as_it_should():
    """Each gene stays with 1 - 0.1 * 4/5: a six-gene mutant equals its parent in 0.92^6 = 61 % of draws."""
    generator, parent = seeded(1), (CONV3,) * 6
    same = sum(NB201.mutate(parent, 0.1, generator) == parent for _ in range(4000)) / 4000
    assert same == pytest.approx(0.92**6, abs=0.03)


def test_crossover_takes_either_parent_half_the_time():
    space, generator = MacroSpace(), seeded(2)
    children = torch.tensor([space.crossover((0,) * 12, (3,) * 12, generator) for _ in range(2000)])
    assert torch.allclose(children.float().mean(0) / 3, torch.tensor(0.5), atol=0.05)


def test_dead_parents_and_wrong_rates_are_refused():
    dead, living = (NONE,) * 6, (CONV3,) * 6
    for draw in (
        lambda: NB201.mutate(dead, 0.1, seeded(0)),
        lambda: NB201.crossover(living, dead, seeded(0)),
    ):
        with pytest.raises(ValueError, match="is dead"):
            draw()
    with pytest.raises(ValueError, match="mutation rate 1.5"):
        NB201.mutate(living, 1.5, seeded(0))


# ---------------------------------------------------------------------------------------------- costs


@pytest.mark.parametrize(
    ("operation", "num_classes", "macs", "params"),
    [
        (CONV3, 10, 220_119_690, 1_531_546),
        (NONE, 10, 7_783_050, 73_306),
        (CONV3, 100, 220_125_540, 1_537_396),
        (SKIP, 100, 7_788_900, 79_156),
    ],
)
def test_cost_equals_the_published_extremes(operation, num_classes, macs, params):
    cost = NB201.cost((operation,) * 6, num_classes)
    assert (cost.macs, cost.params) == (macs, params)


def measured_cost(space, path, num_classes: int, image_size: int) -> tuple[int, int]:
    """What a forward pass of the real network multiplies, and what an optimiser would train."""
    net, macs = SubNet(space, path, num_classes).eval(), 0

    def count(module, inputs, output):
        nonlocal macs
        bias = 0 if module.bias is None else output.numel()
        macs += output.numel() * module.weight[0].numel() + bias

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        net(torch.zeros(1, 3, image_size, image_size))
    return macs, sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
@pytest.mark.parametrize("image_size", [8, 28, 30, 32, 33, 64])
def test_cost_is_what_the_network_has(space, image_size):
    path = tuple(gene % space.choices for gene in range(1, space.genes + 1))  # every operation, no dead node
    cost = space.cost(path, num_classes=7, image_size=image_size)
    assert (cost.macs, cost.params) == measured_cost(space, path, 7, image_size)


@pytest.mark.parametrize("odd", [{"num_classes": 0}, {"num_classes": -5}, {"image_size": 0}, {"image_size": 16.5}])
@pytest.mark.parametrize("space", [NB201, MacroSpace()], ids=lambda space: space.name)
def test_what_costs_nothing_is_refused(space, odd):
    with untyped(), pytest.raises(ValueError, match=f"{next(iter(odd))} is .*: expected a whole number"):
        space.cost((1,) * space.genes, **odd)


def test_images_too_small_for_the_macro_space_have_no_cost():
    """The network itself refuses them, too: the last pooling has nothing to pool."""
    space = MacroSpace(width=8, layers=(1, 1, 1))
    assert measured_cost(space, (1, 1, 1), 7, 7) == tuple(vars(space.cost((1, 1, 1), 7, 7)).values())
    with pytest.raises(RuntimeError):
        measured_cost(space, (1, 1, 1), 7, 6)
    with pytest.raises(ValueError, match="image_size is 6: expected a whole number from 7"):
        space.cost((1, 1, 1), 7, 6)


def test_half_of_all_paths_cost_less_than_the_median():
    space = CellSpace(cells=1)
    median, generator = median_cost(space, seeded(0), samples=4000), seeded(1)
    below = sum(space.cost(space.sample(generator)).macs <= median for _ in range(2000)) / 2000
    assert below == pytest.approx(0.5, abs=0.05)


def test_the_median_cost_is_the_middle_one():
    space, generator = MacroSpace(layers=(1, 1, 1)), seeded(0)
    costs = sorted(space.cost(space.sample(generator)).macs for _ in range(101))
    assert median_cost(space, seeded(0), samples=101) == costs[50] != sum(costs) / 101


@pytest.mark.parametrize("samples", [0, 1.5])
def test_a_median_of_no_paths_is_refused(samples):
    with untyped(), pytest.raises(ValueError, match=f"samples is {samples}: expected a whole number from 1"):
        median_cost(CellSpace(cells=1), seeded(0), samples=samples)


@pytest.mark.parametrize(
    "make",
    [
        lambda: CellSpace(stages=2),
        lambda: CellSpace(channels=0),
        lambda: CellSpace(cells=0),
        lambda: MacroSpace(width=31),
        lambda: MacroSpace(layers=(4, 0, 4)),
        lambda: MacroSpace(layers=(4, 4)),
        lambda: MacroSpace(layers=4),
        lambda: CellSpace(16.0, 1, 3),
        lambda: CellSpace(16, 1, 3.0),
        lambda: MacroSpace(width=32.0),
        lambda: MacroSpace(layers=(4, 4.0, 4)),
    ],
)
def test_impossible_spaces_are_refused(make):
    with untyped(), pytest.raises(ValueError, match="expected"):
        make()


def test_what_is_in_use_lies_on_a_way_from_input_to_output() -> None:
    """All 15,625 cells against their four ways by hand: 3; 0 and 4; 1 and 5; 0, 2 and 5."""
    ways = ((3,), (0, 4), (1, 5), (0, 2, 5))
    for cell in ALL_CELLS:
        open_ways = [way for way in ways if all(cell[edge] != NONE for edge in way)]
        kept = {edge for way in open_ways for edge in way}
        assert NB201.in_use(cell) == tuple(gene if edge in kept else NONE for edge, gene in enumerate(cell))
    three = CellSpace(4, 1, 3)
    assert three.in_use((3, NONE, NONE, NONE, NONE, NONE) * 3) == (NONE,) * 18
    assert MacroSpace(4, (2, 2, 2)).in_use((0, 1, 2, 3, 0, 1)) == (0, 1, 2, 3, 0, 1)
