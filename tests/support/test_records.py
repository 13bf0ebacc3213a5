"""Records behave like frozen dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys

import pytest

from purewasm_plugins import ResourceLimits, ToolCall
from purewasm_plugins.wasm import Limits, Module
from tests.conftest import ROOT

LIMITS = ResourceLimits(fuel=3)


def test_equality_and_hash() -> None:
    assert ResourceLimits(fuel=3) == LIMITS != ResourceLimits(fuel=4)
    assert hash(ResourceLimits(fuel=3)) == hash(LIMITS)
    assert Limits(1, 2) != (1, 2)


def test_repr() -> None:
    assert repr(Limits(1)) == "Limits(minimum=1, maximum=None)"


def test_nothing_can_be_assigned() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        LIMITS.fuel = 4  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del LIMITS.fuel


@pytest.mark.parametrize("values", [(), ("a", {}, None, None, None, 4)])
def test_too_few_or_too_many_values(values: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match=r"ToolCall\(\)"):
        ToolCall(*values)  # type: ignore[arg-type]


@pytest.mark.parametrize("named", [{"nothing": 1}, {"name": "b"}])
def test_wrong_names(named: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=r"ToolCall\(\)"):
        ToolCall("a", **named)  # type: ignore[arg-type]


@pytest.mark.parametrize("record", [LIMITS, ToolCall("a", {"b": 1}), Module(b"")])
def test_copies(record: object) -> None:
    assert pickle.loads(pickle.dumps(record)) == record
    assert copy.deepcopy(record) == record


def test_dictionaries_are_not_shared() -> None:
    assert ToolCall("a").arguments == {}
    assert ToolCall("a").arguments is not ToolCall("a").arguments


def test_what_dataclasses_offers() -> None:
    assert dataclasses.replace(LIMITS, fuel=5) == ResourceLimits(fuel=5)
    assert dataclasses.replace(ToolCall("a"), id="b") == ToolCall("a", id="b")
    assert dataclasses.asdict(Limits(1, 2)) == {"minimum": 1, "maximum": 2}
    assert list(inspect.signature(ToolCall).parameters) == [
        *("name", "arguments", "id", "problem", "caller"),
    ]


def test_importing_the_package_imports_no_dataclasses() -> None:
    program = (
        "import sys, purewasm_plugins.engine.translator;"
        "print(*{'dataclasses', 'inspect', 'json', 'tempfile'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.split() == []
