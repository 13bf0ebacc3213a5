"""What the page may fetch and run: its content security policy, and the hashes of Pyodide's files.

The page requests Pyodide's public address; the tests answer with local files, without a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from purewasm_plugins.browser.server import PlaygroundServer
from purewasm_plugins.browser.site import PYODIDE_FILES, PYODIDE_URL, Site
from tests.browser.actions import run
from tests.browser.conftest import PATIENCE, PYODIDE, local_pyodide, serving

Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def public() -> Iterator[str]:
    """The address of a page that fetches Pyodide from its public address."""
    local_pyodide()
    with PlaygroundServer(Site()) as server, serving(server):
        yield server.url


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """The address of another server, and the list of the requests that reached it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server, serving(server):
        yield f"http://127.0.0.1:{server.server_port}/", asked


def answer(route: Any, changed: str) -> None:
    """Answer a request to the public address; the file `changed` has another content."""
    name = route.request.url.removeprefix(PYODIDE_URL)
    kinds = {"mjs": "text/javascript", "wasm": "application/wasm", "json": "application/json"}
    route.fulfill(
        body=(PYODIDE / name).read_bytes() + b"\n" * (name == changed),
        headers={"access-control-allow-origin": "*"},
        content_type=kinds.get(name.rpartition(".")[2], "application/zip"),
    )


@pytest.mark.parametrize(
    "changed", ["", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"]
)
def test_pyodide_from_its_public_address(chromium: Any, public: str, changed: str) -> None:
    context = chromium.new_context()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.route(PYODIDE_URL + "*", lambda route: answer(route, changed))
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(public)
    page.wait_for_selector("#status:not([data-state=loading])")
    if changed:
        assert page.get_attribute("#status", "data-state") == "failed"
        text = page.inner_text("#boot-text")
        assert f"{PYODIDE_URL}{changed}: " in text
        assert "not the file that this page was made for" in text
    else:
        page.wait_for_selector("#plugin:not([hidden])")
        assert run(page) == "Hello, WebAssembly!"
        beside = {url for url in asked if not url.startswith((public, f"blob:{public}"))}
        assert beside == {PYODIDE_URL + name for name in PYODIDE_FILES}
    context.close()


def test_page_and_worker_reach_nothing_else(visit: Visit, elsewhere: tuple[str, list[str]]) -> None:
    page = visit()
    address, asked = elsewhere
    attempt = "(url) => fetch(url).then(() => 'reached', () => 'refused')"
    assert page.workers
    for place in (page, *page.workers):
        assert place.evaluate(attempt, address + "fetched") == "refused"
    script = """(url) => new Promise((resolve) => {
        const script = document.createElement("script");
        script.src = url;
        script.onload = () => resolve("ran");
        script.onerror = () => resolve("refused");
        document.body.append(script);
    })"""
    assert page.evaluate(script, address + "script.js") == "refused"
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.injected = true";
            document.body.append(script);
            const image = "<img src=x onerror='window.injected = true'>";
            document.body.insertAdjacentHTML("beforeend", image);
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.injected") is None
    assert asked == []
    page.close()
