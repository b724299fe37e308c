"""3D ResNet-RS in PyTorch, written from the published description, to check another implementation by.

Two topologies, both taking `[batch, 3, frames, height, width]`:

- `ModelGarden` is the network of TensorFlow's model garden: max-pool stem, strided 1x1x1 shortcuts,
  self-gating in the last block of each group, SAME padding.
- `Inflated` is timm's 2D ResNet-RS with a time axis: four stem convolutions, average-pooled shortcuts,
  symmetric padding.

Parameter names follow timm's. There is no dropout and no stochastic depth. `scale` multiplies all widths.
Run `python networks.py` to print parameter counts and to check `Inflated` against timm's 2D network on a
still clip, with temporal kernels that see the middle frame only.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REPEATS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}
WIDTHS = (64, 128, 256, 512)
SPATIAL_STRIDES = (1, 2, 2, 2)
TEMPORAL_KERNELS = (1, 1, 3, 3)  # of the first convolution in every block of a group
EXPANSION = 4
SQUEEZE = 0.25
STEM_TEMPORAL_KERNEL = 5


# ---- Layers ----


class ConvSame(nn.Conv3d):
    """A convolution with TensorFlow's SAME padding: whatever is odd goes behind."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(pad_same(x, self.kernel_size, self.stride, 0.0))


