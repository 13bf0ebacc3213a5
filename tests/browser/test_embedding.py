"""The documented example of embedding in JavaScript runs in Chromium without changes.

The page requests Pyodide's public address; the test answers with local files, without a network.
"""

from __future__ import annotations

from typing import Any

from purewasm_plugins.browser.site import PYODIDE_URL
from tests.browser.conftest import PATIENCE, PYODIDE
from tests.conftest import ROOT

EXAMPLE = ROOT / "tests" / "pyodide" / "examples" / "embed.js"


def test_the_example_in_javascript(chromium: Any, served: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.route(
        PYODIDE_URL + "*",
        lambda route: route.fulfill(
            path=PYODIDE / route.request.url.rpartition("/")[2],
            headers={"access-control-allow-origin": "*"},
        ),
    )
    page.route(served + "empty.html", lambda route: route.fulfill(body="<body></body>"))
    page.goto(served + "empty.html")
    page.add_script_tag(content=EXAMPLE.read_text(), type="module")
    page.wait_for_function("document.body.textContent.includes('Hello')", timeout=PATIENCE)
    assert "Hello from JavaScript!" in page.inner_text("body")
    context.close()
