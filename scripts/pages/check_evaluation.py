"""The page of an evaluation, made from small videos and used as a person does.

check_evaluation.py --reelnet BINARY --browser CHROMIUM --out FOLDER

A network that learned nothing looks at videos of three classes, one of which is not there and one of which is no video. What the page
shows is held against `report.json`; it is sorted and filtered by keyboard; it asks nobody for anything, and nothing is wider than a phone.
"""

import json
import pathlib
import subprocess
import tempfile

from browsing import arguments, check_width, windows

SOURCES = {"grey": "color=gray:", "lines": "testsrc=", "noise & <b>moss</b>": "mandelbrot="}


def made(reelnet, folder):
    """A report, and the same as JSON."""
    run = lambda *words: subprocess.run([reelnet, *words], cwd=folder, capture_output=True, text=True)
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in SOURCES))
    done = run("init", "--network", "resnet3d-rs-50", "--labels", "labels.txt", "--classes", "3", "--out", "model")
    assert done.returncode == 0, done.stderr
    manifest = folder / "model/model.toml"
    keys = {"frames": 4, "frame_step": 2, "resize": 40, "crop": 32}
    lines = manifest.read_text().splitlines()
    manifest.write_text("".join(f"{k} = {keys[k]}\n" if (k := line.split(" = ")[0]) in keys else line + "\n" for line in lines))
    listed = []
    for label, (name, source) in enumerate(SOURCES.items()):
        for video in range(6):
            path = f"{label} {video}.mp4"
            made = f"{source}size={56 + 8 * (video % 3)}x40:rate=12"
            subprocess.run(
                ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", made, "-t", str(1 + video % 2),
                 "-pix_fmt", "yuv420p", folder / path], check=True,
            )
            listed.append(f'"{path}" {label}\n')
    (folder / "broken.mp4").write_bytes(b"nothing of a video" * 40)
    (folder / "list.txt").write_text("".join(listed) + "broken.mp4 0\nmissing.mp4 1\n")
    done = run("eval", "--model", "model", "--data", "list.txt", "--protocol", "tf", "--views", "4x3", "--out", "out", "--json")
    assert done.returncode == 1, f"two of twenty have no scores: {done.stderr}"
    return folder / "out/report.html", json.loads(done.stdout)


def column(page, number):
    return [float(cell.get_attribute("data-value")) for cell in page.locator(f"#classes tbody tr td:nth-of-type({number})").all()]


def check(page, report, requests, out, name):
    # ---- What it says ----
    video = report["video_level"]
    for share in (video["top1"], video["top1_of_listed"], report["clip_level"]["top1"]):
        assert f"{100 * share:.2f} %" in page.inner_text(".cards"), share
    text = page.inner_text("main")
    assert "2 of 20 listed files have no scores" in text, text
    for word in ("broken.mp4", "missing.mp4", "noise & <b>moss</b>", report["fingerprint"]["all"]):
        assert word in text, word
    headings = [heading.inner_text() for heading in page.locator("h2").all()]
    for heading in ("coverage", "what was measured", "accuracy against views", "confidence", "classes", "the worst videos", "files without scores"):
        assert heading in headings, f"{heading} is not among {headings}"
    assert page.locator("figure img").count() == len(report["worst"]) > 0
    assert all(page.locator("figure img").evaluate_all("all => all.map(i => i.complete && i.naturalWidth > 0)"))
    page.screenshot(path=out / f"evaluation-{name}.png", full_page=True)

    # ---- By keyboard ----
    page.locator("input[type=search]").focus()
    page.keyboard.type("NOISE")
    shown = page.locator("#classes tbody tr:visible")
    assert shown.count() == 1 and "moss" in shown.inner_text()
    for _ in "NOISE":
        page.keyboard.press("Backspace")
    assert shown.count() == 3
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "top-1"
    page.keyboard.press("Enter")
    assert column(page, 2) == sorted(column(page, 2))
    page.keyboard.press("Space")
    assert column(page, 2) == sorted(column(page, 2), reverse=True)
    assert page.locator("#classes th[aria-sort=descending]").inner_text() == "top-1"
    page.locator("#classes").screenshot(path=out / f"evaluation-{name}-sorted.png")

    # ---- What it asks for, and how wide it is ----
    assert all(address.startswith(("file:", "data:")) for address in requests), requests
    assert sum(address.startswith("file:") for address in requests) == 1, requests
    check_width(page)
    lines = page.locator(".card b").evaluate_all("all => all.map(b => b.getClientRects().length + (b.offsetHeight > 60 ? 1 : 0))")
    assert set(lines) == {1}, f"numbers are broken over lines: {lines}"


def main():
    words = arguments()
    with tempfile.TemporaryDirectory() as folder, windows(words.browser) as opened:
        report_page, report = made(words.reelnet, pathlib.Path(folder))
        for name, page, requests in opened:
            complaints = []
            page.on("console", lambda message: complaints.append(message.text))
            page.goto(report_page.as_uri())
            check(page, report, requests, words.out, name)
            assert not complaints, complaints
            print(f"evaluation, {name}: as report.json says, by keyboard too; nothing was asked for")


if __name__ == "__main__":
    main()
