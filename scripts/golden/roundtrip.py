"""Exchange weights with Python: write what a PyTorch user would write, load what we wrote.

    python scripts/golden/roundtrip.py write OUT.safetensors NETWORK [--seed 0] [--classes 1000]
    python scripts/golden/roundtrip.py load FILE.safetensors NETWORK [--input X --logits Y] [--tolerance 1e-4]
    python scripts/golden/roundtrip.py pth OUT_ZIP.pth OUT_LEGACY.pth

NETWORK is a name of timm's (`resnetrs50`, `tf_efficientnet_b0`, …).

`write` fills the network at random, running statistics too, and saves its state dict with
safetensors.torch.save_file. Beside it, OUT.golden.safetensors holds `clips` [1, 3, 1, 96, 96] and the f64
network's `logits`.

`load` loads a file with strict=True, which accepts a file without `num_batches_tracked` but nothing else
missing or added. Then it runs the tensor `clips` of X ([N, 3, 1, H, W] or [N, 3, H, W]) and compares with the
tensor `logits` of Y: the largest difference, relative to the largest logit. Exit code 1 when above tolerance.

`pth` writes one small state dict in the zip format of today's torch.save and in the legacy format of torch
before 1.6, with tensors that share storage, are transposed, strided, expanded, offset, empty or without axes,
in every float type; and the same nested under `state_dict`, as training scripts save it. Written beside each
OUT.pth: OUT-nested.pth; and, once, expected.safetensors with contiguous values under the same names.
"""

from __future__ import annotations

import argparse
import sys
from collections import OrderedDict
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import stable_safetensors


def main() -> None:
    parser = argparse.ArgumentParser(description="Exchange weights with Python.")
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("write", help="write a file as a PyTorch user would")
    command.add_argument("out", type=Path)
    command.add_argument("network")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--classes", type=int, default=1000)
    command.set_defaults(run=write)

    command = commands.add_parser("load", help="load our file into timm and compare logits")
    command.add_argument("file", type=Path)
    command.add_argument("network")
    command.add_argument("--input", type=Path)
    command.add_argument("--logits", type=Path)
    command.add_argument("--tolerance", type=float, default=1e-4)
    command.set_defaults(run=load)

    command = commands.add_parser("pth", help="write pickled state dicts in both formats")
    command.add_argument("zip", type=Path)
    command.add_argument("legacy", type=Path)
    command.set_defaults(run=pth)

    options = parser.parse_args()
    options.run(options)


# ---- Commands ----


def write(options: argparse.Namespace) -> None:
    generator = torch.Generator().manual_seed(options.seed)
    torch.manual_seed(options.seed)
    model = timm.create_model(options.network, pretrained=False, num_classes=options.classes).eval()
    for name, tensor in model.state_dict().items():
        # Fresh statistics and scales of 0 or 1 would hide mistakes.
        if name.endswith("running_mean"):
            tensor.normal_(0.0, 0.1, generator=generator)
        elif name.endswith("running_var") or (name.endswith(".weight") and tensor.ndim == 1):
            tensor.uniform_(0.5, 1.5, generator=generator)
    save_file(model.state_dict(), options.out)

    image = torch.rand(1, 3, 96, 96, generator=generator)
    with torch.inference_mode():
        logits = model.double()(image.double()).float()
    golden = options.out.with_suffix(".golden.safetensors")
    save_file({"clips": image[:, :, None].contiguous(), "logits": logits}, golden)
    print(f"{options.out}: {options.network}, {len(model.state_dict())} tensors; {golden.name}: clips and logits")


