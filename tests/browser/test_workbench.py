"""The workbench: the page's requests and their answers, in any Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins.browser.memory import changes
from purewasm_plugins.browser.workbench import Workbench

Data = Callable[[str], bytes]
Ask = Callable[..., Any]


@pytest.fixture
def ask() -> Ask:
    """`ask(method, data=None, **params)`, as JavaScript does it: in JSON, both ways."""
    workbench = Workbench()

    def ask(method: str, data: bytes | None = None, **params: Any) -> Any:
        return json.loads(workbench.handle(json.dumps({"method": method, "params": params}), data))

    return ask


@pytest.fixture
def load(ask: Ask, fixture_data: Data, engine: str) -> Callable[..., Any]:
    """`load(fixture, **limits)`, on the engine."""

    def load(name: str, **limits: Any) -> Any:
        return ask("load", fixture_data(name), engine=engine, limits=limits)

    return load


def test_about(ask: Ask) -> None:
    about = ask("about")
    assert "pywasm" in about["engines"]
    assert about["limits"]["memory_pages"] == 1024


def test_a_plugin_and_a_call(ask: Ask, load: Ask) -> None:
    loaded = load("echo")
    assert loaded["error"] is None
    assert loaded["plugin"]["name"] == "echo"
    assert [tool["name"] for tool in loaded["plugin"]["tools"]] == ["echo"]
    assert loaded["memory"]["pages"] == 1
    answer = ask("run", tool=0, input="Grüße, 世界")
    assert answer["output"] == "Grüße, 世界"
    assert answer["fuel"] == 1
    assert answer["ms"] > 0
    memory = answer["memory"]
    assert memory["input"] == memory["output"]
    low, high = memory["input"]
    assert high - low == len("Grüße, 世界".encode())
    assert memory["changed_bytes"] == 0


def test_exports_imports_and_functions(ask: Ask, load: Ask) -> None:
    module = load("imports_wasi")["module"]
    assert module["imports"][0]["module"] == "wasi_snapshot_preview1"
    assert module["functions"][0]["imported"]
    names = [export["name"] for export in module["exports"]]
    assert "plugin_tool_execute" in names
    assert all(export["abi"] for export in module["exports"])
    assert ask("function", index=0)["lines"] == []
    assert ask("function", index=999)["note"]


def test_the_disassembly_of_a_function(ask: Ask, load: Ask) -> None:
    module = load("trap_division")["module"]
    (index,) = [f["index"] for f in module["functions"] if "plugin_tool_execute" in f["exports"]]
    lines = ask("function", index=index)["lines"]
    assert lines[0][1].startswith("(func")
    offsets = [offset for offset, text in lines if text.strip() == "i32.div_s"]
    trap = ask("run", tool=0, input="")["error"]
    assert [trap["frames"][0]["offset"]] == offsets


def test_the_python_of_a_function(ask: Ask, load: Ask) -> None:
    load("starter/shout_c.wasm")
    answer = ask("function", index=6)
    offsets = {offset for offset, _ in answer["lines"]}
    assert answer["python"][0][0].startswith("def f6")
    # Each line has the offset of its instruction. The first lines belong to the function as a
    # whole, the last one to its end, which the disassembly prints as a parenthesis.
    assert {offset for _, offset in answer["python"][3:-1]} <= offsets


def test_a_tool_with_a_schema(ask: Ask, load: Ask) -> None:
    loaded = load("with_schema")
    assert loaded["plugin"]["tools"][0]["schema"]["required"] == ["query"]
    answer = ask("run", tool=0, arguments={"query": "é", "limit": 2})
    assert answer["output"] == '{"query":"é","limit":2}'
    assert ask("run", tool=0, arguments='{"query": "text"}')["output"] == '{"query":"text"}'
    mistakes: tuple[object, ...] = ({"query": 3}, {}, [], "nonsense", None, "[" * 100_000)
    for wrong in (*mistakes, '{"query":"","more":NaN}'):
        refused = ask("run", tool=0, arguments=wrong)
        assert refused["error"]["type"] == "InvalidArgumentsError"
        assert refused["output"] is None


@pytest.mark.parametrize("levels", [300, 100_000])
def test_arguments_nested_too_deep(ask: Ask, load: Ask, levels: int) -> None:
    """Arguments as values from a form, and as text."""
    load("with_schema")
    deep = "[" * levels + "]" * levels
    request = f'{{"method": "run", "params": {{"tool": 0, "arguments": {{"query": {deep}}}}}}}'
    answer = json.loads(Workbench().handle(request))
    assert "nested too deep: 200 levels" in answer["error"]["message"]
    answer = ask("run", tool=0, arguments=f'{{"query": {deep}}}')
    assert "nested too deep: 200 levels" in answer["error"]["message"]
    assert ask("run", tool=0, arguments={"query": "x"})["output"] == '{"query":"x"}'


def test_a_trap_is_worded_and_the_next_call_works(ask: Ask, load: Ask) -> None:
    load("recurse_forever")
    for _ in range(2):
        error = ask("run", tool=0, input="anything")["error"]
        assert error["reason"] == "call stack exhausted"
        assert error["hidden"] > 900
        assert len(error["frames"]) == 24
        assert error["frames"][-1]["name"] == "plugin_tool_execute"


def test_a_limit_ends_a_call(ask: Ask, load: Ask) -> None:
    load("loop_forever", fuel=10_000)
    error = ask("run", tool=0, input="")["error"]
    assert error["reason"] == "out of fuel"
    assert "Limits" in error["hint"]
    load("loop_forever", timeout=0.2)
    assert ask("run", tool=0, input="")["error"]["reason"] == "deadline exceeded"


@pytest.mark.parametrize(
    ("name", "type", "hint"),
    [
        ("imports_host", "InstantiateError", "imports env.log"),
        ("missing_execute", "MissingExportError", "not a plugin"),
        ("invalid", "CompileError", None),
        ("four_gigabytes", "InstantiateError", "Limits"),
        ("trap_on_load", "ToolExecutionError", None),
        ("empty_version", "VersionMismatchError", None),
    ],
)
def test_what_is_no_plugin(load: Ask, ask: Ask, name: str, type: str, hint: str | None) -> None:
    loaded = load(name)
    assert loaded["plugin"] is None
    assert loaded["error"]["type"] == type
    if hint is not None:
        assert hint in loaded["error"]["hint"]
    # The answer describes a valid module even if it is not a plugin.
    assert (loaded["module"] is None) == (type == "CompileError")
    assert "load one first" in ask("run", tool=0, input="")["error"]["message"]
    assert load("echo")["error"] is None


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"", "empty"),
        (b"(module)", "text format"),
        (b"PK\x03\x04....", "ZIP"),
        (b"<!doctype html>", "HTML"),
        (b"\x7fELF", "Linux"),
        (bytes(range(256)) * 1000, "00 61 73 6D"),
    ],
)
def test_files_that_are_no_modules(ask: Ask, data: bytes, hint: str) -> None:
    error = ask("load", data)["error"]
    assert error["type"] == "CompileError"
    assert hint in error["hint"]


def test_a_plugin_that_takes_all_memory(ask: Ask, load: Ask) -> None:
    load("grow_forever", memory_pages=80, timeout=0.5)
    answer = ask("run", tool=0, input="")
    assert answer["memory"]["pages"] <= 80
    assert load("echo")["error"] is None
    assert ask("run", tool=0, input="still here")["output"] == "still here"


def test_what_a_call_changes_is_marked(ask: Ask, load: Ask) -> None:
    load("in_place")
    answer = ask("run", tool=0, input="hello")
    memory = answer["memory"]
    assert memory["changed_bytes"] > 0
    start = memory["input"][0]
    piece = ask("memory", start=start - 16, size=64)
    assert piece["start"] == start - 16
    marks = {(kind, low, high) for kind, low, high in piece["marks"]}
    assert any(kind == "input" and low == 16 for kind, low, _ in marks)
    assert any(kind == "changed" for kind, _, _ in marks)
    assert len(piece["hex"]) == 128
    assert bytes.fromhex(piece["hex"])[16:].startswith(answer["output"].encode())
    assert any("c" in cell for cell in memory["overview"])


def test_pieces_at_the_edges_of_memory(ask: Ask, load: Ask) -> None:
    total = load("echo")["memory"]["total"]
    assert ask("memory", start=-5, size=4)["start"] == 0
    assert len(ask("memory", start=total - 4, size=64)["hex"]) == 8
    assert ask("memory", start=total * 2, size=64)["hex"] == ""


def test_without_memory(ask: Ask, load: Ask) -> None:
    assert load("missing_memory")["memory"] is None
    assert ask("memory", start=0, size=16)["hex"] == ""


def test_changes_of_the_next_call_start_from_the_last_one(ask: Ask, load: Ask) -> None:
    load("stateful")
    first = ask("run", tool=0, input="a")
    assert first["error"] is None
    piece = ask("memory", start=first["memory"]["first_change"][0], size=16)
    assert piece["marks"]
    last = first["memory"]["changes"]
    assert ask("run", tool=0, input="a")["memory"]["changes"] <= max(last, 8)


def test_nonsense_is_answered(ask: Ask) -> None:
    assert ask("no such method")["error"]["hint"]
    assert ask("run")["error"]
    assert ask("load", b"\0asm", engine="steam")["error"]
    assert ask("load", b"", limits={"timeout": -1})["error"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b"", b"", []),
        (b"abc", b"abc", []),
        (b"abc", b"aXc", [(1, 2)]),
        (b"abc", b"XbX", [(0, 1), (2, 3)]),
        (b"a", b"a\0\0", []),
        (b"a", b"a\0b", [(2, 3)]),
        (b"a" * 5000, b"a" * 4090 + b"b" * 20 + b"a" * 890, [(4090, 4110)]),
    ],
)
def test_changes(before: bytes, after: bytes, expected: list[tuple[int, int]]) -> None:
    assert changes(before, bytearray(after)) == expected
