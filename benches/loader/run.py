"""Runs the loader benchmark: our loader and PyTorch's, the same files, the same number of workers, in turn.

run.py --ours BINARY --files FOLDER --out FOLDER [--rounds 3] [--workers 2] [--cases images,clips]

The time of a case is the shortest of all rounds, in which everybody takes turns. What comes out of a loader is checked for
its shape only: augmentation is random, and the peer's RandAugment is another family of operations under the same name.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
CONFIGS = HERE.parents[1] / "configs"
CLASSES = ["network.classes=2", "epochs=100000", "data.validation.path=train"]
CASES = {
    "images": {
        "title": "JPEG of 500x375, random resized crop to 224 (bicubic), flip, RandAugment of 2 operations at magnitude 15",
        "recipe": CONFIGS / "imagenet" / "resnet-rs-152-224.toml",
        "settings": ["batch.size=64", "batch.at_once=64", *CLASSES],
        "peers": ["pil", "tensor"],
        "shape": [[64, 1, 224, 224, 3], [64, 3, 224, 224]],
        "warm_up": 4,
        "batches": {"reelnet": 40, "pil": 12, "tensor": 12},
    },
    "clips": {
        "title": "H.264 of 10 s at 454x256, 32 frames with step 2 from a random place, random resized crop to 224 (bilinear), flip",
        "recipe": CONFIGS / "kinetics-400" / "resnet3d-rs-50.toml",
        "settings": ["batch.size=8", "batch.at_once=8", "network.classes=2", "epochs=100000"],
        "peers": ["exact", "approximate"],
        "shape": [[8, 32, 224, 224, 3], [8, 32, 3, 224, 224]],
        "warm_up": 2,
        "batches": {"reelnet": 16, "exact": 8, "approximate": 8},
    },
}


def measure(who, case, ours, root, workers, scratch):
    out = scratch / "out.json"
    counts = [str(case["warm_up"]), str(case["batches"][who])]
    if who == "reelnet":
        command = [ours, out, case["recipe"], root, str(workers), *counts, *case["settings"]]
    else:
        size = str(case["shape"][0][0])
        command = [sys.executable, HERE / "peers.py", who, out, root, str(workers), *counts, size]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{who}: {done.stderr.strip()}")
    answer = json.loads(out.read_text())
    if answer["shape"] not in case["shape"]:
        raise SystemExit(f"{who}: batches of {answer['shape']}, expected one of {case['shape']}")
    return answer


def cpu():
    for text in open("/proc/cpuinfo"):
        if text.startswith("model name"):
            return text.split(":", 1)[1].strip()
    return platform.processor()


def cut(number):
    """To two digits, never up: a goal that is almost reached is not reached."""
    return int(100 * number) / 100


def table(report):
    lines = [f"# Loader, {report['cpu']}, {report['cores']} cores", ""]
    lines += [f"Linux {report['kernel']}, Python {report['python']}; {', '.join(report['peers'])}.", ""]
    lines += ["Samples a second of the fastest round, and processor seconds of that round a thousand samples. `×` is ours over the best"]
    lines += ["peer's; `× CPU` is the best peer's processor time over ours.", ""]
    for name, row in report["cases"].items():
        everyone = list(row["results"])
        lines += [f"## {name}: {row['title']}", "", f"{row['workers']} workers, best of {row['rounds']} rounds.", ""]
        lines += ["| who | samples a second | CPU s per 1,000 | rounds |", "|---|---|---|---|"]
        for who in everyone:
            result = row["results"][who]
            rounds = ", ".join(f"{rate:.1f}" for rate in result["all_rates"])
            lines += [f"| {who} | {result['rate']:.1f} | {result['cpu_per_thousand']:.2f} | {rounds} |"]
        lines += ["", f"**{row['times']:.2f}×**, CPU {row['times_cpu']:.2f}×", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True)
    parser.add_argument("--files", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cases", default=",".join(CASES))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    results = arguments.out / "loader.json"
    cases = json.loads(results.read_text())["cases"] if results.exists() else {}
    versions = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.cases.split(","):
            case = CASES[name]
            everyone = ["reelnet", *case["peers"]]
            answers = {who: [] for who in everyone}
            for _ in range(arguments.rounds):
                for who in everyone:
                    root = arguments.files / name
                    answer = measure(who, case, arguments.ours, root, arguments.workers, pathlib.Path(scratch))
                    versions |= answer.pop("versions", {})
                    answers[who].append(answer)
            row = {"title": case["title"], "workers": arguments.workers, "rounds": arguments.rounds, "results": {}}
            for who in everyone:
                best = max(answers[who], key=lambda answer: answer["samples"] / answer["seconds"])
                row["results"][who] = {
                    "rate": best["samples"] / best["seconds"],
                    "cpu_per_thousand": min(1000 * answer["cpu_seconds"] / answer["samples"] for answer in answers[who]),
                    "all_rates": [answer["samples"] / answer["seconds"] for answer in answers[who]],
                }
            ours, *rivals = row["results"].values()
            row["times"] = cut(ours["rate"] / max(rival["rate"] for rival in rivals))
            row["times_cpu"] = cut(min(rival["cpu_per_thousand"] for rival in rivals) / ours["cpu_per_thousand"])
            cases[name] = row
            print(name, row["times"], {who: round(result["rate"], 1) for who, result in row["results"].items()}, flush=True)
    report = {"cpu": cpu(), "cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    report |= {"peers": [f"{package} {version}" for package, version in versions.items()], "cases": cases}
    results.write_text(json.dumps(report, indent=1) + "\n")
    (arguments.out / "loader.md").write_text(table(report))


if __name__ == "__main__":
    main()
