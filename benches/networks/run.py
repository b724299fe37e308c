"""Runs the network benchmark: `reelnet bench` and its peers, the same tasks, interleaved, in one go.

run.py --ours BINARY --work FOLDER --out FOLDER [--cases WORD,…] [--precision f32,bf16] [--rounds 3] [--seconds 3] [--threads 2]
       [--programs WORD,…] [--prepare]

A case is chosen by any word in its name (`--list` prints the names), a program by any word in its. Everybody computes with
the same weights on the same clips; logits are compared before times are, and in training the loss of the first step. The time
of a program is the shortest turn of all rounds, in which everybody takes turns: on a machine that others use too, everything
but the work itself only ever adds time. Results that an earlier run of the same day left in the output folder are kept unless
they are measured again, so that a run can be cut into pieces. `--prepare` only writes what the peers read: weights and ONNX
files.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
from safetensors.numpy import load_file

import report
from tasks import CASES, programs

HERE = pathlib.Path(__file__).parent
PEERS = ["torch", "timm", "openvino", "onnxruntime", "onnx"]
# A program that hangs is a program that failed.
LONGEST_SECONDS = 900


def main() -> None:
    arguments = parse()
    chosen = [case for case in CASES if any(word in case.name for word in arguments.cases.split(","))]
    if arguments.list:
        print("\n".join(case.name for case in chosen))
        return
    bench = Bench(arguments)
    for case in chosen:
        bench.prepare(case)
    if arguments.prepare:
        return
    for case in chosen:
        for precision in arguments.precision.split(","):
            if precision in programs(case):
                print(report.line(bench.measure(case, precision)), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--cases", default="")
    parser.add_argument("--precision", default="f32,bf16")
    parser.add_argument("--programs", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


class Bench:
    """Where files lie, and what has been measured so far."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.work = arguments.work
        self.work.mkdir(parents=True, exist_ok=True)
        self.scratch = tempfile.TemporaryDirectory(dir=self.work)
        arguments.out.mkdir(parents=True, exist_ok=True)
        self.results = arguments.out / "networks.json"
        self.rows = json.loads(self.results.read_text())["rows"] if self.results.exists() else []

    # ---- Before ----

    def task(self, case) -> dict:
        shape = "x".join(map(str, case.shape))
        return {
            "command": case.command,
            "network": case.network,
            "shape": case.shape,
            "threads": self.arguments.threads,
            "seconds": self.arguments.seconds,
            "weights": str(self.work / f"{case.network}.safetensors"),
            "onnx": str(self.work / f"{case.network}-{shape}.onnx"),
            "clips": str(self.work / f"clips-{shape}.safetensors"),
            "logits": str(pathlib.Path(self.scratch.name) / "logits.safetensors"),
        }

    def prepare(self, case) -> None:
        """Weights by the formula, as a file for everybody and as a bundle for us; the network as an ONNX file."""
        task = self.task(case)
        needed = [task["weights"], task["clips"]] + ([task["onnx"]] if case.command == "forward" else [])
        if not all(pathlib.Path(path).exists() for path in needed):
            print(f"preparing {case.name}", file=sys.stderr, flush=True)
            command = [sys.executable, HERE / "peers.py", "prepare", self.write(task)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        bundle = self.bundle(case)
        if self.arguments.ours and not bundle.exists():
            made = bundle.with_name(f"{bundle.name}.made")
            command = [self.arguments.ours, "import", task["weights"], "--network", case.network, "--out", made]
            subprocess.run(command, check=True)
            # The peers drop nothing, and losses are compared.
            description = made / "model.toml"
            text = re.sub(r"(?m)^(dropout|drop_path) = .*$", r"\1 = 0.0", description.read_text())
            description.write_text(text)
            made.rename(bundle)

    def bundle(self, case) -> pathlib.Path:
        return self.work / f"{case.network}-bundle"

    def write(self, task: dict) -> pathlib.Path:
        path = pathlib.Path(self.scratch.name) / "task.json"
        path.write_text(json.dumps(task))
        return path

    # ---- Measuring ----

    def measure(self, case, precision: str) -> dict:
        """A row: everybody's turns, round after round."""
        row = self.row(case, precision)
        wanted = [who for who in programs(case)[precision] if any(w in who for w in self.arguments.programs.split(","))]
        if not self.arguments.ours:
            wanted = [who for who in wanted if not who.startswith("reelnet")]
        for who in wanted:
            row["results"].pop(who, None)
        for _ in range(self.arguments.rounds):
            for who in wanted:
                found = row["results"].setdefault(who, {"rounds": 0})
                if "error" not in found:
                    add(found, self.turn(case, who))
        self.compare(row)
        self.save()
        return row

    def row(self, case, precision: str) -> dict:
        """The row of this case, with what is already known."""
        for row in self.rows:
            if row["case"] == case.name and row["precision"] == precision:
                return row
        row = {"case": case.name, "precision": precision, "network": case.network, "shape": case.shape, "results": {}}
        self.rows.append(row)
        order = [case.name for case in CASES]
        self.rows.sort(key=lambda row: (order.index(row["case"]), row["precision"] != "f32"))
        return row

    def turn(self, case, who: str) -> dict:
        """What one program says about one case, or why it says nothing."""
        program, precision = who.split()
        task = self.task(case)
        logits = pathlib.Path(task["logits"])
        logits.unlink(missing_ok=True)
        if program == "reelnet":
            command = self.our_command(case, precision, task)
        else:
            command = [sys.executable, HERE / "peers.py", program, precision, self.write(task)]
        before = Load()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            return {"error": f"took more than {LONGEST_SECONDS} seconds"}
        others = Load().cores_of_others(before)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
            return {"error": lines[-1][:200]}
        answer = json.loads(done.stdout) | {"others": others}
        if logits.exists():
            answer["logits"] = load_file(logits)["logits"]
        return answer

    def our_command(self, case, precision: str, task: dict) -> list:
        command = [self.arguments.ours, "bench", case.command, "--model", self.bundle(case), "--batch", case.batch]
        command += ["--frames", case.frames, "--size", case.size, "--threads", task["threads"]]
        command += ["--precision", precision, "--seconds", task["seconds"], "--input", task["clips"], "--json"]
        command += ["--output", task["logits"]] if case.command == "forward" else []
        return list(map(str, command))

    def compare(self, row: dict) -> None:
        """How far everybody's logits, or the loss of the first step, are from PyTorch's in f32."""
        key = "losses" if row["case"].startswith("step") else "logits"
        known = self.work / f"expected-{row['case'].replace('/', '-')}.json"
        own = row["results"].get("pytorch f32", {}).get(key)
        if own is not None:
            known.write_text(json.dumps(np.asarray(own).tolist()))
        expected = np.array(json.loads(known.read_text())) if known.exists() else None
        for found in row["results"].values():
            values = found.pop(key, None)
            if values is not None and expected is not None:
                difference = np.abs(np.asarray(values) - expected).max() / np.abs(expected).max()
                found["difference"] = float(f"{difference:.2g}")

    # ---- After ----

    def save(self) -> None:
        found = {"machine": machine(self.arguments.threads), "peers": versions(), "rows": self.rows}
        self.results.write_text(json.dumps(found, indent=1) + "\n")
        (self.results.with_suffix(".md")).write_text(report.tables(found))


class Load:
    """Seconds that the machine's cores have worked, and those of them that were our children's."""

    def __init__(self) -> None:
        self.wall = time.monotonic()
        with open("/proc/stat") as file:
            user, nice, system = map(int, file.readline().split()[1:4])
        self.all = (user + nice + system) / os.sysconf("SC_CLK_TCK")
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.own = children.ru_utime + children.ru_stime

    def cores_of_others(self, before: "Load") -> float:
        """How many cores worked for somebody else in between: what makes a time doubtful."""
        others = (self.all - before.all) - (self.own - before.own)
        return round(max(others, 0.0) / (self.wall - before.wall), 2)


def add(found: dict, answer: dict) -> None:
    """Keeps the shortest turn and the largest memory of all rounds."""
    if "error" in answer:
        found["error"] = answer["error"]
        return
    found["rounds"] += 1
    if answer["best_seconds"] < found.get("best_seconds", float("inf")):
        kept = ("best_seconds", "median_seconds", "layout", "layouts", "peak_gflops", "share_of_peak", "backend", "others")
        found |= {key: answer[key] for key in kept if answer.get(key) is not None}
    found["peak_megabytes"] = max(round(answer["peak_bytes"] / 1e6), found.get("peak_megabytes", 0))
    found |= {key: answer[key] for key in ("logits", "losses", "gflops_a_run") if answer.get(key) is not None}


def machine(threads: int) -> dict:
    with open("/proc/cpuinfo") as file:
        cpu = next((text.split(":", 1)[1].strip() for text in file if text.startswith("model name")), platform.processor())
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": threads,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def versions() -> list[str]:
    return [f"{name}=={importlib.metadata.version(name)}" for name in PEERS]


if __name__ == "__main__":
    main()
