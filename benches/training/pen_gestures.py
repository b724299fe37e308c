"""Trains by a recipe of configs/pen-gestures in PyTorch: what `reelnet train` is measured beside.

    python pen_gestures.py RECIPE DATA --out pytorch.jsonl --threads 2

The same network, written from the published description; the same clips, batch, number of steps, optimizer, schedule, weight decay,
label smoothing, average and augmentation, all read from the recipe; other random numbers. Eager, in 32-bit floats. Of the two
memory layouts of its convolutions the one is taken that is faster here.

PyTorch gets an easier task with its data: PyAV decodes every file once before the clock starts, frames stay in memory as grey
bytes, and become three channels in the batch. `reelnet` decodes the files again in every epoch, in its own time.
"""

import argparse
import json
import math
import time
import tomllib
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3)}


# ---- The network ----


def conv(channels_in: int, channels_out: int, kernel: tuple[int, int, int], stride=(1, 1, 1)) -> nn.Module:
    layer = nn.Conv3d(channels_in, channels_out, kernel, stride, tuple(k // 2 for k in kernel), bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="linear")
    return layer


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, ratio: float) -> None:
        super().__init__()
        reduced = int(channels * ratio)
        self.fc1 = nn.Conv3d(channels, reduced, 1)
        self.fc2 = nn.Conv3d(reduced, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3, 4), keepdim=True)
        return x * self.fc2(self.fc1(mean).relu_()).sigmoid_()


