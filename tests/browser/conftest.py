"""Chromium, and the playground's page in it, from a local server with a local Pyodide."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins.browser.server import PlaygroundServer
from purewasm_plugins.browser.site import Site
from tests.conftest import ROOT, missing

PYODIDE = ROOT / "tests" / "pyodide" / "node_modules" / "pyodide"
SETUP = "sh tests/pyodide/setup.sh"

#: Milliseconds for everything that the page does. Python starts in a few seconds, and on a busy
#: machine in many more.
PATIENCE = 120_000

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
    """Return the path of a Chromium, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("PUREWASM_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    """Let a server answer in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def local_pyodide() -> Path:
    """Return the directory of Pyodide, or skip the test."""
    if not PYODIDE.is_dir():
        missing("there is no Pyodide", SETUP)
    return PYODIDE


@pytest.fixture(scope="session")
def site() -> Site:
    """The site without a copy of Pyodide."""
    return Site()


@pytest.fixture
def server(site: Site) -> Iterator[PlaygroundServer]:
    """A server of the site."""
    with PlaygroundServer(site) as server, serving(server):
        yield server


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """The address of the page."""
    with PlaygroundServer(Site(local_pyodide())) as server, serving(server):
        yield server.url


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running browser with a fresh profile."""
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
    """`visit(address="", **context)`: a new page on which the playground is ready.

    `page.troubles` has the exceptions of the page's own code. The page prefers no motion: a test
    that uses the mouse needs elements that do not move.
    """
    contexts = []

    def visit(address: str = "", *, ready: bool = True, site: str = served, **context: Any) -> Any:
        opened = chromium.new_context(reduced_motion="reduce", **context)
        contexts.append(opened)
        page = opened.new_page()
        page.troubles = []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.set_default_timeout(PATIENCE)
        page.goto(site + address)
        if ready:
            page.wait_for_selector("#status[data-state=ready]")
            page.wait_for_selector("#plugin:not([hidden])")
        return page

    yield visit
    for context in contexts:
        context.close()
