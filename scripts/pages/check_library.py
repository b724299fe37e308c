"""The page of a library, used as a person does, and asked for what nobody should get.

check_library.py --reelnet BINARY --browser CHROMIUM --out FOLDER

A library is made of small videos, one of which is no video, and of a link that leads out of its folder. The page is searched, a span is
played, a tag is corrected and taken back, a failure is looked at: at a desk's and at a phone's width. Then other names of the server,
detours, disguised slashes, large headers and requests of other pages are turned away.
"""

import http.client
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from browsing import arguments, check_width, windows
from playwright.sync_api import expect

ROOT = pathlib.Path(__file__).resolve().parents[2]


def made(reelnet, folder):
    """A library of a dog, of patterns, of a file that is no video and of a link that leads out."""
    videos = folder / "my videos"
    videos.mkdir()
    # Browsers without patents play this codec.
    shutil.copy(ROOT / "tests/media/white-dog.mp4", folder / "dog.mp4")
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", folder / "dog.mp4", "-c:v", "libvpx", "-b:v", "1M", "-an", videos / "собака & <b>dog.webm"], check=True)
    for number in range(70):
        made = ["-f", "lavfi", "-i", f"testsrc=size=64x48:rate=5:duration={1 + number % 3}", "-vf", f"hue=h={number * 5}"]
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *made, "-c:v", "libvpx", videos / f"pattern {number:02}.webm"], check=True)
    (videos / "broken.mp4").write_bytes(b"no video at all" * 100)
    (folder / "secret.webm").write_bytes((videos / "pattern 00.webm").read_bytes() + b"\0")
    (videos / "link.webm").symlink_to(folder / "secret.webm")
    store = folder / "library.db"
    run = lambda *words: subprocess.run([reelnet, "library", *words, "--store", store], capture_output=True, text=True)
    for words in (("add", videos), ("run",)):
        done = run(*words)
        assert done.returncode in (0, 1), f"{words}: {done.stderr}"
    return store


def served(reelnet, store, *words):
    server = subprocess.Popen([reelnet, "library", "serve", "--store", store, "--port", "0", *words], stdout=subprocess.PIPE, text=True)
    address = re.search(r"http://\S+", server.stdout.readline()).group()
    return server, address


