"""Runs the clip benchmark: our sampler and its peers, the same tasks, interleaved, in one go.

run.py --ours BINARY --files FOLDER --out FOLDER [--rounds 3] [--cases abcd] [--names small.mp4,...] [--threads 1,2]

A task names frames by number, so everybody fetches the same ones; the pixels that come back are compared with those of
`ffmpeg` itself, and a peer that returns other frames is marked and is nobody's rival. The time of a task is the shortest
turn of all rounds, in which everybody takes turns: on a machine that others use too, everything but the work itself only
ever adds time. Rows that an earlier run left in the output folder are kept unless they are measured again, so a run can
be cut into pieces.
"""

import argparse
import importlib.metadata
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

# 200 draws of case (b), more of them where a draw is short.
DRAWS = {"small.mp4": 60, "k340.mp4": 60, "hd720.mp4": 30, "hd1080.mp4": 20, "long.mp4": 30}

# How often a program does its task before it is asked for its shortest time.
TURNS = {"a": 1, "b": 1, "c": 1, "d": 1}


def probe(path):
    fields = "stream=width,height,nb_read_packets"
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets", "-show_entries", fields]
    answer = json.loads(subprocess.check_output([*command, "-of", "json", path]))["streams"][0]
    return answer["width"], answer["height"], int(answer["nb_read_packets"])


def shorter_side(width, height, target=256):
    """The longer side becomes an even number: video-reader-rs takes no other."""
    longer = round(max(width, height) * target / min(width, height) / 2) * 2
    return (target, longer) if width < height else (longer, target)


def tasks(folder):
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
        for _ in range(DRAWS[name]):
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


