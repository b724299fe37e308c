"""The peer check for tagging: timm's EfficientNet-Lite0, with our weights, on frames of a video.

    python scripts/golden/classify.py VIDEO… [--frames 12,40,77 | --frames frames.json] [--top 5]
    python scripts/golden/classify.py --raw clips.safetensors
    python scripts/golden/classify.py VIDEO --dump clips.safetensors

Without `--frames`, takes the middle frames of 8 equal parts of the video. A JSON file holds one list of
indices for all videos, or an object from file name to list. Each frame is turned upright, resized with
Pillow's bicubic filter so that the shorter side is 256 (the longer one truncated), cropped to the central
224 x 224 and normalised as (x - 127) / 128; scores are the mean of the frames' softmaxes. Prints one JSON
object a video.

`--raw` scores a tensor `clips`, f32 [N, 3, 1, 224, 224], already normalised: it compares networks on exactly
the same numbers, and decoding and resizing with them out of the way; `--dump` writes such a file.
Needs torch, timm, safetensors, numpy, pillow and av (requirements.txt).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import av
import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

ASSETS = Path(__file__).resolve().parents[2] / "crates/reelnet-infer/assets"
WEIGHTS = ASSETS / "efficientnet-lite0/weights.safetensors"
LABELS = ASSETS / "labels/imagenet-1k.txt"

SHORTER_SIDE = 256
CROP = 224


def main() -> None:
    parser = argparse.ArgumentParser(description="Classify videos with timm's EfficientNet-Lite0.")
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--frames", help="indices as 12,40,77 or a JSON file; default: 8 uniform frames")
    parser.add_argument("--raw", type=Path, help="score the tensor `clips` of this safetensors file instead")
    parser.add_argument("--dump", type=Path, help="write the normalised frames of the one video as `clips`")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--top", type=int, default=5)
    options = parser.parse_args()
    if bool(options.videos) == bool(options.raw):
        parser.error("give either videos or --raw FILE")
    if options.dump and len(options.videos) != 1:
        parser.error("--dump takes exactly one video")

    model = lite0(options.weights)
    labels = options.labels.read_text(encoding="utf-8").splitlines()
    if options.raw:
        clips = load_file(options.raw)["clips"]
        print(json.dumps({"file": options.raw.name} | tags(model, clips[:, :, 0], labels, options.top)))
    for video in options.videos:
        indices = wanted(options.frames, video)
        images = uniform_frames(video, 8) if indices is None else frames(video, indices)
        batch = pixels(images)
        if options.dump:
            save_file({"clips": batch[:, :, None].contiguous()}, options.dump)
        found = {"file": video.name, "frames": [index for index, _ in images]}
        print(json.dumps(found | tags(model, batch, labels, options.top)))


def lite0(weights: Path) -> torch.nn.Module:
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(weights).items()})
    return model


@torch.inference_mode()
def tags(model: torch.nn.Module, batch: torch.Tensor, labels: list[str], top: int) -> dict:
    scores = model(batch).softmax(1).mean(0)
    best = scores.topk(top)
    pairs = zip(best.indices.tolist(), best.values.tolist())
    return {"top": [{"class": i, "label": labels[i], "score": round(s, 6)} for i, s in pairs]}


def wanted(option: str | None, video: Path) -> list[int] | None:
    """The indices that `--frames` asks of `video`; None for the default."""
    if option is None:
        return None
    if option.endswith(".json"):
        listed = json.loads(Path(option).read_text(encoding="utf-8"))
        return listed if isinstance(listed, list) else listed[video.name]
    return [int(index) for index in option.split(",")]


def uniform_frames(video: Path, count: int) -> list[tuple[int, Image.Image]]:
    with av.open(str(video)) as container:
        total = sum(1 for _ in container.decode(video=0))
    return frames(video, [(2 * i + 1) * total // (2 * count) for i in range(count)])


def frames(video: Path, indices: list[int]) -> list[tuple[int, Image.Image]]:
    """The frames with these indices, counted in the order of display, upright; repeats are allowed."""
    needed, found = set(indices), {}
    with av.open(str(video)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index in needed:
                image = frame.to_image()
                turn = getattr(frame, "rotation", 0)  # degrees counter-clockwise, as Pillow counts
                found[index] = image.rotate(turn, expand=True) if turn else image
            if len(found) == len(needed):
                break
    missing = sorted(needed - found.keys())
    if missing:
        raise SystemExit(f"{video}: has no frames {missing}")
    return [(index, found[index]) for index in indices]


def pixels(images: list[tuple[int, Image.Image]]) -> torch.Tensor:
    """`[N, 3, 224, 224]`, normalised."""
    return torch.stack([_normalised(_central(image)) for _, image in images])


def _central(image: Image.Image) -> Image.Image:
    width, height = image.size
    shorter = min(width, height)
    width, height = width * SHORTER_SIDE // shorter, height * SHORTER_SIDE // shorter
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - CROP) / 2), round((height - CROP) / 2)
    return image.crop((left, top, left + CROP, top + CROP))


def _normalised(image: Image.Image) -> torch.Tensor:
    array = np.asarray(image.convert("RGB"), dtype=np.float32)
    return torch.from_numpy((array - 127.0) / 128.0).permute(2, 0, 1)


if __name__ == "__main__":
    main()
