"""Golden values of two training steps of a narrow 3D ResNet-RS-26: tests/golden/step-inflated-26.safetensors.

    python scripts/golden/step.py            writes it
    python scripts/golden/step.py --check    compares instead

PyTorch in f64: forward in training mode, cross-entropy with label smoothing, backward, SGD with momentum; weights and clips
from formula.py. There is no dropout, so there is no randomness. A file holds, all f64,

- `losses` [steps, batch]: of each clip, before each step;
- `logits` [batch, classes]: before the first step;
- `norm.<parameter>` [1] and `gradient.<parameter>` [samples]: of the mean loss's gradient in the first step, its norm and
  evenly spread entries of it (see `spread`);
- `weight.<parameter>` [samples]: after the last step, the same entries;
- `statistic.<name>` [channels]: running statistics after the first step, which moves them by `bn_update_rate` towards the
  batch's. PyTorch's variance, over one less than the count, is put back to the mean of squares that networks here use;
- `f32.<parameter>` [1]: how far PyTorch's own f32 run of the gradient is from it, relative to the norm.
"""

from __future__ import annotations

import datetime
import math
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

import formula
import stable_safetensors
from networks import Inflated

OUT = Path(__file__).resolve().parents[2] / "tests/golden/step-inflated-26.safetensors"

DEPTH, WIDTH, CLASSES = 26, 0.25, 10
SHAPE = (3, 3, 4, 48, 40)
LABELS = [7, 0, 3]
SMOOTHING = 0.1
BN3_SCALE = 0.5
BN_UPDATE_RATE = 0.25
LEARNING_RATE, MOMENTUM = 0.02, 0.9
STEPS = 2
SAMPLES = 12


def main() -> None:
    tensors = run(torch.float64)
    single = run(torch.float32)
    for name in [name for name in tensors if name.startswith("gradient.")]:
        parameter = name.removeprefix("gradient.")
        apart = (tensors[f"whole.{parameter}"] - single[f"whole.{parameter}"]).norm() / tensors[f"norm.{parameter}"]
        tensors[f"f32.{parameter}"] = apart.reshape(1)
    tensors = {name: tensor.double() for name, tensor in tensors.items() if not name.startswith("whole.")}
    worst = max((tensor.item(), name) for name, tensor in tensors.items() if name.startswith("f32."))
    print(f"losses {tensors['losses'].tolist()}; PyTorch's own f32 gradients are off by up to {worst[0]:.1e} ({worst[1]})")
    if "--check" in sys.argv:
        compare(tensors)
    else:
        stable_safetensors.write(OUT, tensors, metadata())


def run(dtype: torch.dtype) -> dict[str, Tensor]:
    network = Inflated(DEPTH, CLASSES, WIDTH)
    formula.fill(network, BN3_SCALE)
    network = network.to(dtype).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.momentum = BN_UPDATE_RATE
            module.register_forward_hook(count_samples)
    clips, labels = formula.input_tensor(SHAPE).to(dtype), torch.tensor(LABELS)
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    found, losses = {}, []
    for step in range(STEPS):
        before = {name: buffer.clone() for name, buffer in network.named_buffers()}
        logits = network(clips)
        each = nn.functional.cross_entropy(logits, labels, label_smoothing=SMOOTHING, reduction="none")
        optimizer.zero_grad()
        each.mean().backward()
        losses.append(each.detach())
        if step == 0:
            found["logits"] = logits.detach()
            found |= gradients(network) | statistics(network, before)
        optimizer.step()
    found["losses"] = torch.stack(losses)
    return found | {f"weight.{name}": spread(p.detach()) for name, p in network.named_parameters()}


def count_samples(module: nn.Module, inputs: tuple[Tensor], _output: Tensor) -> None:
    module.samples = inputs[0].numel() // inputs[0].shape[1]


def gradients(network: nn.Module) -> dict[str, Tensor]:
    found = {}
    for name, parameter in network.named_parameters():
        found[f"norm.{name}"] = parameter.grad.norm().reshape(1)
        found[f"gradient.{name}"] = spread(parameter.grad)
        found[f"whole.{name}"] = parameter.grad.clone()
    return found


def statistics(network: nn.Module, before: dict[str, Tensor]) -> dict[str, Tensor]:
    found = {}
    for path, module in network.named_modules():
        if isinstance(module, nn.BatchNorm3d):
            found[f"statistic.{path}.running_mean"] = module.running_mean.clone()
            kept = before[f"{path}.running_var"] * (1 - BN_UPDATE_RATE)
            biased = (module.running_var - kept) * (module.samples - 1) / module.samples
            found[f"statistic.{path}.running_var"] = kept + biased
    return found


def spread(tensor: Tensor) -> Tensor:
    """Entries at `i * count // samples` of the flat tensor, all of a small one."""
    flat = tensor.reshape(-1)
    samples = min(SAMPLES, len(flat))
    return flat[[i * len(flat) // samples for i in range(samples)]].clone()


def metadata() -> dict[str, str]:
    return {
        "network": "inflated-26",
        "width": f"{WIDTH:g}",
        "classes": str(CLASSES),
        "input_shape": ",".join(map(str, SHAPE)),
        "labels": ",".join(map(str, LABELS)),
        "label_smoothing": f"{SMOOTHING:g}",
        "bn3_scale": f"{BN3_SCALE:g}",
        "bn_update_rate": f"{BN_UPDATE_RATE:g}",
        "learning_rate": f"{LEARNING_RATE:g}",
        "momentum": f"{MOMENTUM:g}",
        "script": "scripts/golden/step.py",
        "torch": torch.__version__.split("+")[0],
        "date": datetime.date.today().isoformat(),
    }


def compare(tensors: dict[str, Tensor]) -> None:
    with safe_open(OUT, "pt") as file:
        assert set(file.keys()) == tensors.keys(), "the file holds other tensors"
        for name in file.keys():
            stored = file.get_tensor(name)
            if name.startswith("f32."):
                continue  # another processor rounds otherwise
            difference = (stored - tensors[name]).abs().max() / max(stored.abs().max(), 1e-12)
            assert difference < 1e-9 and not math.isnan(difference), f"`{name}` differs by {difference:.1e}"


if __name__ == "__main__":
    main()
