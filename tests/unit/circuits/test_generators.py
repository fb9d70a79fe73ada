"""Every exact block equals the operation over all operands; wide ones at random and at the corners."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inexact.circuits import ADDERS, Builder, add_columns, adder, evaluate, multiplier, synthesize, table, table_compressor
from inexact.circuits.columns import Compressor
from inexact.circuits.multipliers import KINDS
from inexact.circuits.words import decode, encode, leading_one, select, shift_left, shift_right
from inexact.core.errors import CircuitError, SpecError, UnknownNameError

WIDTHS = [(2, 2), (3, 3), (4, 4), (8, 8), (2, 5), (5, 2), (7, 3), (8, 4)]


def operands(bits: int, signed: bool) -> NDArray[np.int64]:
    patterns = np.arange(1 << bits, dtype=np.int64)
    return np.where(patterns >> (bits - 1) == 1, patterns - (1 << bits), patterns) if signed else patterns


def corners(bits: int, signed: bool, rng: np.random.Generator) -> NDArray[np.int64]:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    edge = [low, low + 1, high, high - 1, 0, 1, high // 3, min(-low, high) // 2]
    return np.concatenate([edge, rng.integers(low, high, 3000, endpoint=True)])


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", WIDTHS)
def test_multiplier_equals_the_product(width: tuple[int, int], kind: str, signed: bool) -> None:
    exact = np.multiply.outer(operands(width[0], signed), operands(width[1], signed))
    for final in ADDERS:
        np.testing.assert_array_equal(table(multiplier(width, kind=kind, signed=signed, adder=final)), exact)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("kind", ADDERS)
@pytest.mark.parametrize("width", [*WIDTHS, (1, 1), (1, 4)])
def test_adder_equals_the_sum(width: tuple[int, int], kind: str, signed: bool) -> None:
    exact = np.add.outer(operands(width[0], signed), operands(width[1], signed))
    np.testing.assert_array_equal(table(adder(width, kind=kind, signed=signed)), exact)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("width", [(16, 16), (32, 32), (31, 17), (2, 32), (12, 20)])
def test_wide_blocks(width: tuple[int, int], signed: bool) -> None:
    rng = np.random.default_rng(sum(width))
    a, b = rng.permutation(corners(width[0], signed, rng)), corners(width[1], signed, rng)
    for kind in KINDS:
        result = evaluate(multiplier(width, kind=kind, signed=signed), a, b)
        np.testing.assert_array_equal(result, a * b)  # both wrap modulo 2**64 only at 32x32 unsigned, and alike
    for kind in ADDERS:
        np.testing.assert_array_equal(evaluate(adder(width, kind=kind, signed=signed), a, b), a + b)


def test_textbook_counts() -> None:
    for n in (4, 8, 16):
        for kind in ("array", "dadda"):
            assert multiplier(n, kind=kind).counts() == {"and": n * n, "half": n, "full": n * (n - 2)}
    assert adder(8).counts() == {"half": 1, "full": 7}
    assert multiplier(16, kind="dadda", adder="kogge_stone").levels() < multiplier(16, kind="array").levels() // 2


def test_cells_left_out_are_not_built() -> None:
    kept = np.add.outer(np.arange(8), np.arange(8)) >= 6
    short = multiplier(8, kept=kept)
    a = operands(8, False)
    lost = sum((((a >> i) & 1)[:, None] * ((a >> j) & 1)[None, :]) << (i + j) for i in range(8) for j in range(8) if i + j < 6)
    np.testing.assert_array_equal(table(short), np.multiply.outer(a, a) - lost)
    assert short.counts()["and"] == 64 - 21
    np.testing.assert_array_equal(table(multiplier(8, kept=kept, constant=17)), np.multiply.outer(a, a) - lost + 17)
    with pytest.raises(CircuitError, match=r"kept must be \[8, 8\]"):
        multiplier(8, kept=kept[1:])
    with pytest.raises(CircuitError, match="kept needs partial products by AND"):
        multiplier(8, kind="booth", kept=kept)


def test_approximate_counter_in_chosen_columns() -> None:
    """A 4:2 counter that says 3 for four ones, in the columns below 4 only: the error is known bit for bit."""
    wrong = table_compressor([min(bin(k).count("1"), 3) for k in range(16)], inputs=4)

    def choose(stage: int, column: int, bits: int) -> Compressor:
        full = Compressor(3, lambda b, w: b.full_adder(*w))
        half = Compressor(2, lambda b, w: b.half_adder(*w))
        return wrong if column < 4 and bits >= 4 else full if bits >= 3 else half

    b = Builder("columns")
    x, y = b.input("a", 4), b.input("b", 4)
    columns = [[*(x[k : k + 1]), *(y[k : k + 1]), *(x[k : k + 1]), *(y[k : k + 1])] for k in range(4)] + [[], []]
    b.output("y", add_columns(b, columns, tree="wallace", choose=choose))
    v = np.arange(16)
    exact = 2 * np.add.outer(v, v)
    both = v[:, None] & v[None, :]
    np.testing.assert_array_equal(table(b.build()), exact - both)


@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 5, 6])
def test_synthesis_of_random_truth_tables(inputs: int) -> None:
    rng = np.random.default_rng(inputs)
    rows = rng.integers(0, 2, (3, 1 << inputs))
    b = Builder("logic")
    b.output("y", synthesize(b, rows.tolist(), b.input("x", inputs)))
    np.testing.assert_array_equal(table(b.build()), rows[0] + 2 * rows[1] + 4 * rows[2])


def test_synthesis_finds_small_gates() -> None:
    b = Builder("logic")
    x = b.input("x", 3)
    majority = [[0, 0, 0, 1, 0, 1, 1, 1]]
    parity = [[0, 1, 1, 0, 1, 0, 0, 1]]
    assert synthesize(b, [[0] * 8, [1] * 8], x) == (0, 1)
    b.output("y", synthesize(b, parity + majority, x))
    assert b.build().counts() == {"and": 1, "or": 1, "mux": 1, "xor": 2}
    with pytest.raises(CircuitError, match="at most 8 inputs, not 9"):
        synthesize(b, [[0] * 512], [0] * 9)
    with pytest.raises(CircuitError, match="must have 8 entries of 0 or 1"):
        synthesize(b, [[0] * 7], x)


def test_words() -> None:
    v = np.arange(64)
    b = Builder("words")
    x, amount = b.input("x", 6), b.input("n", 3)
    lines = leading_one(b, x)
    b.output("one", lines)
    b.output("place", encode(b, lines))
    b.output("left", shift_left(b, x, amount))
    b.output("right", shift_right(b, x, amount))
    b.output("hot", decode(b, amount))
    b.output("picked", select(b, decode(b, amount[:1]), [x, amount]))
    word = table(b.build())
    fields, place = [], 0
    for width in (6, 3, 13, 6, 8, 6):
        fields.append((word >> place) & ((1 << width) - 1))
        place += width
    place_of = np.where(v > 0, np.floor(np.log2(np.maximum(v, 1))), 0).astype(int)
    n = np.arange(8)
    np.testing.assert_array_equal(fields[0], np.where(v > 0, 1 << place_of, 0)[:, None] + 0 * n)
    np.testing.assert_array_equal(fields[1], place_of[:, None] + 0 * n)
    np.testing.assert_array_equal(fields[2], v[:, None] << n)
    np.testing.assert_array_equal(fields[3], v[:, None] >> n)
    np.testing.assert_array_equal(fields[4], (1 << n) + 0 * v[:, None])
    np.testing.assert_array_equal(fields[5], np.where(n & 1, n, v[:, None]))


def test_refusals() -> None:
    with pytest.raises(SpecError, match=r"width must be bits of an operand \(2..32\), not 33"):
        multiplier(33)
    with pytest.raises(UnknownNameError, match="no exact multiplier is called 'dada'; did you mean 'dadda'"):
        multiplier(8, kind="dada")
    with pytest.raises(UnknownNameError, match="no exact adder is called 'rippel'; did you mean 'ripple'"):
        multiplier(8, adder="rippel")
    b = Builder("x")
    with pytest.raises(UnknownNameError, match="no reduction is called 'tree'"):
        add_columns(b, [[]], tree="tree")
