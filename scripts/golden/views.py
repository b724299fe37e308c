"""Frames and crops of the published evaluation protocols, for videos of 1 to 1,000 frames.

    python scripts/golden/views.py tests/golden/views.json

An implementation of its own, from the protocols' own arithmetic: NumPy in 32-bit floats for TensorFlow's, NumPy in 64-bit floats for
mmaction2's, `torch.linspace` for SlowFast's. pytorchvideo's are not an implementation of its own but that package's: its clip sampler,
its conversion of seconds into time stamps, its subsampling and its crops. For each case the file holds the frames of all clips of some lengths, and the SHA-256 of a
line for each length from 1 to 1,000 (`length: frames of the first clip; frames of the second; …`). Needs numpy, torch and pytorchvideo 0.1.5.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from datetime import date
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import torchvision.transforms.functional
from pytorchvideo.data.clip_sampling import ConstantClipsPerVideoSampler
from pytorchvideo.data.utils import secs_to_pts

# A name that newer torchvisions dropped, and that importing any of pytorchvideo's transforms asks for.
sys.modules["torchvision.transforms.functional_tensor"] = torchvision.transforms.functional
from pytorchvideo.transforms.functional import uniform_crop, uniform_temporal_subsample  # noqa: E402

LONGEST = 1000
SHOWN = [1, 2, 7, 57, 63, 64, 65, 100, 250, 299, 300, 1000]
CASES = [(frames, step, clips) for frames, step in ((32, 2), (8, 8), (16, 4), (1, 1), (5, 3)) for clips in (1, 3, 10)]
# Half a second of 5x3 begins and ends exactly at frames; 1x1 would be shorter than a frame lasts, where pytorchvideo drops the video.
CASES_PYTORCHVIDEO = [(f, s, clips) for f, s in ((32, 2), (8, 8), (16, 4), (4, 12), (5, 3)) for clips in (1, 3, 10)]
RATES = (30.0, 25.0, 29.97)
SIZES = [(256, 256), (256, 340), (256, 341), (455, 256), (257, 256), (256, 259)]
SIDE = 256


def tf(length: int, frames: int, step: int, clips: int, _fps: float) -> list[list[int]]:
    """Starts on a line of 32-bit floats, cut off; the video is tiled until it is long enough."""
    last = np.float32(max(0, length - frames * step))
    delta = last / np.float32(max(clips - 1, 1))
    starts = [np.float32(0.0), *(delta * np.float32(i) for i in range(1, clips - 1)), *([last] if clips > 1 else [])]
    tiled = np.tile(np.arange(length), (frames * step + int(last)) // length + 2)
    return [tiled[int(start) + step * np.arange(frames)].tolist() for start in starts]


def mmaction(length: int, frames: int, step: int, clips: int, _fps: float) -> list[list[int]]:
    """Starts rounded to the nearest frame, halves to the even one; indices beyond the end begin again."""
    room = max(length - ((frames - 1) * step + 1), 0)
    if clips == 1:
        starts = np.array([room // 2])
    else:
        starts = np.round(np.arange(clips) * (room / (clips - 1))).astype(int)
    return [((start + step * np.arange(frames)) % length).tolist() for start in starts]


def slowfast(length: int, frames: int, step: int, clips: int, fps: float) -> list[list[int]]:
    """Clips of a length in time, begun at equal parts of what is left; beyond the end the last frame is repeated."""
    size = frames * step * fps / 30.0
    room = max(length - size, 0)
    chosen = []
    for clip in range(clips):
        start = room * clip / clips
        at = torch.linspace(start, start + size - 1, frames)
        chosen.append(torch.clamp(at, 0, length - 1).long().tolist())
    return chosen


def pytorchvideo(length: int, frames: int, step: int, clips: int, fps: float) -> list[list[int]]:
    """As its trainer tests: a clip lasts as many hundredths of a second as fit into its frames at 30 a second (2.13 for 8x8)."""
    rate = Fraction(str(fps))
    ticks = 512  # of a time base, between two frames
    base = 1 / (rate * ticks)
    sampler = ConstantClipsPerVideoSampler(frames * step * 100 // 30 / 100, clips)
    chosen = []
    while True:
        clip = sampler(None, length / rate, {})
        start, end = (secs_to_pts(at, base, 0, round_mode="ceil") for at in (clip.clip_start_sec, clip.clip_end_sec))
        shown = torch.tensor([frame for frame in range(length) if start <= frame * ticks < end])
        chosen.append(uniform_temporal_subsample(shown, frames, 0).tolist())
        if clip.is_last_clip:
            return chosen


def crops_tf(height: int, width: int) -> list[list[int]]:
    if height >= width:
        places = [[0, 0], [height / 2 - SIDE // 2, 0], [height - SIDE, 0]]
    else:
        places = [[0, 0], [0, width / 2 - SIDE // 2], [0, width - SIDE]]
    return [[int(np.round(top)), int(np.round(left))] for top, left in places]


def crops_mmaction(height: int, width: int) -> list[list[int]]:
    if height == SIDE:
        part = (width - SIDE) // 2
        return [[0, 0], [0, 2 * part], [0, part]]
    part = (height - SIDE) // 2
    return [[0, 0], [2 * part, 0], [part, 0]]


def crops_slowfast(height: int, width: int) -> list[list[int]]:
    top, left = -((SIDE - height) // 2), -((SIDE - width) // 2)
    if height > width:
        return [[0, left], [top, left], [height - SIDE, left]]
    return [[top, 0], [top, left], [top, width - SIDE]]


def crops_pytorchvideo(height: int, width: int) -> list[list[int]]:
    places = torch.arange(height * width).reshape(1, 1, height, width)
    return [list(divmod(int(uniform_crop(places, SIDE, crop)[0, 0, 0, 0]), width)) for crop in range(3)]


PROTOCOLS = {"tf": (tf, crops_tf), "mmaction": (mmaction, crops_mmaction), "slowfast": (slowfast, crops_slowfast),
             "pytorchvideo": (pytorchvideo, crops_pytorchvideo)}


def main() -> None:
    cases = []
    for name, (plan, crops) in PROTOCOLS.items():
        for frames, step, clips in CASES_PYTORCHVIDEO if name == "pytorchvideo" else CASES:
            for fps in RATES if name in ("slowfast", "pytorchvideo") else RATES[:1]:
                digest = hashlib.sha256()
                shown = {}
                for length in range(1, LONGEST + 1):
                    chosen = plan(length, frames, step, clips, fps)
                    text = "; ".join(" ".join(map(str, clip)) for clip in chosen)
                    digest.update(f"{length}: {text}\n".encode())
                    if length in SHOWN and frames <= 8 and clips != 10:
                        shown[str(length)] = chosen
                cases.append({"protocol": name, "frames": frames, "step": step, "clips": clips, "fps": fps,
                              "sha256": digest.hexdigest(), "shown": shown})
    sizes = {name: {f"{h}x{w}": crops(h, w) for h, w in SIZES} for name, (_, crops) in PROTOCOLS.items()}
    made = {"by": "scripts/golden/views.py", "date": date.today().isoformat(), "python": platform.python_version(),
            "numpy": np.__version__, "torch": torch.__version__, "pytorchvideo": version("pytorchvideo")}
    text = json.dumps({"made": made, "side": SIDE, "crops": sizes, "cases": cases}, separators=(",", ":"))
    Path(sys.argv[1]).write_text(text.replace('{"protocol"', '\n{"protocol"') + "\n")


if __name__ == "__main__":
    main()
