"""A library tagged as people write it in Python: torchcodec for frames, OpenVINO for the network, SQLite for what came out.

peers.py prepare WEIGHTS ONNX             EfficientNet-Lite0 with our weights as an ONNX file
peers.py tag ONNX FOLDER OUT.json WORKERS  tags every video of a folder, and writes what it found

Windows are those of `reelnet library`: as many as 5 seconds go into the video, at least one; the frame in the middle of each. WORKERS
threads decode ahead of the network, which has both cores. The clock starts when libraries are loaded and the network is compiled.
"""

import json
import pathlib
import resource
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

RESIZE, CROP = 256, 224
WINDOW, MOST, THRESHOLD = 5.0, 240, 0.3


def prepare(weights, onnx):
    import timm
    import torch
    from safetensors.torch import load_file

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    network.load_state_dict({name: tensor.float() for name, tensor in load_file(weights).items()}, strict=False)
    batch = torch.export.Dim("batch", min=1, max=256)
    example = (torch.zeros(2, 3, CROP, CROP),)
    torch.onnx.export(network.eval(), example, onnx, dynamo=True, dynamic_shapes=((({0: batch},))), external_data=False)


def frames_of(path):
    """The middle frame of each window, as the network takes them, and the windows."""
    import torch
    from torchcodec.decoders import VideoDecoder
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional

    decoder = VideoDecoder(path, num_ffmpeg_threads=1, seek_mode="approximate")
    begin, end = decoder.metadata.begin_stream_seconds, decoder.metadata.end_stream_seconds
    duration = end - begin
    count = min(max(round(duration / WINDOW), 1), MOST)
    length = duration / count
    middles = [begin + length * (window + 0.5) for window in range(count)]
    frames = decoder.get_frames_played_at(middles).data
    resized = functional.resize(frames, RESIZE, interpolation=InterpolationMode.BICUBIC, antialias=True)
    values = functional.center_crop(resized, CROP).float().sub_(127).div_(128)
    return path, values.numpy(), [(length * window, length * (window + 1)) for window in range(count)]


def tag(onnx, folder, out, workers):
    import openvino
    import torch
    import torchcodec.decoders  # noqa: F401 - loaded before the clock starts

    torch.set_num_threads(1)
    core = openvino.Core()
    config = {"INFERENCE_NUM_THREADS": 2, "INFERENCE_PRECISION_HINT": "f32"}
    network = core.compile_model(core.read_model(onnx), "CPU", config)
    network(np.zeros((1, 3, CROP, CROP), np.float32))
    out.with_suffix(".db").unlink(missing_ok=True)
    store = sqlite3.connect(out.with_suffix(".db"))
    store.execute("CREATE TABLE tags (path TEXT, start REAL, end REAL, class INTEGER, score REAL)")
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".mp4", ".webm", ".mkv"))
    tags = {}
    began = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        waiting = []
        rest = iter(paths)
        for path in rest:
            waiting.append(pool.submit(frames_of, path))
            if len(waiting) < 2 * workers:
                continue
            finish(waiting.pop(0).result(), network, store, tags)
        for one in waiting:
            finish(one.result(), network, store, tags)
    store.commit()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    out.write_text(json.dumps({"seconds": seconds, "peak_bytes": peak, "tags": tags, "versions": {"openvino": openvino.__version__, "torchcodec": torchcodec.__version__}}))


def finish(found, network, store, tags):
    path, values, windows = found
    logits = next(iter(network(values).values()))
    powers = np.exp(logits - logits.max(1, keepdims=True))
    scores = powers / powers.sum(1, keepdims=True)
    found_of_file = tags.setdefault(str(path), [])
    for (start, end), row in zip(windows, scores):
        sure = np.flatnonzero(row >= THRESHOLD)
        found_of_file.extend(int(one) for one in sure)
        store.executemany("INSERT INTO tags VALUES (?, ?, ?, ?, ?)", [(str(path), start, end, int(one), float(row[one])) for one in sure])
    store.commit()


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare(sys.argv[2], sys.argv[3])
    else:
        tag(sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4]), int(sys.argv[5]))