class MaxPoolSame(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = (1, 3, 3), (1, 2, 2)
        return F.max_pool3d(pad_same(x, kernel, stride, -math.inf), kernel, stride)


def pad_same(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], value: float) -> Tensor:
    pads: list[int] = []
    for size, k, s in reversed(list(zip(x.shape[2:], kernel, stride))):  # F.pad starts from the last axis
        total = max((-(-size // s) - 1) * s + k - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def conv_same(channels_in: int, channels_out: int, kernel: tuple[int, int, int], stride=(1, 1, 1)) -> nn.Module:
    return ConvSame(channels_in, channels_out, kernel, stride, bias=False)


def conv_symmetric(channels_in: int, channels_out: int, kernel: tuple[int, int, int], stride=(1, 1, 1)) -> nn.Module:
    padding = tuple(k // 2 for k in kernel)
    return nn.Conv3d(channels_in, channels_out, kernel, stride, padding, bias=False)


def norm(channels: int) -> nn.Module:
    return nn.BatchNorm3d(channels, eps=1e-5)


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = int(channels * SQUEEZE)
        self.fc1 = nn.Conv3d(channels, reduced, 1)
        self.fc2 = nn.Conv3d(reduced, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3, 4), keepdim=True)
        return x * self.fc2(self.fc1(mean).relu()).sigmoid()


class SelfGating(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.conv(x.mean((2, 3, 4), keepdim=True)).sigmoid()


# ---- Blocks ----


class Bottleneck(nn.Module):
    """1x1 (or 3x1x1) → 1x3x3 with the stride → 1x1x1, gated and excited, plus the shortcut."""

    def __init__(self, conv, channels_in: int, width: int, temporal: int, stride: int, downsample, gated: bool) -> None:
        super().__init__()
        channels_out = width * EXPANSION
        self.conv1 = conv(channels_in, width, (temporal, 1, 1))
        self.bn1 = norm(width)
        self.conv2 = conv(width, width, (1, 3, 3), (1, stride, stride))
        self.bn2 = norm(width)
        self.conv3 = conv(width, channels_out, (1, 1, 1))
        self.bn3 = norm(channels_out)
        self.gate = SelfGating(channels_out) if gated else nn.Identity()
        self.se = SqueezeExcite(channels_out)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        y = self.bn3(self.conv3(y))
        y = self.se(self.gate(y))
        return (y + self.downsample(x)).relu()


def strided_shortcut(channels_in: int, channels_out: int, stride: int) -> nn.Module:
    return nn.Sequential(conv_same(channels_in, channels_out, (1, 1, 1), (1, stride, stride)), norm(channels_out))


def pooled_shortcut(channels_in: int, channels_out: int, stride: int) -> nn.Module:
    window = (1, stride, stride)
    pool = nn.AvgPool3d(window, window, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
    return nn.Sequential(pool, conv_symmetric(channels_in, channels_out, (1, 1, 1)), norm(channels_out))


# ---- Networks ----


class ResNetRs3d(nn.Module):
    """What the two topologies share: the order of things, and the names."""

    def __init__(self, depth: int, classes: int, conv, maxpool: nn.Module, shortcut, gated: bool, scale: float = 1.0) -> None:
        super().__init__()
        k = STEM_TEMPORAL_KERNEL
        half, channels = round(32 * scale), round(64 * scale)
        self.conv1 = nn.Sequential(
            conv(3, half, (k, 3, 3), (2, 2, 2)), norm(half), nn.ReLU(),
            conv(half, half, (1, 3, 3)), norm(half), nn.ReLU(),
            conv(half, channels, (1, 3, 3)),
        )  # fmt: skip
        self.bn1 = norm(channels)
        self.maxpool = maxpool

        for group, repeats in enumerate(REPEATS[depth]):
            blocks = []
            for block in range(repeats):
                width, first = round(WIDTHS[group] * scale), block == 0
                stride = SPATIAL_STRIDES[group] if first else 1
                downsample = shortcut(channels, width * EXPANSION, stride) if first else nn.Identity()
                last = block == repeats - 1
                blocks.append(
                    Bottleneck(conv, channels, width, TEMPORAL_KERNELS[group], stride, downsample, gated and last)
                )
                channels = width * EXPANSION
            self.add_module(f"layer{group + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3, 4)))


class ModelGarden(ResNetRs3d):
    def __init__(self, depth: int = 50, classes: int = 400) -> None:
        super().__init__(depth, classes, conv_same, MaxPoolSame(), strided_shortcut, gated=True)


class Inflated(ResNetRs3d):
    def __init__(self, depth: int = 50, classes: int = 400, scale: float = 1.0) -> None:
        stem = round(64 * scale)
        fourth = nn.Sequential(conv_symmetric(stem, stem, (1, 3, 3), (1, 2, 2)), norm(stem), nn.ReLU())
        super().__init__(depth, classes, conv_symmetric, fourth, pooled_shortcut, gated=False, scale=scale)


# ---- Checks ----


def check_parameter_counts() -> None:
    for topology, depth, expected in [(ModelGarden, 50, 48_129_840), (ModelGarden, 101, None), (Inflated, 50, None)]:
        with torch.device("meta"):
            count = sum(p.numel() for p in topology(depth, 400).parameters())
        assert expected in (None, count), f"{topology.__name__}-{depth}: {count} parameters, expected {expected}"
        print(f"{topology.__name__}-{depth}, 400 classes: {count} parameters")


def check_inflated_against_timm() -> None:
    """With only the middle slice of each temporal kernel filled, every second frame is seen as timm sees it."""
    import timm

    import formula

    flat = timm.create_model("resnetrs50", pretrained=False, num_classes=400).double().eval()
    formula.fill(flat)  # as timm initialises it, every block would be silent: its last batch norm has scale 0
    deep = Inflated(50, 400).double().eval()
    inflated = {}
    for name, tensor in flat.state_dict().items():
        shape = deep.state_dict()[name].shape
        if tensor.ndim == 4:
            middle = torch.zeros(shape, dtype=tensor.dtype)
            middle[:, :, shape[2] // 2] = tensor
            tensor = middle
        inflated[name] = tensor
    deep.load_state_dict(inflated)
    for height, width in [(64, 64), (45, 53)]:
        image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        with torch.inference_mode():
            expected = flat(image)
            found = deep(image[:, :, None].expand(-1, -1, 8, -1, -1).contiguous())
        difference = ((found - expected).abs().max() / expected.abs().max()).item()
        assert difference < 1e-12, difference
        print(f"Inflated-50 against timm's resnetrs50 at {height}x{width}: relative difference {difference:.1e}")


if __name__ == "__main__":
    check_parameter_counts()
    check_inflated_against_timm()
