"""The two libraries, each of which every test of the interface runs with."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

import purewasm_plugins.wasmtime


@pytest.fixture(params=[wasmtime, purewasm_plugins.wasmtime], ids=["wasmtime", "stand-in"])
def library(request: pytest.FixtureRequest) -> Any:
    """Return wasmtime or the stand-in: what a test says holds for both."""
    return request.param


@pytest.fixture
def ours() -> Any:
    """Return the stand-in, for what holds for it alone."""
    return purewasm_plugins.wasmtime
