"""`purewasm trace`: instructions and calls, as lines and as JSON."""

from __future__ import annotations

import json
import re

from tests.cli.conftest import run_process
from tests.conftest import ROOT

WAT = ROOT / "fixtures" / "wat"
BUGGY = str(WAT / "buggy_shout.wasm")


def test_the_command_trace() -> None:
    result = run_process("trace", BUGGY, "shout", "z", "--limit", "3")
    assert result.returncode == 0
    assert result.stdout.splitlines()[0].split() == [
        *("0", "plugin_tool_execute", "0x00108", "i32.const", "1024", "[1024]")
    ]
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == "left after 3 instructions: --limit\n"
    result = run_process("trace", BUGGY, "shout", "z", "--limit", "1")
    assert result.stderr == "left after 1 instruction: --limit\n"
    result = run_process("trace", BUGGY, "shout", "o", "--calls")
    assert result.stdout.splitlines()[1:3] == ["  capital(111)", "  = 79  (capital)"]
    assert result.stderr == "the tool answers: O\n"
    result = run_process("trace", BUGGY, "shout", "o", "--json", "--function", "capital")
    steps = [json.loads(line) for line in result.stdout.splitlines()]
    assert {step["name"] for step in steps} == {"capital"}
    assert steps[0]["stack"] == [111]


def test_the_command_trace_where_something_is_wrong() -> None:
    result = run_process("trace", str(WAT / "trap_division.wasm"), "0", "x")
    assert (result.returncode, len(result.stdout.splitlines())) == (4, 2)
    assert result.stderr.startswith("purewasm: trap: integer divide by zero\n")
    endless = ("trace", str(WAT / "loop_forever.wasm"), "0", "x", "--timeout", "2")
    for options in (("--function", "plugin_name"), ("--calls",)):
        result = run_process(*endless, *options)
        assert result.returncode == 4
        assert re.fullmatch(
            r"purewasm: deadline exceeded after [\d,]+ instructions; --timeout gives it more\n",
            result.stderr,
        )
    result = run_process("trace", BUGGY, "shout", "x", "--function", "nothing")
    assert (result.returncode, result.stdout) == (2, "")
    assert "no function has that name" in result.stderr
    result = run_process("trace", BUGGY, "shout", "x", "--function", "capital", "--calls")
    assert result.returncode == 2
