"""Weights and inputs from a formula, so that no golden file has to hold them.

A tensor is a pure function of its name and its shape: the name is hashed (64-bit FNV-1a) into a seed,
and splitmix64, read as a counter, turns (seed, index) into a uniform number. The Rust tests compute the
same function, bit for bit, up to the one rounding from f64 to f32 at the end.

    seed   = fnv1a64(name)
    z      = splitmix64_finaliser(seed + (i + 1) * 0x9E3779B97F4A7C15)    for element i, row-major
    u      = (z >> 11) * 2**-53        in [0, 1)
    v      = 2 u - 1                   in [-1, 1)

| tensor                                | value                  |
|---------------------------------------|------------------------|
| `….running_var`                       | 0.5 + u                |
| `….running_mean`                      | 0.1 v                  |
| `….weight` with one axis (BN scale)   | 0.75 + 0.5 u           |
| `….bias`                              | 0.05 v                 |
| other weights (two axes and more)     | v sqrt(6 / fan_in)     |
| `input`                               | v                      |

`fan_in` is the product of all axes but the first. `num_batches_tracked` is left alone.
Very deep networks take one more number, `bn3_scale`, which multiplies every `….bn3.weight` (after rounding; it is
a power of two): it damps what each block adds, which otherwise grows until f32 says nothing about the result.

Run `python formula.py` to print the first values of a few tensors, for checking another implementation.
"""

from __future__ import annotations

import math

import numpy as np
import torch

FNV_OFFSET_BASIS = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
GOLDEN_GAMMA = 0x9E3779B97F4A7C15
MASK_64 = (1 << 64) - 1


def values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor called `name`, as f64 already rounded to the nearest f32."""
    u = _uniform(name, math.prod(shape))
    v = 2.0 * u - 1.0
    if name == "input":
        x = v
    elif name.endswith("running_var"):
        x = 0.5 + u
    elif name.endswith("running_mean"):
        x = 0.1 * v
    elif name.endswith(".bias"):
        x = 0.05 * v
    elif name.endswith(".weight") and len(shape) == 1:
        x = 0.75 + 0.5 * u
    elif name.endswith(".weight"):
        x = v * math.sqrt(6.0 / math.prod(shape[1:]))
    else:
        raise ValueError(f"tensor `{name}`: the formula has no rule for this name")
    return x.astype(np.float32).astype(np.float64).reshape(shape)


def input_tensor(shape: tuple[int, ...]) -> torch.Tensor:
    """The network's input in f64, `[batch, 3, frames, height, width]`."""
    return torch.from_numpy(values("input", shape))


def fill(network: torch.nn.Module, bn3_scale: float = 1.0) -> None:
    """Overwrite every parameter and running statistic of `network` by the formula."""
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            scale = bn3_scale if name.endswith(".bn3.weight") else 1.0
            tensor.copy_(torch.from_numpy(scale * values(name, tuple(tensor.shape))))


def fnv1a64(text: str) -> int:
    state = FNV_OFFSET_BASIS
    for byte in text.encode("utf-8"):
        state = ((state ^ byte) * FNV_PRIME) & MASK_64
    return state


def _uniform(name: str, count: int) -> np.ndarray:
    """`count` numbers in [0, 1); numpy's uint64 arithmetic wraps, which is what splitmix64 asks for."""
    counter = np.arange(1, count + 1, dtype=np.uint64)
    z = np.uint64(fnv1a64(name)) + counter * np.uint64(GOLDEN_GAMMA)
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


if __name__ == "__main__":
    for name, shape in [
        ("input", (1, 3, 1, 2, 2)),
        ("conv1.0.weight", (32, 3, 3, 3)),
        ("bn1.weight", (64,)),
        ("bn1.bias", (64,)),
        ("bn1.running_mean", (64,)),
        ("bn1.running_var", (64,)),
        ("fc.weight", (1000, 2048)),
    ]:
        first = ", ".join(repr(float(np.float32(x))) for x in values(name, shape).reshape(-1)[:4])
        print(f"{name} {list(shape)} seed {fnv1a64(name):#018x}: {first}")
