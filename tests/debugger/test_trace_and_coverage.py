"""Traces and coverage: the values, and the commands that print them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from purewasm_plugins import Trap, WasmPlugin, instantiate
from purewasm_plugins.debugger import (
    CoverageEngine,
    DebugSession,
    LocationError,
    StopReason,
    calls,
    report,
    trace,
)
from purewasm_plugins.wasm import load
from tests.conftest import ROOT, need
from tests.debugger.programs import FACTORIALS, random_call, start

WAT = ROOT / "fixtures" / "wat"
BUGGY = str(WAT / "buggy_shout.wasm")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a new process."""
    need("click", "rich")
    return subprocess.run(
        [sys.executable, "-m", "purewasm_plugins", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )


@settings(max_examples=6)
@given(st.integers(0, 2**32))
def test_a_breakpoint_stops_as_often_as_coverage_counts(seed: int) -> None:
    data, name, arguments = random_call(Random(seed))
    engine = CoverageEngine()
    function: Any = instantiate(data, engine=engine).exports[name]
    trap = None
    try:
        function(*arguments)
    except Trap as raised:
        trap = raised
    counts = engine.counts()
    session = DebugSession.for_function(instantiate(data, engine="pywasm"), name, *arguments)
    for index in session.program.functions():
        for line in session.program.lines(index):
            session.stops.add_breakpoint(hex(line.offset))
    # Where a session begins, it stands already.
    stops = Counter([session.stop.offset])
    while (stop := session.resume()).reason is StopReason.BREAKPOINT:
        stops[stop.offset] += 1
    assert stops == counts
    assert (stop.trap is None) is (trap is None)
    session = DebugSession.for_function(instantiate(data, engine="pywasm"), name, *arguments)
    traced = Counter(step.offset for step in trace(session))
    if trap is not None:
        traced[stop.offset or 0] += 1
    assert traced == counts


def test_a_trace_tells_the_stack_after_each_instruction() -> None:
    steps = list(trace(start(FACTORIALS, "all", 1), function="factorial"))
    assert [step.text for step in steps[:2]] == ["global.get $calls", "i32.const 1"]
    assert [value.value for value in steps[1].stack] == [0, 1]
    assert {step.depth for step in steps} == {1}
    assert len(list(trace(start(FACTORIALS, "all", 3), limit=7))) == 7
    with pytest.raises(LocationError, match="no function has that name"):
        list(trace(start(FACTORIALS, "all", 3), function="nothing"))


def test_the_tree_of_calls() -> None:
    events = list(calls(start(FACTORIALS, "all", 2)))
    assert [(e.depth, e.name, e.values, e.returns) for e in events] == [
        (0, "all", (2,), False),
        (1, "factorial", (0,), False),
        (1, "factorial", (1,), True),
        (1, "factorial", (1,), False),
        (2, "factorial", (0,), False),
        (2, "factorial", (1,), True),
        (1, "factorial", (1,), True),
        (0, "all", (1,), True),
    ]
    assert len(list(calls(start(FACTORIALS, "all", 2), limit=3))) == 3


def test_calls_of_host_functions_are_in_the_tree() -> None:
    module = """(module (import "h" "add" (func $add (param i32 i32) (result i32)))
      (func (export "f") (result i32) (call $add (i32.const 2) (i32.const 3))))"""
    events = list(calls(start(module, "f", imports={"h": {"add": lambda a, b: a + b}})))
    assert [(e.name, e.values, e.returns, e.host) for e in events] == [
        ("f", (), False, False),
        ("add", (2, 3), False, True),
        ("add", (5,), True, True),
        ("f", (5,), True, False),
    ]


def test_coverage_tells_what_never_ran() -> None:
    engine = CoverageEngine()
    plugin = WasmPlugin.load(BUGGY, engine=engine)
    engine.reset()
    plugin.execute_tool(0, "")
    functions = {f.name: f for f in report(plugin.module, engine.counts())}
    capital = functions["capital"]
    assert capital.calls == 1
    assert 0 < capital.ran < capital.total
    missed = [line.text for line, count in capital.lines if not count]
    assert "return" in missed
    assert functions["plugin_name"].ran == 0
    engine.reset()
    assert not engine.counts()
    assert report(load(Path(BUGGY).read_bytes()), Counter())[0].calls == 0


def test_the_command_trace() -> None:
    result = run("trace", BUGGY, "shout", "z", "--limit", "3")
    assert result.returncode == 0
    assert result.stdout.splitlines()[0].split() == [
        *("0", "plugin_tool_execute", "0x00108", "i32.const", "1024", "[1024]")
    ]
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == "left after 3 instructions: --limit\n"
    result = run("trace", BUGGY, "shout", "z", "--limit", "1")
    assert result.stderr == "left after 1 instruction: --limit\n"
    result = run("trace", BUGGY, "shout", "o", "--calls")
    assert result.stdout.splitlines()[1:3] == ["  capital(111)", "  = 79  (capital)"]
    assert result.stderr == "the tool answers: O\n"
    result = run("trace", BUGGY, "shout", "o", "--json", "--function", "capital")
    steps = [json.loads(line) for line in result.stdout.splitlines()]
    assert {step["name"] for step in steps} == {"capital"}
    assert steps[0]["stack"] == [111]


def test_the_command_trace_where_something_is_wrong() -> None:
    result = run("trace", str(WAT / "trap_division.wasm"), "0", "x")
    assert (result.returncode, len(result.stdout.splitlines())) == (4, 2)
    assert result.stderr.startswith("purewasm: trap: integer divide by zero\n")
    endless = ("trace", str(WAT / "loop_forever.wasm"), "0", "x", "--timeout", "2")
    for options in (("--function", "plugin_name"), ("--calls",)):
        result = run(*endless, *options)
        assert result.returncode == 4
        assert re.fullmatch(
            r"purewasm: deadline exceeded after [\d,]+ instructions; --timeout gives it more\n",
            result.stderr,
        )
    result = run("trace", BUGGY, "shout", "x", "--function", "nothing")
    assert (result.returncode, result.stdout) == (2, "")
    assert "no function has that name" in result.stderr
    result = run("trace", BUGGY, "shout", "x", "--function", "capital", "--calls")
    assert result.returncode == 2


def test_the_command_coverage(tmp_path: Path) -> None:
    result = run("coverage", BUGGY, "shout", "zo", "hello")
    assert result.returncode == 0
    assert "34 of 40 instructions ran (85%); 6 of 8 functions never did." in result.stdout
    assert "        7  0x000f6    i32.lt_u" in result.stdout
    page = tmp_path / "coverage.html"
    assert run("coverage", BUGGY, "shout", "zo", "--html", str(page)).returncode == 0
    written = page.read_text("utf-8")
    assert written.startswith("<!doctype html>")
    assert "i32.lt_u" in written
    assert "src=" not in written
    assert "http" not in written
    open_, _, folded = written.partition("6 of 8 functions never ran")
    assert ">capital" in open_
    assert "plugin_name" not in open_
    assert "plugin_name" in folded
    assert folded.count("<details ") == 6
    assert " open" not in folded
    result = run("coverage", BUGGY, "shout", "--html", str(tmp_path / "no" / "c.html"))
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    result = run("coverage", BUGGY, "shout", "zo", "--json")
    counts = json.loads(result.stdout)
    by_name = {function["name"]: function for function in counts["functions"]}
    assert (counts["ran"], counts["total"], len(by_name)) == (34, 40, 8)
    assert by_name["plugin_name"]["instructions"] == []
    capital = by_name["capital"]
    assert (capital["calls"], capital["ran"], capital["total"]) == (3, 13, 13)
    assert {"offset": 0xF6, "text": "i32.lt_u", "count": 2} in capital["instructions"]
    result = run("coverage", BUGGY, "shout", "--json", "--html", str(page))
    assert result.returncode == 2
    result = run("coverage", BUGGY, "nothing")
    assert result.returncode == 4
    result = run("coverage", str(WAT / "trap_division.wasm"), "0", "x")
    assert result.returncode == 0
    assert "integer divide by zero" in result.stderr
    assert "i32.div_s" in result.stdout
