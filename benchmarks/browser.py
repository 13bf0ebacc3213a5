"""`python -m benchmarks.browser`: the plugin host in Pyodide, timed in Node and in Chromium.

It needs what the tests in a browser need: `sh tests/pyodide/setup.sh` installs it. It measures the
times that a visitor waits: the page's own worker in Chromium, and the same module under Node.
`--screenshot FILE` takes a picture of the page instead, `--debug-screenshot FILE` of its debugger.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from purewasm_plugins import example
from purewasm_plugins.browser.server import PlaygroundServer
from purewasm_plugins.browser.site import Site

ROOT = Path(__file__).parents[1]
PYODIDE = ROOT / "tests/pyodide/node_modules/pyodide"
ENGINES = ("translator", "pywasm")

#: File of the site, tool, input, number of further calls: a small call and a long one (SHA-256).
PLUGINS = (
    ("echo.wasm", "echo", "Hello, WebAssembly!", 50),
    ("c_encode.wasm", "sha256", "0123456789abcdef" * 64, 1),
)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]

IN_THE_PAGE = """
async ({engines, plugins}) => {
    const { Host } = await import("./host.js");
    const config = await (await fetch("config.json")).json();
    const started = performance.now();
    const host = new Host(config, () => {});
    host.prepare = () => {};
    await host.ready;
    const rows = [["start-up until ready", "", performance.now() - started]];
    for (const engine of engines) {
        for (const [file, tool, input, calls] of plugins) {
            const data = await (await fetch("plugins/" + file)).arrayBuffer();
            const before = performance.now();
            const loaded = await host.call("load", { engine }, data);
            if (loaded.error) throw new Error(loaded.error.message);
            const index = loaded.plugin.tools.findIndex((other) => other.name === tool);
            const first = await host.call("run", { tool: index, input });
            if (first.error) throw new Error(first.error.message);
            rows.push([`${tool}: load and first answer`, engine, performance.now() - before]);
            if (!calls) continue;
            const again = performance.now();
            for (let n = 0; n < calls; n++) await host.call("run", { tool: index, input });
            const each = (performance.now() - again) / calls;
            rows.push([`${tool}: each further call`, engine, each]);
        }
    }
    host.seat.end(new Error("done"));
    return rows;
}
"""

AS_WEBP = """
async (address) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", 0.9);
}
"""

Row = tuple[str, str, float]


def in_node() -> list[Row]:
    """Measure start-up, loads and calls under Node."""
    site = Site(PYODIDE)
    with tempfile.TemporaryDirectory() as directory:
        archives = []
        for name, read in site.files.items():
            if name.startswith("python/"):
                path = Path(directory) / Path(name).name
                path.write_bytes(read())
                archives.append(str(path))
        options = {
            "pyodide": str(PYODIDE / "pyodide.mjs"),
            "archives": archives,
            "engines": ENGINES,
            "plugins": [(str(example(Path(file).stem)), *rest) for file, *rest in PLUGINS],
        }
        command = ["node", str(Path(__file__).with_suffix(".mjs")), json.dumps(options)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return [tuple(row) for row in json.loads(done.stdout)]


@contextmanager
def page(**context: Any) -> Iterator[Any]:
    """Open the playground in a new Chromium."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    with PlaygroundServer(Site(PYODIDE)) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        opened = browser.new_page(**context)
        opened.set_default_timeout(300_000)
        opened.goto(server.url + "style.css" if not context else server.url)
        yield opened
        browser.close()
        server.shutdown()


def in_chromium() -> list[Row]:
    """Measure start-up, loads and calls in the page's worker."""
    with page() as opened:
        rows = opened.evaluate(
            IN_THE_PAGE.replace("./host.js", opened.url.replace("style.css", "host.js")),
            {"engines": ENGINES, "plugins": PLUGINS},
        )
    return [tuple(row) for row in rows]


def take_screenshot(target: Path) -> None:
    """Take the screenshot of the page after a call, for the README."""
    with page(viewport={"width": 1280, "height": 1000}) as opened:
        opened.wait_for_selector("#plugin:not([hidden])")
        opened.click('#plugins [data-file="c_encode.wasm"]')
        opened.wait_for_selector('#plugin[data-file="c_encode.wasm"]')
        opened.click("#plugin [role=tab]:has-text('sha256')")
        opened.fill("#input", "Hello, WebAssembly!")
        opened.click("#run")
        opened.wait_for_selector("#output")
        opened.click("#run")
        opened.wait_for_timeout(1500)
        opened.evaluate("scrollTo(0, 0)")
        opened.hover(".code div:nth-child(22)")
        opened.wait_for_timeout(500)
        save(opened, target)


def take_debug_screenshot(target: Path) -> None:
    """Take the screenshot of the debugger on `buggy_shout.wasm`, for the README."""
    with page(viewport={"width": 1280, "height": 960}) as opened:
        opened.wait_for_selector("#plugin:not([hidden])")
        opened.set_input_files("#file", str(ROOT / "fixtures/wat/buggy_shout.wasm"))
        opened.wait_for_selector('#plugin[data-file="buggy_shout.wasm"]')
        opened.fill("#input", "pizza")
        opened.click("#debug")
        opened.wait_for_selector(".debug .listing .here")
        store = ".debug .listing div:has-text('i32.store8')"
        opened.click(store)
        for stop in range(1, 5):
            opened.keyboard.press("c")
            opened.wait_for_selector(f"[data-list=breakpoints]:has-text('{stop} stop')")
        opened.keyboard.press("Shift+C")
        opened.wait_for_selector(".debug .hex .changed")
        opened.wait_for_timeout(1500)
        opened.focus(".debug .session")
        opened.evaluate("document.getElementById('details').scrollIntoView()")
        opened.evaluate("scrollBy(0, -62)")
        opened.hover(".brand")
        opened.wait_for_timeout(500)
        save(opened, target)


def save(opened: Any, target: Path) -> None:
    """Save a screenshot of a page as WebP, which the browser encodes."""
    picture = base64.b64encode(opened.screenshot()).decode()
    smaller = opened.evaluate(AS_WEBP, f"data:image/png;base64,{picture}")
    target.write_bytes(base64.b64decode(smaller.partition(",")[2]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser", description=__doc__)
    parser.add_argument("--screenshot", type=Path, metavar="FILE")
    parser.add_argument("--debug-screenshot", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.debug_screenshot:
        take_debug_screenshot(options.debug_screenshot)
        return
    if options.screenshot:
        take_screenshot(options.screenshot)
        return
    node, chromium = in_node(), in_chromium()
    print("| what | engine | Node, ms | Chromium, ms |\n|---|---|---|---|")
    for (what, engine, first), (_, _, second) in zip(node, chromium, strict=True):
        print(f"| {what} | {engine} | {first:,.1f} | {second:,.1f} |")


if __name__ == "__main__":
    main()
