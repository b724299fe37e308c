"""Tables of what `run.py` measured.

report.py RESULTS.json     prints them
"""

import json
import math
import pathlib
import sys

from tasks import PAIRS

# Where a program's logits, or its first loss, are further from PyTorch's in f32, it did other work and is nobody's rival.
FAR = {"f32": 1e-3, "bf16": 0.2}
TITLES = {
    "forward": "Forward",
    "step": "A training step: forward, backward, SGD with momentum",
    "headline": "Forward of networks of one published accuracy",
}
# arXiv 2103.07579: seconds of 128 images on a V100 in f32 of the first pair; of the second, B5 under NoisyStudent.
PUBLISHED = ["15.7 s : 4.7 s = 3.3 on a V100, 3.0 s : 1.1 s = 2.7 on a TPUv3", "8.16 s : 1.48 s = 5.5 on a V100, 1510 ms : 320 ms = 4.7 on a TPU"]
ORDER = ["reelnet", "pytorch", "openvino", "onnxruntime"]


def tables(found: dict) -> str:
    machine = found["machine"]
    lines = [f"# Networks, {machine['cpu']}, {machine['threads']} threads on {machine['cores']} cores", ""]
    lines += [f"Linux {machine['kernel']}, Python {machine['python']}; {', '.join(found['peers'])}.", ""]
    lines += ["A cell is the shortest turn, the peak memory of the whole process, and how far the logits (of a step, its losses)"]
    lines += ["are from PyTorch's in f32, relative to the largest. `× P` is PyTorch's time divided by ours, `× O` OpenVINO's.", ""]
    for group, title in TITLES.items():
        rows = [row for row in found["rows"] if row["case"].startswith(f"{group}/")]
        if not rows:
            continue
        shown = [who for who in ORDER if any(key.startswith(who) for row in rows for key in row["results"])]
        lines += [f"## {title}", "", "| network | clips | precision | × P | × O | of peak | " + " | ".join(shown) + " |"]
        lines += ["|---|---|---|---|---|---|" + "---|" * len(shown)]
        lines += [table_row(row, shown) for row in rows]
        lines.append("")
    return "\n".join(lines + headline(found["rows"]))


def table_row(row: dict, shown: list[str]) -> str:
    batch, _, frames, size, _ = row["shape"]
    clips = f"{batch}×{frames}×{size}²" if row["network"].startswith("resnet3d") else f"{batch}×{size}²"
    own = of(row, "reelnet")
    share = f"{100 * own['share_of_peak']:.0f} %" if own.get("share_of_peak") else ""
    ratios = [ratio(row, "pytorch"), ratio(row, "openvino")]
    return "| " + " | ".join([row["network"], clips, row["precision"], *ratios, share, *(cell(row, who) for who in shown)]) + " |"


def headline(rows: list[dict]) -> list[str]:
    """Images a second of each pair, and the ratio beside the paper's."""
    lines = []
    for (fast, slow), published in zip(PAIRS, PUBLISHED):
        for precision in ("f32", "bf16"):
            pair = [next((r for r in rows if r["case"] == c.name and r["precision"] == precision), None) for c in (fast, slow)]
            for who in ORDER if all(pair) else []:
                seconds = [of(row, who).get("best_seconds") for row in pair]
                if all(seconds):
                    rates = [case.batch / time for case, time in zip((fast, slow), seconds)]
                    lines.append(
                        f"| {fast.network}@{fast.size} : {slow.network}@{slow.size} | {precision} | {who} "
                        f"| {rates[0]:.2f} | {rates[1]:.2f} | {cut(rates[0] / rates[1])} | {published} |"
                    )
    if not lines:
        return []
    head = ["## Images a second", "", "| pair | precision | program | first | second | ratio | the paper's |", "|---|---|---|---|---|---|---|"]
    return [*head, *lines, ""]


def of(row: dict, who: str) -> dict:
    return row["results"].get(f"{who} {row['precision']}", {})


def ratio(row: dict, who: str) -> str:
    peer, own = of(row, who), of(row, "reelnet")
    if not (good(peer, row) and good(own, row)):
        return ""
    return cut(peer["best_seconds"] / own["best_seconds"])


def cut(value: float) -> str:
    """Cut, not rounded: a goal that is almost reached is not reached."""
    return f"{math.floor(100 * value) / 100:.2f}"


def good(result: dict, row: dict) -> bool:
    return "best_seconds" in result and "error" not in result and not far(result, row)


def far(result: dict, row: dict) -> bool:
    difference = result.get("difference", 0.0)
    return not difference <= FAR[row["precision"]]


def cell(row: dict, who: str) -> str:
    result = of(row, who)
    if "error" in result:
        return f"failed: {result['error']}".replace("|", "/")
    if "best_seconds" not in result:
        return ""
    layout = f", {result['layout']}" if result.get("layout") else ""
    difference = f", {result['difference']:.0e}" if "difference" in result else ""
    # The best of several rounds while others had half of a core is still above what the program needs.
    busy = f", others {result['others']:.1f} cores" if result.get("others", 0.0) >= 0.3 else ""
    wrong = " **other logits**" if far(result, row) else ""
    return f"{result['best_seconds']:.4f} s, {result['peak_megabytes']} MB{difference}{layout}{busy}{wrong}"


def line(row: dict) -> str:
    cells = " | ".join(f"{who} {cell(row, who)}" for who in ORDER if of(row, who))
    return f"{row['case']} {row['precision']}: × P {ratio(row, 'pytorch')} × O {ratio(row, 'openvino')} | {cells}"


if __name__ == "__main__":
    print(tables(json.loads(pathlib.Path(sys.argv[1]).read_text())))
