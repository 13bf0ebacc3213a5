"""What the tests do on the playground's page, and how they wait for the effect.

A wait must not end before the action has taken effect. So each action first clears the sign that it
then waits for, or counts what the page has done.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.browser.conftest import PATIENCE


def wait_until(page: Any, condition: str, argument: Any = None) -> None:
    """Wait until a condition in JavaScript holds.

    Playwright's `wait_for_function` needs `eval`, which the page's security policy forbids.
    """
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition, argument):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


@contextmanager
def _another_plugin(page: Any, file: str) -> Iterator[None]:
    """Wait until the page has loaded a file, or shows the reason of a failure."""
    page.evaluate("document.getElementById('plugin').dataset.file = ''")
    yield
    page.wait_for_selector(f'#plugin[data-file="{file}"]')


def pick(page: Any, file: str) -> None:
    """Pick an example plugin, and wait until it is shown."""
    with _another_plugin(page, file):
        page.click(f'#plugins [data-file="{file}"]')


def drop(page: Any, name: str, data: bytes, *, loads: bool = True) -> None:
    """Drop a file on the page, and wait until it is shown unless it never `loads`."""
    if loads:
        with _another_plugin(page, name):
            _drop(page, name, data)
    else:
        _drop(page, name, data)


def _drop(page: Any, name: str, data: bytes) -> None:
    page.evaluate(
        """([name, content]) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], name));
            const options = { bubbles: true, cancelable: true, dataTransfer };
            for (const kind of ["dragenter", "dragover", "drop"])
                document.body.dispatchEvent(new DragEvent(kind, options));
        }""",
        [name, base64.b64encode(data).decode()],
    )


def press_run(page: Any) -> None:
    """Press Run, and wait for the output or the error of this call."""
    page.wait_for_selector("#run:enabled")
    page.evaluate("document.getElementById('result').hidden = true")
    page.click("#run")
    page.wait_for_selector("#result:not([hidden])")
    page.wait_for_selector("#output, #error")


def run(page: Any) -> str:
    """Press Run, and return the output."""
    press_run(page)
    assert page.query_selector("#error") is None, page.inner_text("#result")
    return str(page.inner_text("#output"))


def failure(page: Any) -> str:
    """Return the text of the error that the page shows."""
    page.wait_for_selector("#result:not([hidden]) #error")
    return str(page.inner_text("#result"))


def failed_run(page: Any) -> str:
    """Press Run, and return the text of the error."""
    press_run(page)
    return failure(page)


def box(page: Any, selector: str) -> Any:
    """Return the place of an element in the window, once it does not move any more."""
    element = page.locator(selector)
    while (found := element.bounding_box()) != element.bounding_box():
        page.wait_for_timeout(50)
    return found


@contextmanager
def debugger_action(page: Any) -> Iterator[None]:
    """Wait until the Debug tab has carried out the requests of the block."""
    count = "Number(document.querySelector('.debug .session').dataset.done ?? 0)"
    before = page.evaluate(count)
    yield
    wait_until(
        page,
        f"before => {count} > before"
        " && !document.querySelector('.debug .session').hasAttribute('data-busy')",
        before,
    )
