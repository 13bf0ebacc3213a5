"""A plugin of pytest: what is different inside Pyodide; what is skipped there, and why."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Coroutine, Generator
from typing import Any

import pytest

#: What a test's source may hold -> why it cannot run.
SOURCES = {
    "range(100_000)": "Python objects nested that deep end Pyodide itself: its stack is V8's",
}

#: What a test's module must have imported, what is then said of it -> why it cannot run.
REFUSALS = {
    ("threading", "can't start new thread"): "there are no threads in Pyodide",
    ("subprocess", "emscripten does not support processes"): "there are no processes in Pyodide",
}

#: What a test's name may hold -> why it cannot run.
NAMES = {
    "_in_a_thread": "there are no threads in Pyodide",
    "test_cancelling_": "a call there runs in line, and nobody can cancel it",
}

#: Tests between two collections.
PERIOD = 25

_count = 0


def pytest_configure() -> None:
    """Give `asyncio.run` to a Python that cannot wait.

    Pyodide can block until a promise is settled only where the engine of JavaScript can switch
    stacks, and Node 20 cannot. A coroutine that never waits for anything needs nothing of that.
    """
    asyncio.run = _run  # type: ignore[assignment]


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("the coroutine waits for something, and nothing can wait here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what cannot run, with the reason."""
    for item in items:
        function = getattr(item, "function", None)
        source = "" if function is None else inspect.getsource(inspect.unwrap(function))
        for sign, reason in SOURCES.items():
            if sign in source:
                item.add_marker(pytest.mark.skip(reason=reason))
                break
        for sign, reason in NAMES.items():
            if sign in item.name:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Skip a test that itself starts what there is not; what the package starts is a failure."""
    try:
        return (yield)
    except (RuntimeError, OSError) as error:
        for (module, message), reason in REFUSALS.items():
            if message in str(error) and hasattr(getattr(item, "module", None), module):
                pytest.skip(reason)
        raise


def pytest_runtest_teardown() -> None:
    """Collect garbage now and then.

    An instance is a cycle, and its memory megabytes that the collector does not count; above two
    gigabytes Pyodide reads strings from the wrong place.
    """
    global _count
    _count += 1
    if _count % PERIOD == 0:
        gc.collect()
