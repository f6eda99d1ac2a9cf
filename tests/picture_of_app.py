"""The picture of the page that stands in README: ``python tests/picture_of_app.py PATH``."""

import sys
import tempfile
from pathlib import Path

import browser
from playwright.sync_api import sync_playwright
from served import Served

SIZE = {"width": 1280, "height": 1270}


def main(path: str) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        server = Served("-m", "minilm", log=Path(folder) / "log.txt")
        try:
            opened = driver.chromium.launch(
                executable_path=browser.find(), args=["--no-sandbox", "--force-color-profile=srgb"]
            )
            page = opened.new_page(viewport=SIZE)
            page.goto(server.url)
            page.wait_for_selector("html[data-afn=ready]")
            page.wait_for_selector(".afn-figure:not([hidden]) svg.marks >> nth=1")
            page.screenshot(path=path)
            opened.close()
        finally:
            server.close()


if __name__ == "__main__":
    main(sys.argv[1])