def load(options: argparse.Namespace) -> None:
    weights = load_file(options.file)
    head = weights.get("fc.bias", weights.get("classifier.bias"))
    if head is None:
        raise SystemExit(f"{options.file}: has neither `fc.bias` nor `classifier.bias`")
    model = timm.create_model(options.network, pretrained=False, num_classes=len(head)).eval()
    model.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in weights.items()}, strict=True)
    print(f"{options.file}: {len(weights)} tensors, every one in its place")
    if not (options.input and options.logits):
        return

    images = load_file(options.input)["clips"].float()
    images = images.squeeze(2) if images.ndim == 5 else images
    found = load_file(options.logits)["logits"].float()
    with torch.inference_mode():
        expected = model(images)
    if found.shape != expected.shape:
        sys.exit(f"{options.logits}: logits {list(found.shape)}, expected {list(expected.shape)}")
    difference = ((found - expected).abs().max() / expected.abs().max()).item()
    print(f"logits: relative difference {difference:.2e}, tolerance {options.tolerance:.0e}")
    if not difference <= options.tolerance:
        sys.exit(1)


def pth(options: argparse.Namespace) -> None:
    tensors = awkward_tensors()
    state = OrderedDict(tensors)
    # Training scripts save more than tensors beside them, and averaged weights are often still Parameters.
    averaged = OrderedDict(state, parameter=torch.nn.Parameter(state["parameter"]))
    nested = {"epoch": 7, "arch": "tiny", "state_dict": averaged, "best_acc": 12.5}
    for path, is_zip in [(options.zip, True), (options.legacy, False)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, path, _use_new_zipfile_serialization=is_zip)
        torch.save(nested, path.with_stem(f"{path.stem}-nested"), _use_new_zipfile_serialization=is_zip)
        again = torch.load(path.with_stem(f"{path.stem}-nested"), weights_only=True)
        for written in [torch.load(path, weights_only=True), again["state_dict"]]:
            assert all(torch.equal(written[name], tensor) for name, tensor in tensors.items())
    expected = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    script = {"script": "scripts/golden/roundtrip.py"}
    stable_safetensors.write(options.zip.with_name("expected.safetensors"), expected, script)
    print(f"{len(tensors)} tensors: {', '.join(f'{name} {list(t.shape)}' for name, t in tensors.items())}")


# ---- Contents ----


def awkward_tensors() -> dict[str, Tensor]:
    """Values that f16 and bf16 hold exactly, so that a wrong type or stride shows as a wrong number."""

    def counting(count: int, dtype: torch.dtype, start: int = 0) -> Tensor:
        return ((torch.arange(start, start + count) - 17).double() / 8).to(dtype)

    f32 = torch.float32
    shared = counting(24, f32, 100)
    return {
        "plain.f32": counting(6, f32).reshape(2, 3),
        "plain.f16": counting(6, torch.float16, 10).reshape(3, 2),
        "plain.bf16": counting(6, torch.bfloat16, 20).reshape(1, 6),
        "plain.f64": counting(6, torch.float64, 30).reshape(6, 1) + 1e-12,
        "transposed": counting(12, f32, 40).reshape(3, 4).t(),
        "transposed.f16": counting(12, torch.float16, 40).reshape(4, 3).t(),
        # As converters from TensorFlow leave a kernel: stored [height, width, in, out].
        "permuted.weight": counting(36, f32, 50).reshape(3, 3, 2, 2).permute(3, 2, 0, 1),
        "channels_last.weight": counting(48, f32, 60).reshape(2, 3, 2, 4).to(memory_format=torch.channels_last),
        "strided": counting(20, f32, 70)[1::3],
        "strided.bf16": counting(16, torch.bfloat16, 70).reshape(4, 4)[::2, 1::2],
        "expanded": counting(3, f32, 80).reshape(3, 1).expand(3, 4),
        "expanded.scalar": torch.tensor(0.5).expand(5),
        "shared.whole": shared.reshape(4, 6),
        "shared.tail": shared[12:].reshape(3, 4),
        "scalar": torch.tensor(-2.75),
        "empty": torch.zeros(0, 3),
        "bn.num_batches_tracked": torch.tensor(1234567890123),
        "parameter": counting(4, f32, 90),
    }


if __name__ == "__main__":
    main()
