"""A plugin of pytest: skips, inside Pyodide, the tests that need what no browser has."""

from __future__ import annotations

import inspect

import pytest

#: What a test's source may hold -> why it cannot run.
MISSING = {
    "threading.Thread": "there are no threads in Pyodide",
    "to_thread": "there are no threads in Pyodide",
    "subprocess.": "there are no processes in Pyodide",
    "multiprocessing": "there are no processes in Pyodide",
    "serve_forever": "there are no servers in Pyodide",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what cannot run, with the reason."""
    for item in items:
        function = getattr(item, "function", None)
        source = "" if function is None else inspect.getsource(inspect.unwrap(function))
        for sign, reason in MISSING.items():
            if sign in source:
                item.add_marker(pytest.mark.skip(reason=reason))
                break