def ask(port, path, method="GET", host=None, headers=None, body=None):
    """One request as it is written, with nothing resolved on the way."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    for name, value in ({"Host": host or f"127.0.0.1:{port}"} | (headers or {}) | ({"Content-Length": str(len(body))} if body else {})).items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    return answer.status, answer.read(), dict(answer.getheaders())


def check_refusals(port, is_editable):
    for path in ("/media/../../etc/passwd", "/media/..%2f..%2fetc%2fpasswd", "/media/%2e%2e%2fx", "/media//etc/passwd", "//etc/passwd", "/media/1%00"):
        status, body, _ = ask(port, path)
        assert status == 400 and b"root:" not in body, (path, status)
    for path in ("/etc/passwd", "/media/etc/passwd", "/media/999999", "/thumbnails/-1", "/page.js/x", "/api/nothing", "/media/1/2"):
        status, body, _ = ask(port, path)
        assert status in (400, 404) and b"root:" not in body, (path, status)
    assert ask(port, "http://evil.example/")[0] == 421
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1:1"):
        assert ask(port, "/", host=host)[0] == 421, host
    assert ask(port, "/", headers={"X-Large": "x" * 40_000})[0] == 431
    assert ask(port, "/?" + "x" * 10_000)[0] == 414
    body = json.dumps({"label": "dog", "verdict": "added"}).encode()
    there = "/api/files/1/corrections"
    own, json_kind = {"Origin": f"http://127.0.0.1:{port}"}, {"Content-Type": "application/json"}
    if is_editable:
        assert ask(port, there, "POST", headers=json_kind | {"Origin": "http://evil.example"}, body=body)[0] == 403
        assert ask(port, there, "POST", headers={"Content-Type": "text/plain"} | own, body=body)[0] == 415
        assert ask(port, there, "POST", headers=json_kind, body=b'{"label": "", "verdict": "added"}')[0] == 422
        assert ask(port, there, "POST", headers=json_kind, body=b"{")[0] == 422
    else:
        assert ask(port, there, "POST", headers=json_kind | own, body=body)[0] == 403
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n")
        assert b" 431 " in raw.recv(200)


def check_ranges(port, video, size):
    status, body, headers = ask(port, f"/media/{video}", headers={"Range": "bytes=10-19"})
    assert (status, len(body), headers["content-range"]) == (206, 10, f"bytes 10-19/{size}")
    status, body, _ = ask(port, f"/media/{video}")
    assert (status, len(body)) == (200, size)
    assert ask(port, f"/media/{video}", headers={"Range": f"bytes={size}-"})[0] == 416


def until(holds, what):
    """The page's policy lets nobody evaluate texts in it, so that it is asked again and again from outside."""
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def check_page(page, name, out, address, requests):
    page.goto(address)
    expect(page.locator("h1")).to_have_text("73 files")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=out / f"library-{name}-files.png")
    page.get_by_role("link", name="Next →").click()
    expect(page.locator(".card")).to_have_count(13)
    page.go_back()
    # ---- Search, by keyboard ----
    page.locator("#query").fill("Samoyed")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("1 file with Samoyed")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=out / f"library-{name}-search.png")
    page.locator("#query").fill("Samoyet")
    page.keyboard.press("Enter")
    expect(page.locator(".note")).to_contain_text("did you mean `Samoyed`")
    page.go_back()
    # ---- Play a span ----
    page.locator(".card").first.click()
    expect(page.locator("h1")).to_have_text("собака & <b>dog.webm")
    span = page.locator(".track button").first
    expect(span).to_have_attribute("title", re.compile("Samoyed"))
    span.click()
    until(lambda: page.evaluate("document.querySelector('video').currentTime") > 0.1, "the span is played")
    page.screenshot(path=out / f"library-{name}-file.png")
    # ---- Correct a tag, and take it back ----
    page.get_by_role("button", name="Remove Samoyed").click()
    expect(page.get_by_text("Samoyed is not there")).to_be_visible()
    expect(page.locator(".timeline").first).not_to_contain_text("Samoyed 9")
    page.get_by_label("A label that is missing").fill("white dog")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("white dog is there")).to_be_visible()
    page.screenshot(path=out / f"library-{name}-corrected.png", full_page=True)
    page.locator("#query").fill('"white dog" AND NOT Samoyed')
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(1)
    page.go_back()
    for verdict in ("Samoyed is not there", "white dog is there"):
        page.get_by_role("button", name=f"Take back: {verdict}").click()
        expect(page.get_by_text(verdict)).to_have_count(0)
    # ---- See a failure ----
    page.goto(f"{address}#/failures")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("broken.mp4")
    expect(page.locator("tbody tr")).to_contain_text("not_media")
    page.screenshot(path=out / f"library-{name}-failures.png")
    check_width(page)
    assert all(request.startswith((address, "data:", "blob:")) for request in requests), requests


def main():
    words = arguments()
    reelnet = words.reelnet
    with tempfile.TemporaryDirectory() as folder, windows(words.browser) as opened:
        folder = pathlib.Path(folder)
        store = made(reelnet, folder)
        server, address = served(reelnet, store)
        port = int(address.rstrip("/").rsplit(":", 1)[1])
        check_refusals(port, is_editable=False)
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 130, "Ctrl-C ends it in order"
        print("library: what nobody should get is not given, and nothing is changed without --edit")
        server, address = served(reelnet, store, "--edit")
        port = int(address.rstrip("/").rsplit(":", 1)[1])
        try:
            check_refusals(port, is_editable=True)
            files = json.loads(ask(port, "/api/files?limit=200")[1])["hits"]
            dog = next(file for file in files if "dog" in file["path"])
            check_ranges(port, dog["video"], dog["bytes"])
            link = next(file for file in files if file["path"].endswith("link.webm"))
            assert ask(port, f"/media/{link['video']}")[0] == 403, "a link out of the library is not followed"
            for name, page, requests in opened:
                check_page(page, name, words.out, address, requests)
                print(f"library, {name}: searched, played, corrected; nothing was asked for elsewhere")
        finally:
            server.kill()
        # ---- Other machines need a token ----
        refused = subprocess.run([reelnet, "library", "serve", "--store", store, "--address", "0.0.0.0", "--port", "0"], capture_output=True, text=True)
        assert refused.returncode == 2 and "token" in refused.stderr, refused.stderr
        server, address = served(reelnet, store, "--address", "0.0.0.0", "--token", "a-long-enough-token")
        port = int(re.search(r":(\d+)", address.split("//")[1]).group(1))
        assert ask(port, "/")[0] == 401 and ask(port, f"/media/{dog['video']}")[0] == 401
        assert ask(port, f"/media/{dog['video']}", headers={"Authorization": "Bearer a-long-enough-token"})[0] == 200
        status, _, headers = ask(port, "/?token=a-long-enough-token")
        assert status == 303 and "HttpOnly" in headers["set-cookie"]
        server.kill()
        print("library: other machines need the token")


if __name__ == "__main__":
    main()
