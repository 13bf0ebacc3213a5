"""The two libraries, each of which every test of the interface runs with."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import purewasm_plugins.wasmtime
from tests.conftest import need


@pytest.fixture
def wasmtime() -> Any:
    """Return wasmtime itself."""
    need("wasmtime")
    return importlib.import_module("wasmtime")


@pytest.fixture(params=["wasmtime", "ours"], ids=["wasmtime", "stand-in"])
def library(request: pytest.FixtureRequest) -> Any:
    """Return wasmtime or the stand-in: what a test says holds for both."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def ours() -> Any:
    """Return the stand-in, for what holds for it alone."""
    return purewasm_plugins.wasmtime
