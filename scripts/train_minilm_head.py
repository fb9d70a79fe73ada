"""Fit the head of MiniLM that the package carries: logistic regression on frozen embeddings of the training mails.

Run from the project folder after `inexact data fetch spamassassin`: python scripts/train_minilm_head.py
The penalty is chosen on the validation mails; the test mails are only counted.
"""

import datetime
import time

import torch
from safetensors.torch import save
from torch import Tensor, nn

from inexact import zoo
from inexact.core.files import sha256, write_bytes
from inexact.zoo import _minilm
from inexact.zoo._card import Card, measure, write_card

DATA = "spamassassin"
PENALTIES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)


def embedded(model: _minilm.MiniLM, tokens: Tensor) -> Tensor:
    """[N, 384], frozen."""
    with torch.no_grad():
        return torch.cat([model.embed(part) for part in tokens.split(64)])


def fitted(features: Tensor, labels: Tensor, penalty: float) -> nn.Linear:
    """The head with the least cross entropy plus `penalty` times the squared weights; a convex problem, so no seed matters."""
    head = nn.Linear(features.shape[1], 2).double()
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    solver = torch.optim.LBFGS(head.parameters(), max_iter=2000, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = nn.functional.cross_entropy(head(features.double()), labels) + penalty * head.weight.square().sum()
        value.backward()
        return value

    solver.step(loss)
    return head.float()


def main() -> None:
    """Fit, choose, measure, write."""
    start = time.perf_counter()
    splits = {name: zoo.data(DATA, name) for name in zoo.SPLITS}
    model = _minilm.MiniLM(2).eval()
    model.load_state_dict(_minilm.encoder_weights(), strict=False)
    train, validation = (embedded(model, splits[name].images) for name in ("train", "validation"))
    heads = {penalty: fitted(train, splits["train"].labels, penalty) for penalty in PENALTIES}
    right = {p: int((head(validation).argmax(1) == splits["validation"].labels).sum()) for p, head in heads.items()}
    best = max(right, key=lambda penalty: (right[penalty], penalty))
    model.head = heads[best]
    content = save({f"head.{name}": value.detach().contiguous() for name, value in model.head.state_dict().items()})
    path = _minilm.head_path(DATA)
    path.parent.mkdir(exist_ok=True)
    write_bytes(path, content)
    card = Card(
        network=_minilm.NAME,
        data=DATA,
        images=len(splits["train"]),
        command="python scripts/train_minilm_head.py",
        epochs=1,
        seed=0,
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        seconds=round(time.perf_counter() - start, 1),
        torch=torch.__version__.partition("+")[0],
        recipe={"head": "logistic regression on frozen embeddings", "penalty": best, "penalties": list(PENALTIES)},
        parameters=sum(p.numel() for p in model.head.parameters()),
        accuracy=tuple(measure(model, splits[name], batch_size=64) for name in ("validation", "test")),
        sha256=sha256(content),
    )
    write_card(path, card)


if __name__ == "__main__":
    main()
