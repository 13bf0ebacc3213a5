"""What the benchmarks compare gives the right results on each peer, and a missing peer is named."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmarks import byte_loop_speed, call_speed, guest_speed, kernel_speed, peers, trap_speed
from benchmarks.measure import Effort
from benchmarks.report import Table
from purewasm_plugins import WasmPlugin, example
from tests.conftest import need

LEAST = Effort(1, 0.0)


@pytest.fixture(autouse=True)
def usual_recursion_limit() -> Iterator[None]:
    """Restore Python's recursion limit, which pwasm raises for the whole process."""
    before = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(before)


def made(make: Callable[..., Any], *arguments: object) -> Any:
    """Return a subject; skip where its peer is not installed."""
    try:
        return make(*arguments)
    except peers.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("kernel", ["fib", "sha256", "nbody"])
def test_kernels_on_pwasm(kernel: str) -> None:
    assert made(peers.pwasm, kernel)(2) == peers.translator(kernel)(2)


@pytest.mark.parametrize("peer", call_speed.SUBJECTS)
def test_calls(peer: str) -> None:
    calls = made(call_speed.SUBJECTS[peer])
    results = {kind: calls[kind](10) for kind in call_speed.KINDS}
    # A call out returns its argument, the others its successor.
    assert results == {"call_out": 0, "call_back": 10, "next": 10}


def test_the_module_of_calls_is_its_text() -> None:
    need("wasmtime")
    import wasmtime

    text = call_speed.MODULE.with_suffix(".wat").read_text("utf-8")
    assert call_speed.MODULE.read_bytes() == bytes(wasmtime.wat2wasm(text))


@pytest.mark.parametrize("make", [byte_loop_speed.purewasm, byte_loop_speed.pwasm])
def test_loops_over_bytes(make: Callable[[], Callable[[str], str]]) -> None:
    text = byte_loop_speed.table_of(400)
    rows = json.loads(made(make)(text))
    assert rows == [line.split(",") for line in text.splitlines()]


def test_a_trap_takes_the_instance_away() -> None:
    plugin = WasmPlugin.load(example("stateful"))
    (tool,) = plugin.tools
    assert [plugin.execute_tool(tool.index, "") for _ in range(2)] == ["1", "2"]
    trap_speed.trap(plugin, tool, "")
    assert plugin.execute_tool(tool.index, "") == "1"


@pytest.mark.parametrize("section", [kernel_speed.rival, guest_speed.guests, call_speed.host_calls])
def test_missing_peers_are_named(
    section: Callable[[Effort], Iterator[Table]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise peers.Unavailable(f"{name.partition('.')[0]} is not installed")

    monkeypatch.setattr(peers, "module_named", missing)
    tables = list(section(LEAST))
    assert any("pwasm is not installed" in note for table in tables for note in table.notes)
    assert {row[-1] for row in tables[-1].rows} == {"not available"}
