"""A Chromium, and the playground's page in it, from a local server with a local Pyodide."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from purewasm_plugins.browser.server import PlaygroundServer
from purewasm_plugins.browser.site import Site
from tests.conftest import ROOT, missing

PYODIDE = ROOT / "tests" / "pyodide" / "node_modules" / "pyodide"
SETUP = "sh tests/pyodide/setup.sh"

#: Milliseconds: Python starts in a few seconds, and on a shared machine in many more.
STARTING = 120_000
ANSWERING = 60_000

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """The path of a Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("PUREWASM_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """The address of the page."""
    if not PYODIDE.is_dir():
        missing("there is no Pyodide", SETUP)
    with PlaygroundServer(Site(PYODIDE)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running browser, with a profile of its own."""
    path = find_chromium()
    if path is None:
        missing("there is no Chromium", SETUP)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("there is no Playwright", SETUP)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def visit(chromium: Any, served: str) -> Iterator[Callable[..., Any]]:
    """`visit(address="", **context)`: a new page, once the playground is ready.

    What the page's own code logs or throws is a failure of the test that closes the page.
    """
    contexts = []

    def visit(address: str = "", *, ready: bool = True, site: str = served, **context: Any) -> Any:
        opened = chromium.new_context(**context)
        contexts.append(opened)
        page = opened.new_page()
        page.troubles = []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.set_default_timeout(ANSWERING)
        page.goto(site + address)
        if ready:
            page.wait_for_selector("#status[data-state=ready]", timeout=STARTING)
            page.wait_for_selector("#plugin:not([hidden])")
        return page

    yield visit
    for context in contexts:
        context.close()
