"""Accuracy and paired drops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact.core.errors import DataError
from inexact.nn import batches, evaluate


class Fixed(nn.Module):
    """Answers a given class for each input, which is its own index."""

    def __init__(self, answers: list[int], classes: int = 3) -> None:
        super().__init__()
        self.answers = torch.tensor(answers)
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.one_hot(self.answers[x.long()], self.classes).float()


LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
DATA = [(torch.arange(8.0)[:5], LABELS[:5]), (torch.arange(8.0)[5:], LABELS[5:])]


def test_drop_counts_the_same_images() -> None:
    reference = Fixed([0, 1, 2, 0, 1, 2, 0, 0])  # 7 of 8
    candidate = Fixed([0, 1, 2, 0, 2, 0, 0, 1])  # 6 of 8: loses two, wins one
    found = evaluate(candidate, DATA, reference=reference, reference_int8=evaluate(reference, DATA))
    assert found.top1 == 75.0
    assert found.n == 8
    assert found.drop == pytest.approx(12.5)
    assert found.drop_int8 == found.drop
    assert found.drop_ci is not None
    assert found.drop_ci[0] < 12.5 < found.drop_ci[1]
    assert found.p_value == pytest.approx(1.0)
    assert found.correct.tolist() == [True] * 4 + [False, False, True, True]
    assert found.to_json()["n"] == 8


def test_a_pair_is_inputs_with_their_labels() -> None:
    images = torch.arange(12.0).reshape(4, 3)
    pair = [(len(inputs), None if labels is None else labels.tolist()) for inputs, labels in batches((images, LABELS[:4]), 3)]
    assert pair == [(3, [0, 1, 2]), (1, [0])]
    two = [(len(inputs), labels) for inputs, labels in batches((images, images), 3)]
    assert two == [(4, None), (4, None)]  # two batches of inputs
    found = evaluate(nn.Linear(3, 3), (images, LABELS[:4]))
    assert found.n == 4


def test_arrays_are_data() -> None:
    inputs, labels = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 1, 2, 0])
    found = list(batches((inputs, labels), 3))
    assert [(x.dtype, len(x)) for x, _ in found] == [(torch.float32, 3), (torch.float32, 1)]
    assert evaluate(nn.Linear(3, 3), (inputs, labels)).n == evaluate(nn.Linear(3, 3), [(inputs, labels)]).n == 4
    assert [len(x) for x, _ in batches(inputs, 3)] == [3, 1]


@pytest.mark.parametrize(
    ("labels", "came"), [(LABELS[:3], r"int64 \[3\] for 4 inputs"), (LABELS[:4].float(), r"float32 \[4\] for 4 inputs")]
)
def test_labels_that_are_none(labels: Tensor, came: str) -> None:
    with pytest.raises(DataError, match=f"labels must be integers, the numbers of classes, one for each input, not {came}"):
        evaluate(nn.Linear(3, 3), (torch.zeros(4, 3), labels))


def test_an_evaluation_prints_as_the_command_does() -> None:
    assert str(evaluate(Fixed([0] * 8), DATA)) == "top-1 37.50 % [13.68, 69.43] on 8 images"
    found = evaluate(Fixed([0, 1, 2, 0, 2, 0, 0, 1]), DATA, reference=Fixed([0, 1, 2, 0, 1, 2, 0, 0]))
    assert str(found).splitlines()[1].startswith("drop +12.50 points [")
    assert str(found).endswith("] against float32, paired, 95 % interval")
    assert found._repr_html_().startswith("<pre>top-1 75.00 % [")


def test_labels_out_of_range() -> None:
    with pytest.raises(DataError, match=r"labels must be 0\.\.2 for this network of 3 classes; found 7"):
        evaluate(Fixed([0]), [(torch.zeros(1), torch.tensor([7]))])


def test_empty_and_unlabelled_data() -> None:
    with pytest.raises(DataError, match="data must hold at least one image; it is empty"):
        evaluate(Fixed([0]), [])
    with pytest.raises(DataError, match="accuracy needs labels"):
        evaluate(Fixed([0]), torch.zeros(3))


def test_reference_of_another_length() -> None:
    with pytest.raises(DataError, match="a reference must be evaluated on the same 8 images; it has 5"):
        evaluate(Fixed([0] * 8), DATA, reference=evaluate(Fixed([0] * 8), DATA[:1]))


def test_training_mode_is_restored() -> None:
    model = Fixed([0] * 8).train()
    evaluate(model, DATA)
    assert model.training
