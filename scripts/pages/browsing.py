"""What the checks of pages share: their words, and a window that remembers what a page asks for and complains of."""

import argparse
import contextlib
import pathlib

from playwright.sync_api import sync_playwright

WINDOWS = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--reelnet", required=True, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--browser", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    return parser.parse_args()


@contextlib.contextmanager
def windows(browser):
    """A window after the other: its name, a page in it, and the addresses that the page asks for. What goes wrong in a page is an error."""
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=browser, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"])

        def one_by_one():
            for name, size in WINDOWS.items():
                page = opened.new_page(viewport=size)
                page.set_default_timeout(15_000)
                requests, complaints = [], []
                page.on("request", lambda request: requests.append(request.url))
                page.on("pageerror", lambda error: complaints.append(str(error)))
                yield name, page, requests
                assert not complaints, complaints

        yield one_by_one()
        opened.close()


def check_width(page):
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} pixels wider than the window"
