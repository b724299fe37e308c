"""How fast the batches of a PyTorch DataLoader come when nobody trains on them: the counterpart of benches/src/bin/loader.rs.

peers.py PEER OUT.json DATA-ROOT WORKERS WARM-UP BATCHES BATCH-SIZE

Images: `pil` opens files with Pillow and transforms its images, `tensor` decodes with torchvision and transforms uint8 tensors.
Clips: `exact` and `approximate` are torchcodec's two ways to find frames; transforms are torchvision's. Each file is opened for
each sample, by everybody.
"""

import json
import os
import pathlib
import random
import resource
import sys
import time

import torch
import torchvision
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode, v2

SIZE = 224
FRAMES, STEP = 32, 2


def image_transforms(to_tensor):
    steps = [
        v2.RandomResizedCrop(SIZE, scale=(0.08, 1.0), interpolation=InterpolationMode.BICUBIC, antialias=True),
        v2.RandomHorizontalFlip(),
        v2.RandAugment(num_ops=2, magnitude=15),
    ]
    return v2.Compose(steps + ([v2.PILToTensor()] if to_tensor else []))


def pil():
    from PIL import Image

    transform = image_transforms(to_tensor=True)
    return lambda path: transform(Image.open(path).convert("RGB"))


def tensor():
    from torchvision.io import ImageReadMode, decode_image, read_file

    transform = image_transforms(to_tensor=False)
    return lambda path: transform(decode_image(read_file(path), ImageReadMode.RGB))


def clip(seek_mode):
    from torchcodec.decoders import VideoDecoder

    transform = v2.Compose(
        [
            v2.RandomResizedCrop(
                SIZE, scale=(0.08, 1.0), ratio=(0.5, 2.0), interpolation=InterpolationMode.BILINEAR, antialias=True
            ),
            v2.RandomHorizontalFlip(),
        ]
    )

    def load(path):
        decoder = VideoDecoder(path, num_ffmpeg_threads=1, seek_mode=seek_mode)
        first = random.randrange(max(1, len(decoder) - (FRAMES - 1) * STEP))
        frames = [(first + STEP * frame) % len(decoder) for frame in range(FRAMES)]
        return transform(decoder.get_frames_at(frames).data)

    return load


PEERS = {
    "pil": pil,
    "tensor": tensor,
    "exact": lambda: clip("exact"),
    "approximate": lambda: clip("approximate"),
}


class Files(Dataset):
    def __init__(self, peer, root, samples):
        self.peer = peer
        files = sorted(path for path in (root / "train").rglob("*") if path.is_file())
        generator = random.Random(0)
        # As many epochs as it takes, each in an order of its own.
        self.files = []
        while len(self.files) < samples:
            self.files += generator.sample(files, len(files))
        self.load = None

    def __len__(self):
        return len(self.files)

    def __getitem__(self, at):
        if self.load is None:
            self.load = PEERS[self.peer]()
        return self.load(str(self.files[at]))


def cpu_so_far():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def worker_cpu(pids):
    """Processor time of running workers."""
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main():
    peer, out, root, workers, warm_up, batches, size = sys.argv[1:]
    workers, warm_up, batches, size = map(int, (workers, warm_up, batches, size))
    torch.set_num_threads(1)
    # Longer than what is taken, so that no worker has run out of work when the clock stops.
    files = Files(peer, pathlib.Path(root), (warm_up + batches + 2 * workers) * size)
    loader = iter(DataLoader(files, batch_size=size, num_workers=workers, drop_last=True))
    for _ in range(warm_up):
        next(loader)
    pids = [process.pid for process in loader._workers]
    start, cpu_start = time.perf_counter(), cpu_so_far() + worker_cpu(pids)
    samples, shape = 0, None
    for _ in range(batches):
        batch = next(loader)
        samples += len(batch)
        shape = list(batch.shape)
    seconds, cpu_seconds = time.perf_counter() - start, cpu_so_far() + worker_cpu(pids) - cpu_start
    assert batch.dtype == torch.uint8
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    answer = {"samples": samples, "seconds": seconds, "cpu_seconds": cpu_seconds, "shape": shape, "versions": versions}
    pathlib.Path(out).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
