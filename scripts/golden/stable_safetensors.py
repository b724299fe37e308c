"""Write a safetensors file whose bytes depend on nothing but its contents.

The library orders the metadata differently on every run; this sorts the header before writing, so that
running a generator twice gives the same hash. Not a script: the others import it.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import torch
from safetensors.torch import save


def write(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    raw = save(contiguous, metadata=metadata)
    (header_size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + header_size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)  # the data that follows must stay aligned
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + header_size :])
