"""Grad-CAM by PyTorch's own gradients: tests/golden/explain.json.

    python scripts/golden/explain.py [OUTPUT]

Two narrow networks with weights from the formula, in f64: pytorchvideo's ResNet, whose head averages windows of a map that is larger than
they are, and the inflated ResNet-RS-26 of `networks.py`, with squeeze-and-excitation. The map is that of the last block's output A: with
the logit y of a class, alpha = mean of dy/dA over frames, rows and columns, and heat = max(sum over channels of alpha * A, 0)
(Selvaraju et al. 2017, equations 1 and 2). Needs torch and pytorchvideo 0.1.5.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch
from pytorchvideo.models.resnet import create_resnet
from torch import nn

import formula
import slow
from networks import Inflated

OUTPUT = Path(__file__).resolve().parents[2] / "tests/golden/explain.json"


def narrow_slow() -> tuple[nn.Module, nn.Module]:
    network = create_resnet(
        stem_dim_out=8, model_num_class=10, stem_conv_kernel_size=(1, 7, 7), head_pool_kernel_size=(8, 7, 7)
    )
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensor.copy_(torch.from_numpy(formula.values(slow.ours(name), tuple(tensor.shape))))
    return network, network.blocks[4]


def narrow_inflated() -> tuple[nn.Module, nn.Module]:
    network = Inflated(26, 10, scale=0.25)
    formula.fill(network)
    return network, network.layer4


def explain(network: nn.Module, last: nn.Module, clip: torch.Tensor, classes: list[int]) -> tuple[list, list[dict]]:
    noted: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda _module, _inputs, output: noted.append(output))
    logits = network(clip)
    hook.remove()
    maps = []
    for place in classes:
        chosen = int(logits[0].argsort(descending=True)[place])
        (gradient,) = torch.autograd.grad(logits[0, chosen], noted[0], retain_graph=True)
        heat = (gradient.mean((2, 3, 4), keepdim=True) * noted[0]).sum(1).relu()[0].detach()
        maps.append({"class": chosen, "shape": list(heat.shape), "heat": [float(f"{v:.9g}") for v in heat.flatten()]})
    return [float(f"{v:.9g}") for v in logits[0].detach()], maps


def main() -> None:
    cases = []
    for name, build, shape in [
        ("slow-r50, width 1/8", narrow_slow, (1, 3, 8, 256, 288)),
        ("resnet3d-rs-26-inflated, width 1/4", narrow_inflated, (1, 3, 8, 96, 128)),
    ]:
        with torch.no_grad():
            network, last = build()
        logits, maps = explain(network.double().eval(), last, formula.input_tensor(shape), [0, 1, 9])
        print(name, [f"class {found['class']}: heat to {max(found['heat']):.4g}" for found in maps])
        cases.append({"network": name, "input_shape": list(shape), "logits": logits, "maps": maps})
    made = {"by": "scripts/golden/explain.py", "date": date.today().isoformat(), "torch": torch.__version__,
            "pytorchvideo": version("pytorchvideo")}
    text = json.dumps({"made": made, "cases": cases}, separators=(",", ":"))
    Path(sys.argv[1] if len(sys.argv) > 1 else OUTPUT).write_text(text.replace('{"class"', '\n{"class"') + "\n")


if __name__ == "__main__":
    main()
