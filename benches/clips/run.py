"""Runs the clip benchmark: our sampler and its peers, the same tasks, interleaved, in one go.

run.py --ours BINARY --files FOLDER --out FOLDER [--rounds 3] [--quick]

A task names frames by number, so everybody fetches the same ones; the pixels that come back are compared with those of
`ffmpeg` itself, and a peer that returns other frames is marked. The time of a task is the shortest of all rounds: on a
machine that others use too, everything but the work itself only ever adds time.
"""

import argparse
import json
import os
import pathlib
import platform
import random
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).parent
PEERS = ["decord", "pyav", "torchcodec", "video-reader-rs"]
SHORT = ["small.mp4", "k340.mp4", "hd720.mp4", "hd1080.mp4"]


def probe(path):
    fields = "stream=width,height,nb_read_packets"
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets", "-show_entries", fields]
    answer = json.loads(subprocess.check_output([*command, "-of", "json", path]))["streams"][0]
    return answer["width"], answer["height"], int(answer["nb_read_packets"])


def shorter_side(width, height, target=256):
    """The longer side becomes an even number: video-reader-rs takes no other."""
    longer = round(max(width, height) * target / min(width, height) / 2) * 2
    return (target, longer) if width < height else (longer, target)


def tasks(folder, quick):
    """(case, file, draws, size): what the issue asks for, with seeded random draws."""
    for name in [*SHORT, "long.mp4"]:
        width, height, frames = probe(folder / name)
        size = shorter_side(width, height)
        span = 7 * 8 + 1
        uniform = []
        for clip in range(10):
            middle = int((clip + 0.5) * frames / 10)
            first = min(max(middle - span // 2, 0), frames - span)
            uniform.append([first + 8 * step for step in range(8)])
        yield "a", name, [uniform], size
        generator = random.Random(name)
        draws = []
        for _ in range(5 if quick else 50):
            first = generator.randrange(frames - 62)
            draws.append([[first + 2 * step for step in range(32)]])
        yield "b", name, draws, size
        if name != "long.mp4":
            yield "c", name, [[list(range(frames))]], None
        else:
            yield "d", name, [[[generator.randrange(frames)] for _ in range(16)]], size


def reference(path, size, numbers):
    """What ffmpeg makes of these frames, and of their neighbours, sequentially and with its most exact scaler."""
    width, height = size
    wanted = {near for number in numbers for near in (number - 1, number, number + 1)}
    scale = f"scale={width}:{height}:flags=bilinear+accurate_rnd+full_chroma_int,format=rgb24"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-vf", scale, "-f", "rawvideo", "-"]
    found = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        for number in range(max(numbers) + 2):
            data = process.stdout.read(width * height * 3)
            if len(data) < width * height * 3:
                break
            if number in wanted:
                found[number] = np.frombuffer(data, np.uint8)
        process.kill()
    return found


def difference(one, other):
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())


def verify(data, expected, numbers):
    """The mean difference of the worst frame, and how many frames look more like a neighbour than like themselves."""
    worst, wrong = 0.0, 0
    for number, frame in zip(numbers, data.reshape(len(numbers), -1), strict=True):
        own = difference(frame, expected[number])
        worst = max(worst, own)
        for neighbour in (number - 1, number + 1):
            if neighbour in expected:
                apart = difference(expected[neighbour], expected[number])
                wrong += apart > 1.0 and difference(frame, expected[neighbour]) < own
    return worst, wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True)
    parser.add_argument("--files", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--cases", default="abcd")
    parser.add_argument("--names", default="")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    everyone = ["reelnet", *filter(None, arguments.peers.split(","))]
    rows = []
    environment = dict(os.environ)
    # The wheel of video-reader-rs finds its own libraries only this way.
    for site in map(pathlib.Path, sys.path):
        if (site / "video_reader_rs.libs").is_dir():
            environment["LD_LIBRARY_PATH"] = str(site / "video_reader_rs.libs")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for case, name, draws, size in tasks(arguments.files, arguments.quick):
            if case not in arguments.cases or (arguments.names and name not in arguments.names.split(",")):
                continue
            width, height, _ = probe(arguments.files / name)
            numbers = [frame for clip in draws[-1] for frame in clip]
            expected = reference(arguments.files / name, size or (width, height), numbers)
            for threads in map(int, arguments.threads.split(",")):
                row = {"case": case, "file": name, "video": f"{width}x{height}", "threads": threads, "results": {}}
                turns = {"a": 3, "b": 1, "c": 1, "d": 1}[case] * (4 if name in SHORT[:2] else 1)
                for turn in range(arguments.rounds):
                    for who in everyone:
                        out, frames = scratch / "out.json", scratch / "frames.raw"
                        task = {"file": str(arguments.files / name), "draws": draws, "size": size, "threads": threads}
                        # The first turn of a process also loads libraries and fills caches.
                        task |= {"turns": turns, "frames_to": str(frames) if turn == 0 else None}
                        (scratch / "task.json").write_text(json.dumps(task))
                        program = [arguments.ours] if who == "reelnet" else [sys.executable, HERE / "peers.py", who]
                        extra = environment if who == "video-reader-rs" else None
                        command = [*program, scratch / "task.json", out]
                        done = subprocess.run(command, env=extra, capture_output=True, text=True)
                        result = row["results"].setdefault(who, {"seconds": None})
                        if done.returncode:
                            result["error"] = done.stderr.strip().splitlines()[-1:]
                            continue
                        answer = json.loads(out.read_text())
                        for key in ("seconds", "cpu_seconds"):
                            # The mean of the turns of one process; 1/100 s is the grain of processor time.
                            mean = sum(answer[key]) / turns
                            result[key] = min(mean, result.get(key) or mean)
                        if turn == 0:
                            result["frames"] = answer["frames"]
                            worst, wrong = verify(np.fromfile(frames, np.uint8), expected, numbers)
                            result |= {"worst_mean_difference": round(worst, 2), "wrong_frames": wrong}
                        else:
                            # The first turn also holds the comparison's frames.
                            result["peak_megabytes"] = round(answer["peak_bytes"] / 1e6)
                rows.append(row)
                print(line(row, everyone), flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    versions = subprocess.check_output([sys.executable, "-m", "pip", "freeze"], text=True).split()
    peers = [word for word in versions if word.split("==")[0] in ("decord", "av", "torchcodec", "video_reader-rs", "torch")]
    machine = {"machine": platform.machine(), "cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version()}
    report = {"machine": machine, "peers": peers, "rounds": arguments.rounds, "rows": rows}
    (arguments.out / "clips.json").write_text(json.dumps(report, indent=1) + "\n")
    (arguments.out / "clips.md").write_text(table(report, everyone))


def cpu():
    for text in open("/proc/cpuinfo"):
        if text.startswith("model name"):
            return text.split(":", 1)[1].strip()
    return platform.processor()


def ratio(row, key):
    peers = [result[key] for who, result in row["results"].items() if who != "reelnet" and good(result)]
    ours = row["results"]["reelnet"][key]
    return min(peers) / ours if peers and ours else float("nan")


def good(result):
    return bool(result["seconds"]) and not result.get("wrong_frames")


def line(row, everyone):
    cells = []
    for who in everyone:
        result = row["results"][who]
        seconds = result["seconds"]
        note = f"!{result['wrong_frames']}" if result.get("wrong_frames") else ""
        cells.append(f"{who} {seconds * 1000:.0f}ms cpu {result['cpu_seconds'] * 1000:.0f}{note} d{result.get('worst_mean_difference')} {result.get('peak_megabytes')}MB" if seconds else f"{who} {result.get('error')}")
    return f"{row['case']} {row['file']} t{row['threads']}: {ratio(row, 'seconds'):.2f}x cpu {ratio(row, 'cpu_seconds'):.2f}x | " + " | ".join(cells)


TITLES = {
    "a": "10 uniform clips of 8 frames, step 8, shorter side 256",
    "b": "one random clip of 32 frames, step 2, shorter side 256, file opened for each draw",
    "c": "all frames at the video's own size",
    "d": "16 single frames at random times of a 5-minute video with 250-frame groups, shorter side 256",
}


def table(report, everyone):
    machine = report["machine"]
    lines = [f"# Clip sampler, {machine['cpu']}, {machine['cores']} cores", ""]
    lines += [f"Peers: {', '.join(report['peers'])}. Seconds are the shortest of {report['rounds']} interleaved rounds."]
    lines += ["`×` is the best peer's time divided by ours, `× CPU` the same of processor time, which other work on the"]
    lines += ["machine disturbs less. MB is the peak memory of the whole process.", ""]
    for case, title in TITLES.items():
        rows = [row for row in report["rows"] if row["case"] == case]
        if not rows:
            continue
        lines += [f"## ({case}) {title}", "", "| file | video | threads | × | × CPU | " + " | ".join(everyone) + " |"]
        lines += ["|---|---|---|---|---|" + "---|" * len(everyone)]
        for row in rows:
            cells = []
            for who in everyone:
                result = row["results"][who]
                if not result["seconds"]:
                    cells.append("failed")
                    continue
                wrong = f", {result['wrong_frames']} wrong frames" if result.get("wrong_frames") else ""
                cells.append(f"{result['seconds']:.3f} s, {result['cpu_seconds']:.3f} s CPU, {result.get('peak_megabytes')} MB{wrong}")
            head = f"| {row['file']} | {row['video']} | {row['threads']} | {ratio(row, 'seconds'):.2f} | {ratio(row, 'cpu_seconds'):.2f} | "
            lines.append(head + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
