"""The numbers of an evaluation, computed by another program from its dump.

    python scripts/golden/metrics.py scores.parquet report.json     # every number beside the one that reelnet reported
    python scripts/golden/metrics.py --make tests/golden/metrics.json

In plain Python, without a look at how reelnet does it; NumPy only reads and draws. A softmax is computed in 64 bits and kept in 32, and
so is the mean over the views of a video; ranks come from counting classes that score higher (the first in the list wins a tie); sums
are `math.fsum`'s, which are right to the last digit in any order. So all numbers must be equal, and not only near. Needs numpy, and
pyarrow for dumps.
"""

from __future__ import annotations

import json
import math
import platform
import sys
from datetime import date
from pathlib import Path

import numpy as np

BINS = 15


def single(number: float) -> float:
    return float(np.float32(number))


def softmax(logits: list[float]) -> list[float]:
    largest = max(logits)
    powers = [math.exp(logit - largest) for logit in logits]
    whole = math.fsum(powers)
    return [single(power / whole) for power in powers]


def rank(scores: list[float], label: int) -> int:
    higher = sum(score > scores[label] for score in scores)
    return higher + sum(score == scores[label] for score in scores[:label])


def splitmix(count: int):
    """Places below `count`, as the interval's sampler is documented to draw them."""
    mask, state = (1 << 64) - 1, 0
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        bits = state
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & mask
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & mask
        yield ((bits ^ (bits >> 31)) * count) >> 64


def interval(right: list[bool], samples: int = 1000) -> list[float]:
    draws = splitmix(len(right))
    means = sorted(sum(right[next(draws)] for _ in right) / len(right) for _ in range(samples))
    return [means[24], means[974]]


def average_precision(scores: list[float], is_of_class: list[bool]) -> float:
    order = sorted(range(len(scores)), key=lambda video: -scores[video])
    found, total = 0, 0.0
    for place, video in enumerate(order, 1):
        if is_of_class[video]:
            found += 1
            total += found / place
    return total / found


def in_order(numbers: list[float]) -> float:
    """One term after the other: what is summed over classes and bins has one order. `sum` of Python 3.12 does something else."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def mean(numbers: list[float]) -> float:
    return in_order(numbers) / len(numbers)


def metrics(videos: list[tuple[list[int], list[list[float]]]], classes: int) -> dict:
    """Of videos in the order of the list: their classes, and the logits of their views."""
    right1, right5, losses, confidences, means = [], [], [], [], []
    views = views1 = views5 = 0
    by_class = [[0, 0] for _ in range(classes)]
    for labels, logits in videos:
        scores = [softmax(view) for view in logits]
        for view in scores:
            best = min(rank(view, label) for label in labels)
            views, views1, views5 = views + 1, views1 + (best < 1), views5 + (best < 5)
        averaged = [single(math.fsum(of_class) / len(scores)) for of_class in zip(*scores)]
        means.append(averaged)
        best = min(rank(averaged, label) for label in labels)
        right1.append(best < 1)
        right5.append(best < 5)
        losses.append(math.fsum(-math.log(averaged[label]) for label in labels) / len(labels))
        confidences.append(max(averaged))
        for label in labels:
            by_class[label][0] += 1
            by_class[label][1] += rank(averaged, label) < 1
    gaps = []
    for b in range(BINS):
        of_bin = [video for video, sure in enumerate(confidences) if min(int(sure * BINS), BINS - 1) == b]
        gaps.append(abs(sum(right1[video] for video in of_bin) - math.fsum(confidences[video] for video in of_bin)))
    found = {
        "videos": len(videos), "top1_count": sum(right1), "top5_count": sum(right5),
        "top1": sum(right1) / len(videos), "top5": sum(right5) / len(videos),
        "mean_class_accuracy": mean([right / of for of, right in by_class if of]), "loss": math.fsum(losses) / len(videos),
        "views": views, "views_top1_count": views1, "views_top5_count": views5,
        "views_top1": views1 / views, "views_top5": views5 / views,
        "calibration_error": in_order(gaps) / len(videos), "top1_interval": interval(right1),
    }
    if any(len(labels) > 1 for labels, _ in videos):
        precisions = []
        for c in range(classes):
            hits = [c in labels for labels, _ in videos]
            if any(hits):
                precisions.append(average_precision([averaged[c] for averaged in means], hits))
        found["mean_average_precision"] = mean(precisions)
    return found


def of_dump(path: str) -> dict:
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(path)
    videos: list[tuple[list[int], list]] = []
    last = None
    for batch in file.iter_batches(columns=["position", "labels", "logits"]):
        rows = zip(batch["position"].to_pylist(), batch["labels"].to_pylist(), batch["logits"].to_pylist())
        for position, labels, logits in rows:
            if position != last:
                videos.append((labels, []))
                last = position
            videos[-1][1].append(logits)
    classes = len(videos[0][1][0])
    return metrics(videos, classes)


def beside(found: dict, report: dict) -> bool:
    video, clip = report["video_level"], report["clip_level"]
    theirs = {
        "videos": video["videos"], "top1_count": video["top1_count"], "top5_count": video["top5_count"],
        "top1": video["top1"], "top5": video["top5"],
        "mean_class_accuracy": video["mean_class_accuracy"], "loss": video["loss"], "views": clip["views"],
        "views_top1_count": clip["top1_count"], "views_top5_count": clip["top5_count"],
        "views_top1": clip["top1"], "views_top5": clip["top5"],
        "calibration_error": report["calibration"]["error"],
        "top1_interval": [video["intervals"]["top1"][end] for end in ("low", "high")],
    }
    if report["multi_label"]:
        theirs["mean_average_precision"] = report["multi_label"]["mean_average_precision"]
    for name, value in found.items():
        print(f"{name:24}{value!s:>44}{theirs[name]!s:>44}  {'same' if value == theirs[name] else 'DIFFERENT'}")
    return all(value == theirs[name] for name, value in found.items())


def as_texts(found: dict) -> dict:
    """Numbers with a point as texts, for readers of JSON that round."""
    text = lambda number: number if isinstance(number, int) else repr(number)
    return {name: [text(n) for n in value] if isinstance(value, list) else text(value) for name, value in found.items()}


def make(path: str) -> None:
    random = np.random.default_rng(20261124)
    cases = []
    for name, count, views, classes, most in (("one class each", 60, 6, 7, 1), ("several classes", 40, 2, 9, 3)):
        videos = []
        for _ in range(count):
            labels = sorted(random.choice(classes, size=random.integers(1, most + 1), replace=False).tolist())
            logits = random.normal(size=(views, classes)).astype(np.float32)
            logits[:, labels] += 1
            videos.append((labels, logits.tolist()))
        listed = [{"labels": labels, "logits": [x for view in logits for x in view]} for labels, logits in videos]
        cases.append({"name": name, "classes": classes, "views": views, "videos": listed, "found": as_texts(metrics(videos, classes))})
    made = {"by": "scripts/golden/metrics.py --make", "date": date.today().isoformat(),
            "python": platform.python_version(), "numpy": np.__version__, "seed": 20261124}
    Path(path).write_text(json.dumps({"made": made, "cases": cases}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "--make":
        make(sys.argv[2])
    else:
        sys.exit(0 if beside(of_dump(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())) else 1)
