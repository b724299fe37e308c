"""One task of the clip benchmark, done by a peer: the counterpart of benches/src/bin/clips.rs.

peers.py PEER TASK.json OUT.json

Each peer is called the way its own documentation advises for this kind of work, with its own scaler, bilinear where it
offers a choice. Opening the file counts for everybody.
"""

import json
import sys
import time

import numpy as np


def peak_bytes():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024


def decord(task):
    from decord import VideoReader, cpu

    width, height = task["size"] or (-1, -1)

    def draw(clips):
        reader = VideoReader(task["file"], ctx=cpu(0), width=width, height=height, num_threads=task["threads"])
        flat = [frame for clip in clips for frame in clip]
        return reader.get_batch(flat).asnumpy()

    return draw


def torchcodec(task):
    import torch
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize

    torch.set_num_threads(task["threads"])
    options = {}
    if task["size"]:
        width, height = task["size"]
        options["transforms"] = [Resize(size=(height, width))]

    def draw(clips):
        decoder = VideoDecoder(
            task["file"], num_ffmpeg_threads=task["threads"], dimension_order="NHWC", seek_mode="exact", **options
        )
        flat = [frame for clip in clips for frame in clip]
        if flat == list(range(len(decoder))):
            return decoder.get_frames_in_range(0, len(decoder)).data.numpy()
        return decoder.get_frames_at(flat).data.numpy()

    return draw


def pyav(task):
    """PyAV has no sampler; this is the usual loop: seek to the key frame before, decode on, convert what is wanted."""
    import av

    def draw(clips):
        flat = [frame for clip in clips for frame in clip]
        order = sorted(set(flat))
        found = {}
        with av.open(task["file"]) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = task["threads"]
            stream.codec_context.thread_type = "FRAME"
            rate, base, start = stream.average_rate, stream.time_base, stream.start_time or 0
            options = {"format": "rgb24"}
            if task["size"]:
                options |= {"width": task["size"][0], "height": task["size"][1], "interpolation": "BILINEAR"}
            gop = 250
            position = None
            for frame_number in order:
                if frame_number in found:
                    continue
                if position is None or frame_number - position > gop:
                    container.seek(int(frame_number / rate / base) + start, stream=stream)
                    frames = container.decode(stream)
                for frame in frames:
                    position = round((frame.pts - start) * base * rate)
                    if position in wanted_set(order):
                        found[position] = frame.reformat(**options).to_ndarray()
                    if position >= frame_number:
                        break
        return np.stack([found[frame] for frame in flat])

    cache = {}

    def wanted_set(order):
        if cache.get("order") is not order:
            cache["order"], cache["set"] = order, set(order)
        return cache["set"]

    return draw


def video_reader(task):
    from video_reader import PyVideoReader

    options = {"threads": task["threads"]}
    if task["size"]:
        options |= {"target_width": task["size"][0], "target_height": task["size"][1], "resize_algo": "bilinear"}

    def draw(clips):
        reader = PyVideoReader(task["file"], **options)
        flat = [frame for clip in clips for frame in clip]
        if flat == list(range(reader.get_shape()[0])):
            return reader.decode() if task["size"] else np.stack(reader.decode_fast())
        return reader.get_batch(flat)

    return draw


def main():
    peer, task_path, out_path = sys.argv[1:]
    with open(task_path) as file:
        task = json.load(file)
    makers = {"decord": decord, "torchcodec": torchcodec, "pyav": pyav, "video-reader-rs": video_reader}
    draw = makers[peer](task)
    seconds, cpu_seconds, frames = [], [], 0
    for _ in range(task["turns"]):
        start, cpu_start = time.perf_counter(), time.process_time()
        frames = 0
        for clips in task["draws"]:
            frames += len(draw(clips))
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    if task.get("frames_to"):
        np.ascontiguousarray(draw(task["draws"][-1])).tofile(task["frames_to"])
    with open(out_path, "w") as file:
        json.dump({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes(), "frames": frames}, file)


if __name__ == "__main__":
    main()
