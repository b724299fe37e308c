"""The cases of the network benchmark: what is run, at which size, and in which order the tables show it."""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    group: str
    """`forward`, `step` or `headline`: a table each."""
    network: str
    """As `reelnet models` has it, without its size."""
    frames: int
    size: int
    batch: int

    @property
    def name(self) -> str:
        return f"{self.group}/{self.network}/{self.frames}x{self.size}/b{self.batch}"

    @property
    def command(self) -> str:
        """Of `reelnet bench`."""
        return "step" if self.group == "step" else "forward"

    @property
    def shape(self) -> list[int]:
        """Of the clips; an image network's have one frame."""
        return [self.batch, 3, self.frames, self.size, self.size]

    @property
    def is_image(self) -> bool:
        return not self.network.startswith("resnet3d")


# timm's names of our image networks.
TIMM = {
    "resnet-rs-50": "resnetrs50",
    "resnet-rs-152": "resnetrs152",
    "resnet-rs-350": "resnetrs350",
    "efficientnet-lite0": "tf_efficientnet_lite0",
    "efficientnet-b0": "tf_efficientnet_b0",
    "efficientnet-b5": "tf_efficientnet_b5",
    "efficientnet-b6": "tf_efficientnet_b6",
}

INFLATED, GARDEN = "resnet3d-rs-50-inflated", "resnet3d-rs-50"
IMAGES = [
    ("resnet-rs-50", 160),
    ("resnet-rs-152", 256),
    ("resnet-rs-350", 256),
    ("efficientnet-lite0", 224),
    ("efficientnet-b0", 224),
    ("efficientnet-b5", 456),
]

FORWARD = [
    *(Case("forward", INFLATED, frames, size, 1) for frames, size in [(8, 224), (16, 160), (32, 224)]),
    Case("forward", GARDEN, 32, 224, 1),
    *(Case("forward", network, 1, size, batch) for network, size in IMAGES for batch in (1, 16)),
]
STEP = [
    *(Case("step", INFLATED, frames, 112, batch) for frames in (8, 16) for batch in (2, 4)),
    Case("step", "resnet-rs-50", 1, 160, 16),
]
# Pairs of one published accuracy. The paper halves 128 until a batch fits its accelerator; here 8 images fit everybody.
PAIRS = [
    (Case("headline", "resnet-rs-350", 1, 256, 8), Case("headline", "efficientnet-b6", 1, 528, 8)),
    (Case("headline", "resnet-rs-152", 1, 224, 8), Case("headline", "efficientnet-b5", 1, 456, 8)),
]
CASES = [*FORWARD, *STEP, *(case for pair in PAIRS for case in pair)]

# Who takes part, by the precision that the work is done in.
FORWARD_PROGRAMS = {
    "f32": ["reelnet f32", "pytorch f32", "openvino f32", "onnxruntime f32"],
    "bf16": ["reelnet bf16", "pytorch bf16", "openvino bf16"],
}
STEP_PROGRAMS = {"f32": ["reelnet f32", "pytorch f32"], "bf16": ["reelnet bf16", "pytorch bf16"]}


def programs(case: Case) -> dict[str, list[str]]:
    return STEP_PROGRAMS if case.command == "step" else FORWARD_PROGRAMS
