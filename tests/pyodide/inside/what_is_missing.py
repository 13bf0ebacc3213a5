"""A pytest plugin for Pyodide: it adapts the tests, and skips those that cannot run there."""

from __future__ import annotations

import asyncio
import base64
import functools
import gc
import inspect
import json
from collections.abc import Coroutine, Generator
from typing import Any

import pytest
from assembler import assemble  # type: ignore[import-not-found]

from tests import conftest

#: A part of a test's source -> the reason to skip the test.
SOURCES = {
    "range(100_000)": "objects nested so deep end Pyodide itself, whose stack is V8's",
    "depth(5000)": "calls as deep exceed the stack of V8",
}

#: A module that the test imports, and the error of what it starts -> the reason to skip the test.
REFUSALS = {
    ("threading", "can't start new thread"): "there are no threads in Pyodide",
    ("subprocess", "emscripten does not support processes"): "there are no processes in Pyodide",
}

#: A part of a test's name -> the reason to skip the test.
NAMES = {
    "_in_a_thread": "there are no threads in Pyodide",
    "test_clients_of_mcp_": "the server of MCP runs calls in threads",
    "test_cancelling_": "a call in Pyodide runs in line and cannot be cancelled",
    "_in_another_process": "there are no processes in Pyodide",
    "test_inputs[pipe]": "a pipe in Pyodide does not tell that its other end is closed",
    "_in_a_cache": "others may write to the directory of temporary files in Pyodide",
}

#: The number of tests between two garbage collections.
PERIOD = 25

_count = 0


def pytest_configure() -> None:
    """Replace `asyncio.run` and the assembler.

    Pyodide can wait for a promise only where JavaScript can switch stacks, which Node 20 cannot. A
    coroutine that never waits does not need this. The assembler of the tests is native; a process
    outside of Pyodide assembles.
    """
    asyncio.run = _run  # type: ignore[assignment]
    conftest.assemble = functools.cache(_assemble)  # type: ignore[assignment]


def _assemble(text: str) -> bytes:
    answer = json.loads(assemble(text))
    if "error" in answer:
        raise ValueError(answer["error"])
    return base64.b64decode(answer["wasm"])


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("the coroutine waits, which is not possible in Pyodide")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that cannot run."""
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
    """Skip a test that starts a thread or a process; where the package does so, the test fails."""
    try:
        return (yield)
    except (RuntimeError, OSError) as error:
        for (module, message), reason in REFUSALS.items():
            if message in str(error) and hasattr(getattr(item, "module", None), module):
                pytest.skip(reason)
        raise


def pytest_runtest_teardown() -> None:
    """Collect garbage after every `PERIOD` tests.

    An instance is a reference cycle, and the collector does not count the megabytes of its memory.
    Above two gigabytes Pyodide reads strings from wrong addresses.
    """
    global _count
    _count += 1
    if _count % PERIOD == 0:
        gc.collect()
