"""One task of the network benchmark, done by a peer: the counterpart of `reelnet bench forward|step --json`.

peers.py prepare TASK.json              writes the weights and the ONNX file that the task names
peers.py PROGRAM PRECISION TASK.json    runs, and prints one JSON object

A task: `command` (forward, step), `network`, `shape` [batch, 3, frames, height, width], `threads`, `seconds` (how long to
go on), `weights`, `onnx`, `clips` and `logits` (files).

Networks are timm's, and in 3D those of scripts/golden/networks.py; weights are those of scripts/golden/formula.py. Each peer
is called as its documentation advises. PyTorch runs with rows of pixels contiguous and with channels last, and the better
of the two is what counts.
"""

from __future__ import annotations

import json
import pathlib
import statistics
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/golden"))

# Deep networks under the formula's weights grow from block to block until f32 says nothing; this damps what each block adds.
BN3_SCALE = 0.25
# ImageNet's, of red, green and blue.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Small, so that steps under the formula's weights stay where numbers are finite.
LEARNING_RATE = 1e-3
# A run takes at least so many turns, whatever the seconds say.
TURNS_AT_LEAST = 3


def main() -> None:
    task = json.loads(pathlib.Path(sys.argv[-1]).read_text())
    if sys.argv[1] == "prepare":
        prepare(task)
        return
    program, precision = sys.argv[1:3]
    run = {"pytorch": pytorch, "openvino": openvino, "onnxruntime": onnxruntime}[program]
    print(json.dumps(run(task, precision) | {"peak_bytes": peak_bytes()}))


# ---- Networks ----


def build(task: dict):
    """The network with the formula's weights."""
    import formula
    import torch

    from tasks import TIMM

    torch.set_num_threads(task["threads"])
    if task["network"].startswith("resnet3d"):
        import networks

        network = networks.Inflated(50) if task["network"].endswith("-inflated") else networks.ModelGarden(50)
    else:
        import timm

        network = timm.create_model(TIMM[task["network"]], pretrained=False)
    weights = pathlib.Path(task["weights"])
    if weights.exists():
        from safetensors.torch import load_file

        network.load_state_dict(load_file(weights), strict=True)
    else:
        formula.fill(network, BN3_SCALE)
    return network.eval()


def clips(task: dict) -> np.ndarray:
    """As the peers' networks want them: images have no time axis."""
    from safetensors.numpy import load_file

    values = load_file(task["clips"])["clips"]
    return values if task["network"].startswith("resnet3d") else values[:, :, 0]


def prepare(task: dict) -> None:
    import formula
    import safetensors.numpy
    import safetensors.torch
    import torch

    weights, onnx, inputs = (pathlib.Path(task[key]) for key in ("weights", "onnx", "clips"))
    if not inputs.exists():
        # Bytes first: what trains takes them, what infers takes them normalised.
        pixels = np.floor((formula.values("input", tuple(task["shape"])) + 1) * 127.5)
        mean, deviation = (np.array(values).reshape(1, 3, 1, 1, 1) for values in (MEAN, DEVIATION))
        normalised = ((pixels / 255 - mean) / deviation).astype(np.float32)
        safetensors.numpy.save_file({"clips": normalised}, inputs)
    if weights.exists() and (onnx.exists() or task["command"] == "step"):
        return
    network = build(task)
    if not weights.exists():
        # Counters of batches are PyTorch's, not ours.
        tensors = {n: t for n, t in network.state_dict().items() if not n.endswith("num_batches_tracked")}
        safetensors.torch.save_file(tensors, weights)
    if not onnx.exists() and task["command"] == "forward":
        torch.onnx.export(network, (torch.from_numpy(clips(task)),), onnx, dynamo=True, external_data=True)


# ---- Programs ----


def pytorch(task: dict, precision: str) -> dict:
    import torch

    torch.set_num_threads(task["threads"])
    torch.set_num_interop_threads(1)
    values = torch.from_numpy(clips(task))
    last = torch.channels_last_3d if values.ndim == 5 else torch.channels_last
    make = torch_step if task["command"] == "step" else torch_forward
    found = []
    for layout, order in [("contiguous", torch.contiguous_format), ("channels last", last)]:
        network = build(task).to(memory_format=order)
        once = make(torch, network, values.contiguous(memory_format=order), precision)
        found.append(timed(once, task["seconds"] / 2) | {"layout": layout})
        del network, once
    best = min(found, key=lambda result: result["best_seconds"])
    best["layouts"] = {result["layout"]: result["best_seconds"] for result in found}
    return finished(best, task)


def torch_forward(torch, network, batch, precision: str):
    def once():
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return network(batch).float().numpy()

    return once


def torch_step(torch, network, batch, precision: str):
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, momentum=0.9)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    labels = torch.arange(len(batch))

    def once():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = loss_of(network(batch), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return once


def openvino(task: dict, precision: str) -> dict:
    import openvino as ov

    core = ov.Core()
    config = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": task["threads"],
    }
    compiled = core.compile_model(task["onnx"], "CPU", config)
    request = compiled.create_infer_request()
    batch = clips(task)
    request.set_input_tensor(ov.Tensor(batch, shared_memory=True))

    def once():
        request.infer()
        return request.get_output_tensor().data

    return finished(timed(once, task["seconds"]), task)


def onnxruntime(task: dict, _precision: str) -> dict:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = task["threads"]
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(task["onnx"], options, providers=["CPUExecutionProvider"])
    batch = {session.get_inputs()[0].name: clips(task)}
    return finished(timed(lambda: session.run(None, batch)[0], task["seconds"]), task)


# ---- Measuring ----


def timed(once, seconds: float) -> dict:
    """Two turns to warm up, whose results are kept, then turns until the time is over."""
    first = [np.array(once()), np.array(once())]
    turns, started = [], time.perf_counter()
    while len(turns) < TURNS_AT_LEAST or time.perf_counter() - started < seconds:
        before = time.perf_counter()
        once()
        turns.append(time.perf_counter() - before)
    return {"best_seconds": min(turns), "median_seconds": statistics.median(turns), "turns": len(turns), "first": first}


def finished(result: dict, task: dict) -> dict:
    """Puts aside what is compared: the logits go into a file, the losses of the first two steps are printed."""
    from safetensors.numpy import save_file

    first = result.pop("first")
    if task["command"] == "step":
        return result | {"losses": [float(loss) for loss in first]}
    save_file({"logits": first[0].astype(np.float32)}, task["logits"])
    return result


def peak_bytes() -> int:
    with open("/proc/self/status") as status:
        kilobytes = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024


if __name__ == "__main__":
    main()
