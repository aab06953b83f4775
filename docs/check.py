"""Reads every page of the site in a headless browser, as wide as a phone and as a desk.

    python docs/check.py [--site build/docs] [--screenshots DIR]

No link, anchor or image may be broken, nothing may be loaded from elsewhere, the browser's console
stays empty, and no page is wider than the screen. The browser is Chromium, wherever it is
installed (Debian: `apt-get install chromium`), or the one that the variable CHROMIUM names. Pages
are read through a server, and once more as files, without one.
"""

import argparse
import functools
import http.server
import os
import pathlib
import shutil
import sys
import threading
from collections.abc import Iterator
from urllib.parse import unquote, urldefrag, urlparse

ROOT = pathlib.Path(__file__).resolve().parents[1]
SIZES = {"phone": (390, 844), "desk": (1280, 800)}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# What is asked of each page: links, anchors, images that failed, and what is too wide.
_FACTS = """async () => {
  const images = [...document.images];
  images.forEach(image => image.loading = "eager");
  await Promise.all(images.map(image => image.decode().catch(() => null)));
  const root = document.documentElement;
  return {
    links: [...document.querySelectorAll("a[href]")].map(a => a.href),
    anchors: [...document.querySelectorAll("[id]")].map(e => e.id),
    broken: images.filter(i => i.naturalWidth === 0).map(i => i.src),
    unnamed: images.filter(i => !i.alt).map(i => i.src),
    width: root.scrollWidth,
    screen: root.clientWidth,
  };
}"""


def find_browser() -> str | None:
    """The path of a Chromium, or `None`."""
    named = os.environ.get("CHROMIUM")
    found = map(shutil.which, [named] if named else BROWSERS)
    return next(filter(None, found), None)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        del args


def serve(site: pathlib.Path) -> http.server.ThreadingHTTPServer:
    """A server of the folder on a free port of this machine."""
    handler = functools.partial(_Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def read_page(context, address: str, picture: pathlib.Path | None = None) -> tuple[dict, list[str]]:
    """The facts of a page, and what went wrong while it was read."""
    page = context.new_page()
    offences = []
    origin = "{0.scheme}://{0.netloc}".format(urlparse(address))
    page.on("console", lambda line: line.type == "error" and offences.append(line.text))
    page.on("pageerror", lambda error: offences.append(f"error in a script: {error}"))
    page.on("requestfailed", lambda request: offences.append(f"not loaded: {request.url}"))
    page.on(
        "request",
        lambda request: (
            request.url.startswith((origin, "data:", "blob:"))
            or offences.append(f"loaded from elsewhere: {request.url}")
        ),
    )
    page.goto(address, wait_until="load")
    facts = page.evaluate(_FACTS)
    if picture:
        page.screenshot(path=picture)
    page.close()
    offences += [f"broken image: {image}" for image in facts["broken"]]
    offences += [f"image without a text: {image}" for image in facts["unnamed"]]
    if facts["width"] > facts["screen"]:
        offences.append(f"{facts['width']} pixels wide on a screen of {facts['screen']}")
    return facts, offences


def broken_links(facts: dict[str, dict]) -> Iterator[tuple[str, str]]:
    """Pairs of an address and what is broken there, among links from one page to another."""
    anchors = {address: set(page["anchors"]) for address, page in facts.items()}
    origin = "{0.scheme}://{0.netloc}".format(urlparse(next(iter(facts))))
    for address, page in facts.items():
        for link in set(page["links"]):
            target, anchor = urldefrag(link)
            if not target.startswith(origin):
                continue
            if target in anchors:
                if anchor and unquote(anchor) not in anchors[target]:
                    yield address, f"no such anchor: {link}"
            elif not target.endswith((".png", ".ipynb", ".svg")):
                yield address, f"no such page: {link}"


def check(site: pathlib.Path, executable: str, screenshots: pathlib.Path | None) -> list[str]:
    """Everything that is wrong with the site."""
    from playwright.sync_api import sync_playwright

    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    if not pages:
        return [f"{site} holds no page: run `make docs`."]
    offences = []
    server = serve(site)
    bases = {
        f"http://127.0.0.1:{server.server_port}": SIZES,
        site.as_uri(): {"phone": SIZES["phone"]},
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for base, sizes in bases.items():
            for name, (width, height) in sizes.items():
                context = browser.new_context(viewport={"width": width, "height": height})
                facts = {}
                for page in pages:
                    if page == "404.html" and base.startswith("file"):
                        continue  # only a server shows it, and its links begin at the root
                    picture = None
                    if screenshots and base.startswith("http"):
                        picture = screenshots / f"{page.replace('/', '-')}.{name}.png"
                    address = f"{base}/{page}"
                    facts[address], found = read_page(context, address, picture)
                    offences += [f"{address} ({name}): {text}" for text in found]
                context.close()
                offences += [f"{place}: {text}" for place, text in broken_links(facts)]
        browser.close()
    server.shutdown()
    return offences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--site", type=pathlib.Path, default=ROOT / "build" / "docs")
    parser.add_argument("--screenshots", type=pathlib.Path, metavar="DIR")
    options = parser.parse_args()
    executable = find_browser()
    if executable is None:
        sys.exit(
            "THE SITE WAS NOT CHECKED: no Chromium is installed. Debian, Ubuntu: apt-get install "
            "chromium; or set CHROMIUM to the path of one."
        )
    if options.screenshots:
        options.screenshots.mkdir(parents=True, exist_ok=True)
    offences = check(options.site.resolve(), executable, options.screenshots)
    if offences:
        sys.exit("\n".join([*sorted(set(offences)), f"{len(set(offences))} offences"]))
    print(f"{options.site}: every page is whole, on a phone and on a desk.")


if __name__ == "__main__":
    main()
