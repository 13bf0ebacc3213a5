"""Translating is on the clock, and a function that would take too much of it is refused."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

import pytest

from purewasm_plugins import (
    DeadlineExceeded,
    Function,
    ResourceLimitError,
    ResourceLimits,
    Trap,
    instantiate,
)
from purewasm_plugins.engine.translator import Translator
from purewasm_plugins.wasm import load
from tests.conftest import ROOT
from tests.engine.translator.attacks import ATTACKS, straight

#: Seconds that a deadline may be kept late by: many more than it should, as machines are busy.
LATE = 5


@pytest.fixture(autouse=True)
def not_audited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound does not include audits."""
    monkeypatch.setattr(Translator, "audited", False)


def translated(data: bytes, limits: ResourceLimits) -> None:
    function = instantiate(load(data), engine="translator", limits=limits).exports["run"]
    assert isinstance(function, Function)
    function(1)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_function_made_to_cost_much(name: str) -> None:
    module = load(ATTACKS[name]())
    function = instantiate(module, limits=ResourceLimits(timeout=0.4)).exports["run"]
    assert isinstance(function, Function)
    began = time.monotonic()
    with contextlib.suppress(ResourceLimitError, Trap):
        function(1)
    assert time.monotonic() - began < LATE


def test_a_function_of_too_much_python_is_refused() -> None:
    data = straight(2000)
    translated(data, ResourceLimits(translated_characters=20_000))
    for allowed in (1000, 3000):
        with pytest.raises(
            ResourceLimitError, match=f"translated characters.*{allowed}"
        ) as refused:
            translated(data, ResourceLimits(translated_characters=allowed))
        assert refused.value.limit == "translated_characters"
        assert refused.value.requested > allowed


def test_translating_ends_with_its_time() -> None:
    limits = ResourceLimits(timeout=0.02, translated_characters=None)
    with pytest.raises(DeadlineExceeded):
        translated(straight(700_000), limits)


MEMORY = """
import resource, sys
from tests.engine.translator.attacks import ATTACKS
from purewasm_plugins import ResourceLimits, WasmError, instantiate
from purewasm_plugins.wasm import load
module = load(ATTACKS[sys.argv[1]]())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    instantiate(module, limits=ResourceLimits(timeout=None)).exports["run"](1)
except WasmError:
    pass
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown // (1 if sys.platform == "linux" else 1024))
"""


@pytest.mark.parametrize(
    "name",
    ["a branch table", "wide calls", "fewer unevaluated", "floats", "nested loops", "empty blocks"],
)
def test_translating_takes_a_bounded_amount_of_memory(name: str) -> None:
    pytest.importorskip("resource", reason="this system does not say how much memory is used")
    child = subprocess.run(
        [sys.executable, "-c", MEMORY, name], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(child.stdout) < 96 << 10
