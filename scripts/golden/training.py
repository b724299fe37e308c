"""Golden values of training: optimizers, schedules, the average's decay, label smoothing.

    python scripts/golden/training.py            writes crates/reelnet-train/golden/training.json
    python scripts/golden/training.py --check    compares instead

SGD and AdamW are PyTorch's own, schedules PyTorch's and the published formulas in numpy, RMSProp is TensorFlow's written out in
numpy from its documentation (mean squares from 1, epsilon under the root, the rate inside the velocity), label smoothing is
PyTorch's cross-entropy. Nothing here was made from the Rust code. There is no randomness.
"""

import datetime
import json
import sys
from pathlib import Path

import numpy as np
import torch

OUT = Path(__file__).parents[2] / "crates/reelnet-train/golden/training.json"
COUNT = 10
STEPS = 6
DECAY = 0.02
RATES = [0.0, 0.05, 0.2, 0.1, 0.03, 0.3]


def weights(name: str) -> np.ndarray:
    phase = 0.3 if name == "fc.bias" else 1.1
    return np.sin(np.arange(COUNT) + phase)


def gradient(name: str, step: int) -> np.ndarray:
    phase = 0.7 if name == "fc.bias" else 0.2
    return np.cos(np.arange(COUNT) * 0.7 + phase + step)


def torch_run(make) -> dict[str, list[list[float]]]:
    """fc.bias decays, bn1.weight does not."""
    parameters = {name: torch.nn.Parameter(torch.tensor(weights(name))) for name in ["fc.bias", "bn1.weight"]}
    groups = [
        {"params": [parameters["fc.bias"]], "weight_decay": DECAY},
        {"params": [parameters["bn1.weight"]], "weight_decay": 0.0},
    ]
    optimizer = make(groups)
    seen = {name: [] for name in parameters}
    for step, rate in enumerate(RATES):
        for group in optimizer.param_groups:
            group["lr"] = rate
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(gradient(name, step))
        optimizer.step()
        for name, parameter in parameters.items():
            seen[name].append(parameter.detach().tolist())
    return seen


def rmsprop(decay: float, momentum: float, epsilon: float) -> dict[str, list[list[float]]]:
    seen = {}
    for name, weight_decay in [("fc.bias", DECAY), ("bn1.weight", 0.0)]:
        w, square, velocity = weights(name), np.ones(COUNT), np.zeros(COUNT)
        seen[name] = []
        for step, rate in enumerate(RATES):
            g = gradient(name, step) + weight_decay * w
            square = decay * square + (1 - decay) * g * g
            velocity = momentum * velocity + rate * g / np.sqrt(square + epsilon)
            w = w - velocity
            seen[name].append(w.tolist())
    return seen


def cosine() -> dict[str, float]:
    """ResNet-RS-50: 1.6 at batch 4096, 312 steps an epoch, 350 epochs, 5 of them a line from 0 to where the curve goes on."""
    steps, warmup, peak = 109_200, 1_560, 1.6
    curve = lambda step: peak * 0.5 * (1 + np.cos(np.pi * step / steps))
    rate = lambda step: curve(step) if step >= warmup else curve(warmup) * step / warmup
    return {str(step): float(rate(step)) for step in [0, 1, 779, 1_559, 1_560, 1_561, 50_000, 109_199]}


def stairs() -> dict[str, float]:
    """0.1, over 10 at epochs 30, 60 and 80, ten steps an epoch, by PyTorch's own scheduler."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[300, 600, 800], gamma=0.1)
    rates = {}
    for step in range(900):
        if step in [0, 299, 300, 599, 600, 799, 800, 899]:
            rates[str(step)] = scheduler.get_last_lr()[0]
        optimizer.step()
        scheduler.step()
    return rates


def average() -> dict:
    """tf.train.ExponentialMovingAverage with num_updates: the smaller of the decay and (1 + t) / (10 + t)."""
    value, average = 1.0, 1.0
    seen, decays = [], {}
    for step in range(1, 21):
        decay = min(0.6, (1 + step) / (10 + step))
        value = np.cos(step)
        average = decay * average + (1 - decay) * value
        seen.append(float(average))
    for step in [1, 2, 10, 1_000, 89_980, 89_981, 200_000]:
        decays[str(step)] = min(0.9999, (1 + step) / (10 + step))
    return {"decay": 0.6, "of_cosines": seen, "decays_of_0.9999": decays}


def smoothing() -> dict:
    logits = np.sin(np.arange(12.0) * 1.7).reshape(3, 4) * 3
    labels = [1, 3, 0]
    losses = torch.nn.functional.cross_entropy(
        torch.tensor(logits), torch.tensor(labels), label_smoothing=0.1, reduction="none"
    )
    return {"logits": logits.tolist(), "labels": labels, "losses": losses.tolist()}


def values() -> dict:
    return {
        "weight_decay": DECAY,
        "rates": RATES,
        "sgd": torch_run(lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9)),
        "nesterov": torch_run(lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)),
        "adamw": torch_run(lambda groups: torch.optim.AdamW(groups, lr=0.1, betas=(0.9, 0.99), eps=1e-6)),
        "rms-prop": rmsprop(0.9, 0.9, 1e-3),
        "cosine": cosine(),
        "stairs": stairs(),
        "average": average(),
        "smoothing": smoothing(),
    }


def main() -> None:
    made = values()
    if "--check" in sys.argv:
        committed = json.loads(OUT.read_text())
        del committed["made_with"]
        assert json.dumps(committed) == json.dumps(made), "the committed values are others"
        return
    today = datetime.date.today().isoformat()
    made_with = {"script": "scripts/golden/training.py", "torch": torch.__version__, "numpy": np.__version__, "date": today}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"made_with": made_with, **made}, indent=1) + "\n")


if __name__ == "__main__":
    main()
