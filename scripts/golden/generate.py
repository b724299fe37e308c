"""Write the golden logits: small safetensors files in tests/golden, one a case.

    python scripts/golden/generate.py [--check] [CASE…]

The networks are timm's and those of networks.py, the weights and inputs those of formula.py. Everything is
computed in f64 and only the logits are rounded to f32, so that any rounding to argue about is the other
side's. A file holds

- `logits`, f32 [batch, classes];
- `after.<point>`, f64 [2]: mean and (population) standard deviation of what leaves the stem and each stage,
  to tell where a network starts to differ;
- metadata: network, input shape, classes, bn3_scale (see formula.py), script, versions, date, and how far PyTorch's
  own f32 run is off.

With case names (`resnetrs50-2x3x1x160x160`), writes only those. `--check` writes nothing and compares with the
files that are there. Versions: requirements.txt.
"""

from __future__ import annotations

import argparse
import datetime
import time
from pathlib import Path
from typing import NamedTuple

import timm
import torch
from safetensors import safe_open
from torch import nn

import formula
import stable_safetensors
from networks import Inflated, ModelGarden

OUTPUT = Path(__file__).resolve().parents[2] / "tests/golden"

OURS = {"model-garden-50": ModelGarden, "inflated-50": Inflated}


class Case(NamedTuple):
    network: str
    shape: tuple[int, int, int, int, int]  # [batch, 3, frames, height, width]
    bn3_scale: float = 1.0  # see formula.fill

    @property
    def name(self) -> str:
        damped = "" if self.bn3_scale == 1.0 else "-damped"
        return f"{self.network}{damped}-{'x'.join(map(str, self.shape))}"


CASES = [
    Case("resnetrs50", (2, 3, 1, 160, 160)),
    Case("resnetrs50", (1, 3, 1, 127, 97)),
    # Undamped, RS-101 is chaotic: activations grow until the sigmoids of SE switch like thresholds, and two f32
    # runs differ by half of the logits. Damped, the same network is as calm as the others.
    Case("resnetrs101", (1, 3, 1, 160, 160), bn3_scale=0.5),
    Case("resnetrs101", (1, 3, 1, 97, 131), bn3_scale=0.5),
    Case("resnet50", (1, 3, 1, 97, 129)),
    Case("resnet50d", (1, 3, 1, 97, 129)),
    Case("seresnet50", (1, 3, 1, 97, 129)),
    Case("tf_efficientnet_b0", (1, 3, 1, 224, 224)),
    Case("tf_efficientnet_b0", (1, 3, 1, 97, 131)),
    Case("tf_efficientnet_b4", (1, 3, 1, 190, 190)),
    Case("tf_efficientnet_b4", (1, 3, 1, 97, 131)),
    Case("efficientnet_b0", (1, 3, 1, 224, 224)),
    Case("efficientnet_b0", (1, 3, 1, 97, 131)),
    Case("tf_efficientnet_lite0", (1, 3, 1, 224, 224)),
    Case("tf_efficientnet_lite0", (1, 3, 1, 131, 97)),
    Case("model-garden-50", (1, 3, 8, 64, 64)),
    Case("model-garden-50", (1, 3, 7, 45, 53)),
    Case("inflated-50", (1, 3, 8, 64, 64)),
    Case("inflated-50", (1, 3, 7, 45, 53)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the golden logits.")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    options = parser.parse_args()
    unknown = set(options.cases) - {case.name for case in CASES}
    if unknown:
        parser.error(f"no case {sorted(unknown)}; there are {[case.name for case in CASES]}")

    print(f"{'case':40} {'std':>10} {'min':>11} {'max':>11} {'f32 is off by':>14} {'seconds':>8}")
    for case in CASES:
        if options.cases and case.name not in options.cases:
            continue
        started = time.monotonic()
        tensors, f32_difference = compute(case)
        logits = tensors["logits"]
        spread = logits.std().item()
        assert logits.isfinite().all(), f"{case.name}: not finite"
        remark = "" if 1e-3 < spread < 1e4 else "  large or small: look before trusting"
        print(
            f"{case.name:40} {spread:10.4g} {logits.min().item():11.4g} {logits.max().item():11.4g} "
            f"{f32_difference:14.2e} {time.monotonic() - started:8.1f}{remark}",
            flush=True,
        )
        path = OUTPUT / f"{case.name}.safetensors"
        if options.check:
            compare(path, tensors)
        else:
            stable_safetensors.write(path, tensors, metadata(case, logits.shape[1], f32_difference))


@torch.inference_mode()
def compute(case: Case) -> tuple[dict[str, torch.Tensor], float]:
    """The tensors to store, and the relative difference of the same run in f32."""
    network, points = build(case.network)
    formula.fill(network, case.bn3_scale)
    clip = formula.input_tensor(case.shape)
    if case.network not in OURS:
        clip = clip.squeeze(2)
    in_f32 = network.float()(clip.float()).double()

    tensors: dict[str, torch.Tensor] = {}

    def summary(point: str):
        def record(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            tensors[f"after.{point}"] = torch.stack([output.mean(), output.std(correction=0)])

        return record

    # The formula's values are f32 numbers, so that nothing was lost on the way back to f64.
    network.double()
    for point, module in points.items():
        module.register_forward_hook(summary(point))
    logits = network(clip)
    tensors["logits"] = logits.float()
    return tensors, ((in_f32 - logits).abs().max() / logits.abs().max()).item()


def build(name: str) -> tuple[nn.Module, dict[str, nn.Module]]:
    """A network ready to run, and the modules whose outputs are summarised."""
    if name in OURS:
        network = OURS[name](50, 400)
    else:
        network = timm.create_model(name, pretrained=False)
    if hasattr(network, "blocks"):
        # timm's batch norms of an EfficientNet contain the activation.
        points = {"stem": network.bn1}
        points |= {f"blocks.{i}": stage for i, stage in enumerate(network.blocks)}
        points |= {"head": network.bn2}
    else:
        points = {"stem": network.maxpool}
        points |= {f"layer{i}": getattr(network, f"layer{i}") for i in range(1, 5)}
    return network.eval(), points


def metadata(case: Case, classes: int, f32_difference: float) -> dict[str, str]:
    return {
        "network": case.network,
        "input_shape": ",".join(map(str, case.shape)),
        "classes": str(classes),
        "bn3_scale": f"{case.bn3_scale:g}",
        "script": "scripts/golden/generate.py",
        "torch": torch.__version__.split("+")[0],
        "timm": timm.__version__,
        "date": datetime.date.today().isoformat(),
        "f32_relative_difference": f"{f32_difference:.2e}",
    }


def compare(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    with safe_open(path, "pt") as file:
        names = set(file.keys())
        assert names == tensors.keys(), f"{path.name}: tensors {sorted(names ^ tensors.keys())} differ"
        for name in names:
            stored, computed = file.get_tensor(name).double(), tensors[name].double()
            difference = ((stored - computed).abs().max() / stored.abs().max()).item()
            assert difference < 1e-6, f"{path.name}: `{name}` differs by {difference:.1e}"


if __name__ == "__main__":
    main()
