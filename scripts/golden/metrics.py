"""The numbers of an evaluation, computed by another program from its dump.

    python scripts/golden/metrics.py scores.parquet report.json     # every number beside the one that reelnet reported
    python scripts/golden/metrics.py --make tests/golden/metrics.json

In 64-bit floats throughout, in NumPy's and plain Python's terms, without a look at how reelnet does it: softmax of each view, mean
over the views of a video, ranks by counting classes that score higher (the first in the list wins a tie). Needs numpy, and pyarrow for
dumps.
"""

from __future__ import annotations

import json
import platform
import sys
from datetime import date
from pathlib import Path

import numpy as np

BINS = 15


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True).astype(np.float64))
    return powers / powers.sum(axis=-1, keepdims=True)


def rank(scores: np.ndarray, label: int) -> int:
    return int((scores > scores[label]).sum() + (scores[:label] == scores[label]).sum())


def splitmix(count: int):
    """Places below `count`, as the interval's sampler is documented to draw them."""
    mask, state = (1 << 64) - 1, 0
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        bits = state
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & mask
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & mask
        yield ((bits ^ (bits >> 31)) * count) >> 64


def interval(right: np.ndarray, samples: int = 1000) -> list[float]:
    draws = splitmix(len(right))
    means = sorted(np.mean([right[next(draws)] for _ in right]) for _ in range(samples))
    return [float(means[24]), float(means[974])]


def metrics(videos: list[tuple[list[int], np.ndarray]], classes: int) -> dict:
    """Of videos in the order of the list: their classes, and the logits of their views."""
    right1, right5, losses, confidences, firsts = [], [], [], [], []
    views = views1 = views5 = 0
    by_class = np.zeros((classes, 2), dtype=np.int64)
    means = []
    for labels, logits in videos:
        scores = softmax(logits)
        for view in scores:
            best = min(rank(view, label) for label in labels)
            views, views1, views5 = views + 1, views1 + (best < 1), views5 + (best < 5)
        mean = scores.mean(axis=0)
        means.append(mean)
        best = min(rank(mean, label) for label in labels)
        right1.append(best < 1)
        right5.append(best < 5)
        losses.append(np.mean([-np.log(mean[label]) for label in labels]))
        confidences.append(mean.max())
        firsts.append(labels)
        for label in labels:
            by_class[label] += (1, rank(mean, label) < 1)
    seen = by_class[by_class[:, 0] > 0]
    places = np.minimum((np.array(confidences) * BINS).astype(int), BINS - 1)
    error = sum(abs(np.sum(np.array(right1)[places == b]) - np.sum(np.array(confidences)[places == b])) for b in range(BINS))
    many = sum(len(labels) > 1 for labels in firsts)
    found = {
        "videos": len(videos), "top1_count": int(sum(right1)), "top5_count": int(sum(right5)),
        "mean_class_accuracy": float(np.mean(seen[:, 1] / seen[:, 0])), "loss": float(np.mean(losses)),
        "views": views, "views_top1": views1, "views_top5": views5,
        "calibration_error": float(error / len(videos)), "top1_interval": interval(np.array(right1)),
    }
    if many:
        stacked = np.array(means)
        precisions = []
        for c in range(classes):
            hits = np.array([c in labels for labels in firsts])
            if hits.any():
                ranked = hits[np.argsort(-stacked[:, c], kind="stable")]
                precisions.append(np.mean((np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked]))
        found["mean_average_precision"] = float(np.mean(precisions))
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
    return metrics([(labels, np.array(logits, dtype=np.float32)) for labels, logits in videos], classes)


def beside(found: dict, report: dict) -> bool:
    video, clip = report["video_level"], report["clip_level"]
    theirs = {
        "videos": video["videos"], "top1_count": video["top1_count"], "top5_count": video["top5_count"],
        "mean_class_accuracy": video["mean_class_accuracy"], "loss": video["loss"], "views": clip["views"],
        "views_top1": clip["top1_count"], "views_top5": clip["top5_count"],
        "calibration_error": report["calibration"]["error"],
        "top1_interval": [video["intervals"]["top1"][end] for end in ("low", "high")],
    }
    if report["multi_label"]:
        theirs["mean_average_precision"] = report["multi_label"]["mean_average_precision"]
    same = True
    for name, value in found.items():
        equal = np.allclose(value, theirs[name], rtol=0, atol=1e-6) if not isinstance(value, int) else value == theirs[name]
        same &= bool(equal)
        print(f"{name:24}{value!s:>44}{theirs[name]!s:>44}  {'same' if equal else 'DIFFERENT'}")
    return same


def make(path: str) -> None:
    random = np.random.default_rng(20261124)
    cases = []
    for name, count, views, classes, most in (("one class each", 60, 6, 7, 1), ("several classes", 40, 2, 9, 3)):
        videos = []
        for _ in range(count):
            labels = sorted(random.choice(classes, size=random.integers(1, most + 1), replace=False).tolist())
            logits = random.normal(size=(views, classes)).astype(np.float32)
            logits[:, labels] += 1
            videos.append((labels, logits))
        listed = [{"labels": labels, "logits": [float(x) for x in logits.ravel()]} for labels, logits in videos]
        cases.append({"name": name, "classes": classes, "views": views, "videos": listed, "found": metrics(videos, classes)})
    made = {"by": "scripts/golden/metrics.py --make", "date": date.today().isoformat(),
            "python": platform.python_version(), "numpy": np.__version__, "seed": 20261124}
    Path(path).write_text(json.dumps({"made": made, "cases": cases}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "--make":
        make(sys.argv[2])
    else:
        sys.exit(0 if beside(of_dump(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())) else 1)
