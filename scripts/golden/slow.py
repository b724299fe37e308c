"""pytorchvideo's own slow_r50 with weights from the formula: names, logits, counts.

    python scripts/golden/slow.py [--weights FOLDER]

Writes

- `tests/golden/slow_r50-*.safetensors`: logits, as `generate.py` has them; `pooled` is the same network with a head that averages
  the whole map at once, as mmaction2's SlowOnly does;
- `tests/golden/slow-names.txt`: every tensor of the state dict with its name here, in pytorchvideo, in mmaction2, and its shape.

`--weights` also writes the two checkpoints as their projects publish them (130 MB each), for `reelnet import`. The formula's values belong
to the names here, so the renaming in this file is written independently of the one in `reelnet-models`. mmaction2 is not installed;
its names are those of its ConvModules, and its network with these settings is the same but for the head.
Needs torch, pytorchvideo 0.1.5 and safetensors.
"""

from __future__ import annotations

import argparse
import datetime
import re
from importlib.metadata import version
from pathlib import Path

import torch
from pytorchvideo.models.hub import slow_r50
from torch import nn

import formula
import stable_safetensors

OUTPUT = Path(__file__).resolve().parents[2] / "tests/golden"
SHAPES = [("slow_r50", (1, 3, 8, 256, 256)), ("slow_r50", (1, 3, 8, 225, 257)), ("slow_r50-pooled", (1, 3, 8, 225, 257))]
LAYERS = {"a": "1", "b": "2", "c": "3"}


def ours(name: str) -> str:
    name = re.sub(r"^blocks\.0\.conv\.", "conv1.", name)
    name = re.sub(r"^blocks\.0\.norm\.", "bn1.", name)
    name = re.sub(r"^blocks\.5\.proj\.", "fc.", name)
    name = re.sub(r"^blocks\.(\d)\.res_blocks\.", r"layer\1.", name)
    name = name.replace("branch1_conv.", "downsample.0.").replace("branch1_norm.", "downsample.1.")
    name = re.sub(r"branch2\.conv_([abc])\.", lambda found: f"conv{LAYERS[found[1]]}.", name)
    return re.sub(r"branch2\.norm_([abc])\.", lambda found: f"bn{LAYERS[found[1]]}.", name)


def mmaction(name: str) -> str:
    if name.startswith("fc."):
        return f"cls_head.fc_cls.{name.removeprefix('fc.')}"
    name = name.replace("downsample.0.", "downsample.conv.").replace("downsample.1.", "downsample.bn.")
    name = re.sub(r"\bconv(\d)\.", r"conv\1.conv.", name)
    return "backbone." + re.sub(r"\bbn(\d)\.", r"conv\1.bn.", name)


def build(name: str) -> nn.Module:
    network = slow_r50()
    if name.endswith("pooled"):
        network.blocks[5].pool = nn.AdaptiveAvgPool3d(1)
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensor.copy_(torch.from_numpy(formula.values(ours(name), tuple(tensor.shape))))
    return network.eval()


def count_macs(network: nn.Module, clip: torch.Tensor) -> int:
    macs = 0

    def conv(module: nn.Conv3d, _inputs: object, output: torch.Tensor) -> None:
        nonlocal macs
        macs += output.numel() * module.weight[0].numel()

    hooks = [module.register_forward_hook(conv) for module in network.modules() if isinstance(module, nn.Conv3d)]
    network(clip)
    for hook in hooks:
        hook.remove()
    return macs


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description="Golden values of slow_r50.")
    parser.add_argument("--weights", type=Path, metavar="FOLDER")
    options = parser.parse_args()

    for case, shape in SHAPES:
        network = build(case)
        clip = formula.input_tensor(shape)
        in_f32 = network(clip.float()).double()
        logits = network.double()(clip)
        difference = ((in_f32 - logits).abs().max() / logits.abs().max()).item()
        path = OUTPUT / f"{case}-{'x'.join(map(str, shape))}.safetensors"
        metadata = {
            "network": case, "input_shape": ",".join(map(str, shape)), "classes": "400", "bn3_scale": "1",
            "script": "scripts/golden/slow.py", "torch": torch.__version__.split("+")[0],
            "pytorchvideo": version("pytorchvideo"), "date": datetime.date.today().isoformat(),
            "f32_relative_difference": f"{difference:.2e}",
        }  # fmt: skip
        stable_safetensors.write(path, {"logits": logits.float()}, metadata)
        print(f"{path.name}: std {logits.std():.4g}, largest {logits.abs().max():.4g}, f32 off by {difference:.2e}")

    network = build("slow_r50")
    state = network.state_dict()
    named = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    lines = [f"{ours(n)} {n} {mmaction(ours(n))} {'x'.join(map(str, t.shape))}\n" for n, t in named.items()]
    (OUTPUT / "slow-names.txt").write_text("".join(lines))
    clip = formula.input_tensor((1, 3, 8, 256, 256)).float()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{len(named)} tensors, {parameters} parameters, {count_macs(network, clip)} MACs of convolutions at 8x256x256")
    if options.weights:
        options.weights.mkdir(parents=True, exist_ok=True)
        torch.save({"model_state": state, "epoch": 196}, options.weights / "SLOW_8x8_R50.pyth")
        theirs = {mmaction(ours(name)): tensor for name, tensor in state.items()}
        torch.save({"meta": {}, "state_dict": theirs}, options.weights / "slowonly_r50.pth")


if __name__ == "__main__":
    main()
