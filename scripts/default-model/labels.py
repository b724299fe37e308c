"""Write the class names of ImageNet-1k and Kinetics-400, one a line, in the order of the classes.

    python scripts/default-model/labels.py

They come from torchvision's `models/_meta.py` (BSD-3-Clause); its licence goes into NOTICE beside them.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

from torchvision.models._meta import _IMAGENET_CATEGORIES, _KINETICS400_CATEGORIES

OUTPUT = Path(__file__).resolve().parents[2] / "crates/reelnet-infer/assets/labels"
FILES = {"imagenet-1k": (_IMAGENET_CATEGORIES, 1000), "kinetics-400": (_KINETICS400_CATEGORIES, 400)}


def main() -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name, (labels, expected) in FILES.items():
        assert len(labels) == expected, f"{name}: {len(labels)} labels, expected {expected}"
        assert all(label and label == label.strip() and "\n" not in label for label in labels)
        (OUTPUT / f"{name}.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
        print(f"{name}.txt: {len(labels)} labels, {len(set(labels))} of them distinct")
    (OUTPUT / "NOTICE").write_text(notice(), encoding="utf-8")


def notice() -> str:
    torchvision = distribution("torchvision")
    (licence,) = [file for file in torchvision.files or [] if file.name == "LICENSE" and "dist-info" in str(file)]
    # Versions like 0.29.2+cpu name the build, not the release.
    version = torchvision.version.split("+")[0]
    return (
        f"imagenet-1k.txt and kinetics-400.txt are the lists `_IMAGENET_CATEGORIES` and `_KINETICS400_CATEGORIES`\n"
        f"of torchvision {version}, models/_meta.py, one name a line, written by scripts/default-model/labels.py.\n"
        f"torchvision is distributed under this licence:\n\n{licence.read_text().strip()}\n"
    )


if __name__ == "__main__":
    main()
