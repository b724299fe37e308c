"""Runs the library benchmark: `reelnet library` beside a pipeline of torchcodec, OpenVINO and SQLite.

run.py --reelnet BINARY --weights FILE --labels FILE --files FOLDER --cache FOLDER --out FOLDER [--rounds 2]

Everybody tags the same library with the same network, windows and threshold on the same cores. Ours is timed as whole commands, from an
empty store to the last tag (`library add` and `library work`), the peer without the loading of its libraries, with one and with two
threads that decode. Which labels each file has is compared first.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from whole import cut, machine, timed  # noqa: E402
SHORT_COPIES, LONG = 12, 4


def library(files, folder):
    """192 videos of ten seconds and four of five minutes; copies differ by a number behind their end."""
    complete = folder.with_suffix(".complete")
    if complete.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "long").mkdir(parents=True)
    short = sorted((files / "clips/train").glob("*.mp4"))
    for copy in range(SHORT_COPIES):
        (folder / f"{copy:02}").mkdir()
        for video in short:
            # An empty box of the container: readers pass over it.
            box = (16).to_bytes(4, "big") + b"free" + copy.to_bytes(8, "big")
            (folder / f"{copy:02}" / video.name).write_bytes(video.read_bytes() + box)
    for number in range(LONG):
        listed = folder / "list.txt"
        order = short[number:] + short[:number]
        listed.write_text("".join(f"file '{video}'\n" for video in order * 2))
        subprocess.run(
            ["ffmpeg", "-nostdin", "-v", "error", "-f", "concat", "-safe", "0", "-i", listed, "-t", "300", "-c", "copy", folder / "long" / f"{number}.mp4"],
            check=True,
        )
        listed.unlink()
    complete.touch()


def named(path, folder):
    return str(pathlib.Path(path).relative_to(folder))


def ours(reelnet, folder, scratch):
    store = scratch / "library.db"
    for left in scratch.glob("library.db*"):
        left.unlink()
    words = [reelnet, "library", "--store", store]
    adding, peak_adding, _ = timed([*words, "add", folder])
    working, peak, _ = timed([*words, "work", "--no-cuts"])
    timed([*words, "settings", "--top", "1000", "--hysteresis", "1"])
    _, _, exported = timed([*words, "export"])
    rows = [json.loads(line) for line in exported.splitlines()]
    tags = {named(row["path"], folder): sorted({tag["label"] for tag in row["tags"]}) for row in rows}
    return {"seconds": adding + working, "peak_bytes": max(peak, peak_adding)}, tags


def peer(onnx, folder, workers, labels, scratch):
    out = scratch / "peer.json"
    timed([sys.executable, HERE / "peers.py", "tag", onnx, folder, out, workers])
    found = json.loads(out.read_text())
    tags = {named(path, folder): sorted({labels[one] for one in classes}) for path, classes in found["tags"].items()}
    return {key: found[key] for key in ("seconds", "peak_bytes")}, tags, found["versions"]


def table(report):
    lines = [f"# Library, {report['cpu']}, {report['cores']} cores", ""]
    lines += [f"Linux {report['kernel']}, Python {report['python']}; {', '.join(report['peers'])}.", ""]
    lines += [f"{report['files']} videos, {report['video_minutes']:.0f} minutes; EfficientNet-Lite0, a window of 5 s each; best of {report['rounds']} rounds.", ""]
    lines += [f"Files with the very same labels: {report['same']} of {report['files']}.", ""]
    lines += ["| who | seconds | peak memory |", "|---|---|---|"]
    lines += [f"| {who} | {result['seconds']:.2f} | {result['peak_bytes'] / 1e6:.0f} MB |" for who, result in report["results"].items()]
    lines += ["", f"**{report['times']:.2f}×** the faster variant of the peer, with {report['memory_share']:.2f} of its memory.", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--reelnet", required=True)
    for name in ("weights", "labels", "files", "cache", "out"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    folder, onnx = arguments.cache / "videos", arguments.cache / "lite0.onnx"
    library(arguments.files, folder)
    if not onnx.exists():
        timed([sys.executable, HERE / "peers.py", "prepare", arguments.weights, onnx])
    labels = [line.strip() for line in arguments.labels.read_text().splitlines()]
    results, versions, tags_by = {}, {}, {}
    with tempfile.TemporaryDirectory(dir=arguments.cache) as scratch:
        scratch = pathlib.Path(scratch)
        for _ in range(arguments.rounds):
            for who in ("reelnet", "1 thread decodes", "2 threads decode"):
                if who == "reelnet":
                    found, tags_by[who] = ours(arguments.reelnet, folder, scratch)
                else:
                    found, tags_by[who], versions = peer(onnx, folder, who[0], labels, scratch)
                results[who] = min(results.get(who, found), found, key=lambda result: result["seconds"])
    mine, theirs = tags_by["reelnet"], tags_by["1 thread decodes"]
    assert set(mine) == set(theirs), "both tagged the same files"
    rivals = [results[who] for who in results if who != "reelnet"]
    best = min(rivals, key=lambda result: result["seconds"])
    report = machine() | {
        "peers": [f"{package} {version}" for package, version in versions.items()], "rounds": arguments.rounds,
        "files": len(mine), "video_minutes": (192 * 10 + LONG * 300) / 60,
        "same": sum(mine[path] == theirs[path] for path in mine),
        "different": {path: [mine[path], theirs[path]] for path in mine if mine[path] != theirs[path]},
        "results": results, "times": cut(best["seconds"] / results["reelnet"]["seconds"]),
        "memory_share": results["reelnet"]["peak_bytes"] / best["peak_bytes"],
    }
    (arguments.out / "library.json").write_text(json.dumps(report, indent=1) + "\n")
    (arguments.out / "library.md").write_text(table(report))
    print(table(report))


if __name__ == "__main__":
    main()