class Bottleneck(nn.Module):
    def __init__(self, channels_in: int, width: int, kernel: int, stride: tuple[int, int], se_ratio: float) -> None:
        super().__init__()
        channels_out, (time_stride, side_stride) = 4 * width, stride
        self.conv1, self.bn1 = conv(channels_in, width, (kernel, 1, 1)), nn.BatchNorm3d(width)
        window = (time_stride, side_stride, side_stride)
        self.conv2, self.bn2 = conv(width, width, (1, 3, 3), window), nn.BatchNorm3d(width)
        self.conv3, self.bn3 = conv(width, channels_out, (1, 1, 1)), nn.BatchNorm3d(channels_out)
        nn.init.zeros_(self.bn3.weight)
        self.se = SqueezeExcite(channels_out, se_ratio)
        self.downsample = nn.Identity()
        if channels_in != channels_out:
            strided = max(window) > 1
            pool = nn.AvgPool3d(window, window, ceil_mode=True, count_include_pad=False) if strided else nn.Identity()
            self.downsample = nn.Sequential(pool, conv(channels_in, channels_out, (1, 1, 1)), nn.BatchNorm3d(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu_()
        y = self.bn2(self.conv2(y)).relu_()
        y = self.se(self.bn3(self.conv3(y)))
        return (y + self.downsample(x)).relu_()


class Network(nn.Module):
    """3D ResNet-RS in the inflated topology, of the recipe's width and temporal kernels."""

    def __init__(self, config: dict) -> None:
        super().__init__()
        base, time, se = round(64 * config["width"]), config["temporal"], config["se_ratio"]
        half = -(-base // 2)
        self.conv1 = nn.Sequential(
            conv(3, half, (time["stem_kernel"], 3, 3), (time["stem_stride"], 2, 2)), nn.BatchNorm3d(half), nn.ReLU(True),
            conv(half, half, (1, 3, 3)), nn.BatchNorm3d(half), nn.ReLU(True),
            conv(half, base, (1, 3, 3)), nn.BatchNorm3d(base), nn.ReLU(True),
            conv(base, base, (1, 3, 3), (1, 2, 2)), nn.BatchNorm3d(base), nn.ReLU(True),
        )  # fmt: skip
        layers, channels = [], base
        for stage, blocks in enumerate(BLOCKS[config["depth"]]):
            for block in range(blocks):
                stride = (time["stage_strides"][stage], 1 if stage == 0 else 2) if block == 0 else (1, 1)
                layers.append(Bottleneck(channels, base << stage, time["stage_kernels"][stage], stride, se))
                channels = 4 * (base << stage)
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(config["dropout"])
        self.fc = nn.Linear(channels, config["classes"])

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(self.conv1(x)).mean((2, 3, 4))
        return self.fc(self.dropout(x))


# ---- Data ----


def decode(folder: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Grey frames [clips, frames, height, width], classes, and what these are called."""
    classes = sorted(path.name for path in folder.iterdir())
    clips, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted((folder / name).iterdir()):
            with av.open(str(path)) as container:
                clips.append(np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)]))
            labels.append(label)
    return np.stack(clips), np.array(labels), classes


def random_rectangle(rng: np.random.Generator, side: int, area: list[float], aspect: list[float]) -> tuple[int, int, int, int]:
    """torchvision's random resized crop; a square frame that nothing fits into is taken whole."""
    for _ in range(10):
        wanted, ratio = side * side * rng.uniform(*area), math.exp(rng.uniform(*np.log(aspect)))
        width, height = round(math.sqrt(wanted * ratio)), round(math.sqrt(wanted / ratio))
        if width <= side and height <= side:
            return rng.integers(side - height + 1), rng.integers(side - width + 1), height, width
    return 0, 0, side, side


class Batches:
    """Clips as the recipe wants them, one step after the other."""

    def __init__(self, recipe: dict, clips: np.ndarray, layout: torch.memory_format) -> None:
        self.frames, self.step = recipe["clip"]["frames"], recipe["clip"]["frame_step"]
        self.side, self.crop = recipe["pixels"]["crop"], recipe["augment"]["crop"]
        pixels = recipe["pixels"]
        self.mean, self.deviation = (torch.tensor(pixels[key]).view(1, 3, 1, 1, 1) for key in ("mean", "deviation"))
        assert self.crop["kind"] == "random-resized", self.crop
        assert pixels["resize"] == pixels["crop"], pixels
        self.clips, self.layout = clips, layout

    def chosen(self, number: int, start: int) -> Tensor:
        window = self.clips[number, start : start + (self.frames - 1) * self.step + 1 : self.step]
        return torch.from_numpy(window).unsqueeze(1)

    def starts(self) -> int:
        return self.clips.shape[1] - (self.frames - 1) * self.step

    def batch(self, clips: list[Tensor]) -> Tensor:
        """From grey frames [frames, 1, side, side] to what the network takes."""
        stacked = torch.stack(clips).permute(0, 2, 1, 3, 4).expand(-1, 3, -1, -1, -1).float()
        return ((stacked - self.mean) / self.deviation).contiguous(memory_format=self.layout)

    def resized(self, frames: Tensor) -> Tensor:
        size = (self.side, self.side)
        return F.interpolate(frames.float(), size, mode="bilinear", antialias=True).round_().clamp_(0, 255).byte()

    def training(self, numbers: np.ndarray, rng: np.random.Generator) -> Tensor:
        clips = []
        for number in numbers:
            frames = self.chosen(number, rng.integers(self.starts()))
            top, left, height, width = random_rectangle(rng, frames.shape[-1], self.crop["area"], self.crop["aspect"])
            clips.append(self.resized(frames[:, :, top : top + height, left : left + width]))
        return self.batch(clips)

    def measuring(self, numbers: range) -> Tensor:
        start = self.starts() // 2
        return self.batch([self.resized(self.chosen(number, start)) for number in numbers])


# ---- Training ----


def optimizer(recipe: dict, network: nn.Module) -> torch.optim.Optimizer:
    kind, decay = recipe["optimizer"], recipe["weight_decay"]
    assert kind["kind"] == "sgd" and decay["on"] == "all-but-batch-norm", (kind, decay)
    norms = {id(p) for layer in network.modules() if isinstance(layer, nn.BatchNorm3d) for p in layer.parameters()}
    groups = [
        {"params": [p for p in network.parameters() if id(p) not in norms], "weight_decay": decay["rate"]},
        {"params": [p for p in network.parameters() if id(p) in norms], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=0.0, momentum=kind["momentum"], nesterov=kind["nesterov"])


def learning_rate(recipe: dict, step: int, steps: int, steps_per_epoch: int) -> float:
    schedule = recipe["schedule"]
    assert schedule["decay"]["kind"] == "cosine", schedule
    peak = schedule["learning_rate"] * recipe["batch"]["size"] / schedule["for_batch"]
    warmup = round(schedule["warmup_epochs"] * steps_per_epoch)
    cosine = lambda at: peak * 0.5 * (1 + math.cos(math.pi * at / steps))  # noqa: E731
    return step / warmup * cosine(warmup) if step < warmup else cosine(step)


class Average:
    """Of weights and statistics, as the recipe has it."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: value.clone() for name, value in network.state_dict().items() if value.is_floating_point()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        kept = min(self.decay, (1 + step) / (10 + step))
        state = network.state_dict()
        names = list(self.values)
        torch._foreach_lerp_([self.values[name] for name in names], [state[name] for name in names], 1 - kept)


@torch.inference_mode()
def measure(network: nn.Module, batches: Batches, labels: np.ndarray) -> int:
    network.eval()
    right = 0
    for start in range(0, len(labels), 64):
        numbers = range(start, min(start + 64, len(labels)))
        right += int((network(batches.measuring(numbers)).argmax(1).numpy() == labels[list(numbers)]).sum())
    network.train()
    return right


def step_seconds(recipe: dict, clips: np.ndarray, layout: torch.memory_format) -> float:
    """Of a forward and a backward pass, the shortest of five after three."""
    network = Network(recipe["network"]).to(memory_format=layout).train()
    batch = Batches(recipe, clips, layout).measuring(range(recipe["batch"]["size"]))
    times = []
    for _ in range(8):
        began = time.perf_counter()
        network(batch).square().mean().backward()
        times.append(time.perf_counter() - began)
    return min(times[3:])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines: each epoch, and what it came to")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, help="fewer steps than the recipe's, to try it")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = tomllib.loads(arguments.recipe.read_text())
    torch.manual_seed(recipe["seed"])
    rng = np.random.default_rng(recipe["seed"])
    out = arguments.out.open("w")

    def tell(**record) -> None:
        print(json.dumps(record), file=out, flush=True)
        print(json.dumps(record), flush=True)

    began = time.perf_counter()
    sets = {name: decode(arguments.data / recipe["data"][name]["path"]) for name in ("train", "validation", "test")}
    clips, labels, classes = sets["train"]
    tell(event="decoded", seconds=time.perf_counter() - began, samples=len(labels), classes=len(classes))

    layouts = {"contiguous": torch.contiguous_format, "channels_last_3d": torch.channels_last_3d}
    seconds = {name: step_seconds(recipe, clips, layout) for name, layout in layouts.items()}
    layout = layouts[min(seconds, key=seconds.get)]
    network = Network(recipe["network"]).to(memory_format=layout).train()
    parameters = sum(p.numel() for p in network.parameters())
    tell(event="start", torch=torch.__version__, threads=torch.get_num_threads(), parameters=parameters, layouts=seconds)

    # ---- Train ----
    rule, average = optimizer(recipe, network), Average(network, recipe["ema"]["decay"])
    loss_of = nn.CrossEntropyLoss(label_smoothing=recipe["mixing"]["label_smoothing"])
    batches, size = Batches(recipe, clips, layout), recipe["batch"]["size"]
    steps_per_epoch = len(labels) // size
    steps = steps_per_epoch * recipe["epochs"]
    began, loading = time.perf_counter(), 0.0
    processor = time.process_time()
    for step in range(min(steps, arguments.steps or steps)):
        if step % steps_per_epoch == 0:
            order = rng.permutation(len(labels))
        place = step % steps_per_epoch * size
        numbers = order[place : place + size]
        before = time.perf_counter()
        batch, target = batches.training(numbers, rng), torch.from_numpy(labels[numbers])
        loading += time.perf_counter() - before
        for group in rule.param_groups:
            group["lr"] = learning_rate(recipe, step, steps, steps_per_epoch)
        loss = loss_of(network(batch), target)
        rule.zero_grad()
        loss.backward()
        rule.step()
        average.update(network, step + 1)
        if (step + 1) % 50 == 0:
            tell(event="step", step=step + 1, loss=loss.item(), seconds=time.perf_counter() - began, loading=loading)
    trained = time.perf_counter() - began
    processor = time.process_time() - processor

    # ---- Measure ----
    network.load_state_dict(average.values, strict=False)
    result = {}
    for name in ("validation", "test"):
        began = time.perf_counter()
        of_set, labels_of_set, _ = sets[name]
        right = measure(network, Batches(recipe, of_set, layout), labels_of_set)
        result[name] = {"top1": right / len(labels_of_set), "files": len(labels_of_set), "seconds": time.perf_counter() - began}
    tell(event="finished", steps=steps, seconds=trained, processor_seconds=processor, loading=loading, **result)


if __name__ == "__main__":
    main()
