"""An evaluation as people write it with PyTorch and torchcodec: the counterpart of `reelnet eval --protocol tf`.

peers.py OUT.json WEIGHTS NETWORK FRAMES STEP SIZE CLIPS CROPS THREADS WORKERS LAYOUT PIXELS VIDEO…

PIXELS is JSON: `mean` and `deviation` of the bytes of red, green and blue, as in the bundle.

Every video is opened once, the frames of all its clips are fetched in one call, and the crops of a clip are one batch. With workers,
videos are decoded beside the network by a DataLoader. Its clock starts when libraries are loaded and the network is built.
"""

import json
import pathlib
import resource
import sys
import time

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/golden"))


class Videos(Dataset):
    def __init__(self, paths, frames, step, size, clips, crops):
        self.paths, self.frames, self.step, self.size, self.clips, self.crops = paths, frames, step, size, clips, crops

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, at):
        from torchcodec.decoders import VideoDecoder

        decoder = VideoDecoder(self.paths[at], num_ffmpeg_threads=1, seek_mode="approximate")
        count = len(decoder)
        last = max(count - self.frames * self.step, 0)
        starts = np.linspace(0, last, self.clips, dtype=np.float32).astype(int) if self.clips > 1 else [last // 2]
        plans = [[(start + self.step * frame) % count for frame in range(self.frames)] for start in starts]
        wanted = sorted({frame for plan in plans for frame in plan})
        decoded = v2.functional.resize(decoder.get_frames_at(wanted).data, self.size, antialias=True)
        places = {frame: place for place, frame in enumerate(wanted)}
        return decoded, [[places[frame] for frame in plan] for plan in plans]


def crops_of(clip, size, crops):
    """Of one clip, [frames, 3, height, width]: left or top, middle, right or bottom."""
    height, width = clip.shape[-2:]
    rests = (height - size, width - size)
    if crops == 1:
        places = [(rests[0] // 2, rests[1] // 2)]
    else:
        places = [tuple(rest * crop // 2 if rest else 0 for rest in rests) for crop in range(crops)]
    return torch.stack([clip[:, :, top : top + size, left : left + size] for top, left in places])


def build(name, weights):
    from safetensors.torch import load_file

    if name.startswith("resnet3d"):
        import networks

        network = networks.ModelGarden(50)
    else:
        import timm

        network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    network.load_state_dict(load_file(weights), strict=False)
    return network.eval()


def main():
    out, weights, name = sys.argv[1:4]
    frames, step, size, clips, crops, threads, workers = map(int, sys.argv[4:11])
    layout, pixels, videos = sys.argv[11], json.loads(sys.argv[12]), sys.argv[13:]
    torch.set_num_threads(threads)
    order = torch.contiguous_format
    if layout == "last":
        order = torch.channels_last_3d if frames > 1 else torch.channels_last
    network = build(name, weights).to(memory_format=order)
    shape = (1, 3, 1, 1, 1)
    mean, deviation = (torch.tensor(pixels[name]).reshape(shape) for name in ("mean", "deviation"))
    data = DataLoader(Videos(videos, frames, step, size, clips, crops), batch_size=None, num_workers=workers)
    began = time.perf_counter()
    answers = []
    with torch.inference_mode():
        for decoded, plans in data:
            scores = []
            for plan in plans:
                views = crops_of(decoded[plan], size, crops).transpose(1, 2).float().sub_(mean).div_(deviation)
                if frames == 1:
                    views = views[:, :, 0]
                scores.append(network(views.contiguous(memory_format=order)).softmax(-1))
            answers.append(torch.cat(scores).mean(0))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    import torchcodec

    pathlib.Path(out).write_text(
        json.dumps(
            {
                "seconds": seconds,
                "peak_bytes": peak * 1024,
                "best": [int(answer.argmax()) for answer in answers],
                "scores": [float(answer.max()) for answer in answers],
                "versions": {"torch": torch.__version__, "torchcodec": torchcodec.__version__},
            }
        )
    )


if __name__ == "__main__":
    main()