def measure(program, task, scratch, environment):
    """What one program says about one task, or why it did not do it."""
    out = scratch / "out.json"
    (scratch / "task.json").write_text(json.dumps(task))
    done = subprocess.run([*program, scratch / "task.json", out], env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
        return {"error": lines[-1][:200]}
    return json.loads(out.read_text())


def add(result, answer):
    """Keeps the shortest turn and the largest memory of all rounds."""
    if "error" in answer:
        result["error"] = answer["error"]
        return
    for key in ("seconds", "cpu_seconds"):
        result[key] = min([*answer[key], result.get(key) or float("inf")])
    result["frames"] = answer["frames"]
    if "peak_bytes" in answer:
        result["peak_megabytes"] = max(round(answer["peak_bytes"] / 1e6), result.get("peak_megabytes", 0))


def compare(row, case, draws, task, programs, rounds, scratch):
    """Fills a row: everybody's turns, round after round, then everybody's frames."""
    numbers = [frame for clip in draws[-1] for frame in clip]
    width, height, _ = probe(task["file"])
    expected = reference(task["file"], task["size"] or (width, height), numbers)
    turns = TURNS[case] * (3 if row["file"] in SHORT[:2] and case != "b" else 1)
    for _ in range(rounds):
        for who, (program, environment) in programs.items():
            result = row["results"].setdefault(who, {"seconds": None})
            if "error" not in result:
                add(result, measure(program, task | {"draws": draws, "turns": turns, "frames_to": None}, scratch, environment))
    for who, (program, environment) in programs.items():
        result = row["results"][who]
        if "error" in result:
            continue
        frames = scratch / "frames.raw"
        # The comparison holds further copies of the frames, so it has a process of its own.
        answer = measure(program, task | {"draws": draws[-1:], "turns": 0, "frames_to": str(frames)}, scratch, environment)
        if "error" in answer:
            result["error"] = answer["error"]
            continue
        worst, wrong = verify(np.fromfile(frames, np.uint8), expected, numbers)
        result |= {"worst_mean_difference": round(worst, 2), "wrong_frames": wrong}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True)
    parser.add_argument("--files", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--cases", default="abcd")
    parser.add_argument("--names", default="")
    arguments = parser.parse_args()
    everyone = ["reelnet", *PEERS]
    programs = {who: ([sys.executable, HERE / "peers.py", who], None) for who in PEERS}
    programs = {"reelnet": ([arguments.ours], None)} | programs
    # The wheel of video-reader-rs finds its own libraries only this way.
    for site in map(pathlib.Path, sys.path):
        if (site / "video_reader_rs.libs").is_dir():
            environment = dict(os.environ) | {"LD_LIBRARY_PATH": str(site / "video_reader_rs.libs")}
            programs["video-reader-rs"] = (programs["video-reader-rs"][0], environment)
    arguments.out.mkdir(parents=True, exist_ok=True)
    results = arguments.out / "clips.json"
    rows = json.loads(results.read_text())["rows"] if results.exists() else []
    with tempfile.TemporaryDirectory() as scratch:
        for case, name, draws, size in tasks(arguments.files):
            if case not in arguments.cases or (arguments.names and name not in arguments.names.split(",")):
                continue
            path = arguments.files / name
            width, height, _ = probe(path)
            for threads in map(int, arguments.threads.split(",")):
                row = {"case": case, "file": name, "video": f"{width}x{height}", "threads": threads}
                rows = [other for other in rows if any(other[key] != row[key] for key in ("case", "file", "threads"))]
                row |= {"rounds": arguments.rounds, "draws": len(draws), "results": {}}
                task = {"file": str(path), "size": size, "threads": threads}
                compare(row, case, draws, task, programs, arguments.rounds, pathlib.Path(scratch))
                rows.append(row)
                rows.sort(key=lambda row: (row["case"], row["threads"], [*SHORT, "long.mp4"].index(row["file"])))
                print(line(row, everyone), flush=True)
                report = {"machine": machine(), "peers": peers(), "rows": rows}
                results.write_text(json.dumps(report, indent=1) + "\n")
                (arguments.out / "clips.md").write_text(table(report, everyone))


def machine():
    ffmpeg = subprocess.check_output(["ffmpeg", "-version"], text=True).split()[2]
    return {
        "machine": platform.machine(),
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "ffmpeg": ffmpeg,
    }


def peers():
    names = ["decord", "av", "torchcodec", "video-reader-rs", "torch"]
    return [f"{name}=={importlib.metadata.version(name)}" for name in names]


def cpu():
    for text in open("/proc/cpuinfo"):
        if text.startswith("model name"):
            return text.split(":", 1)[1].strip()
    return platform.processor()


def ratio(row, key):
    """Cut, not rounded, to two digits: a goal that is almost reached is not reached."""
    rivals = [result[key] for who, result in row["results"].items() if who != "reelnet" and good(result)]
    ours = row["results"]["reelnet"].get(key)
    return int(100 * min(rivals) / ours) / 100 if rivals and ours else float("nan")


def good(result):
    return bool(result.get("seconds")) and "error" not in result and not result.get("wrong_frames")


def cell(result):
    if "error" in result:
        return f"failed: {result['error']}"
    wrong = f", **{result['wrong_frames']} wrong frames**" if result.get("wrong_frames") else ""
    return f"{result['seconds']:.3f} / {result['cpu_seconds']:.3f} s, {result['peak_megabytes']} MB{wrong}"


def line(row, everyone):
    cells = " | ".join(f"{who} {cell(row['results'][who])}" for who in everyone)
    times = f"{ratio(row, 'seconds'):.2f}x, cpu {ratio(row, 'cpu_seconds'):.2f}x"
    return f"{row['case']} {row['file']} {row['threads']} threads: {times} | {cells}"


TITLES = {
    "a": "10 uniform clips of 8 frames, step 8, shorter side 256",
    "b": "one random clip of 32 frames, step 2, shorter side 256; the file is opened for each draw, 200 draws over all files",
    "c": "all frames at the video's own size",
    "d": "16 single frames at random times of a 5-minute video with 250-frame groups, shorter side 256",
}


def table(report, everyone):
    machine = report["machine"]
    lines = [f"# Clip sampler, {machine['cpu']}, {machine['cores']} cores", ""]
    lines += [f"Linux {machine['kernel']}, Python {machine['python']}, FFmpeg {machine['ffmpeg']} (ours); {', '.join(report['peers'])}."]
    lines += ["A cell is wall time / processor time, and the peak memory of the whole process; the times are those of the"]
    lines += ["shortest turn. `×` is the best peer's wall time divided by ours, `× CPU` the same of processor time. A peer whose"]
    lines += ["frames are not those that were asked for is marked, and is not compared with.", ""]
    for case, title in TITLES.items():
        rows = [row for row in report["rows"] if row["case"] == case]
        if not rows:
            continue
        lines += [f"## ({case}) {title}", "", "| file | video | threads | rounds | × | × CPU | " + " | ".join(everyone) + " |"]
        lines += ["|---|---|---|---|---|---|" + "---|" * len(everyone)]
        for row in rows:
            head = [row["file"], row["video"], str(row["threads"]), str(row["rounds"])]
            head += [f"{ratio(row, 'seconds'):.2f}", f"{ratio(row, 'cpu_seconds'):.2f}"]
            cells = [cell(row["results"][who]) for who in everyone]
            lines.append("| " + " | ".join(head + cells) + " |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
