"""The workbench of the Edit tab, in any Python: texts are checked, run, debugged, and made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.browser import editing
from purewasm_plugins.browser.editing import MOST_LINE, MOST_TEXT, SourceText, check
from purewasm_plugins.browser.texts import TEXTS, example_texts, sentence
from tests.browser.test_system import Bench
from tests.conftest import ROOT

WAT = ROOT / "fixtures" / "wat"

ADD = """(module
  (func (export "add") (param $a i32) (param $b i32) (result i32)
    (i32.add (local.get $a) (local.get $b)))
  (func (export "nothing"))
  (func (export "crash") (result i32) (unreachable))
  (global $calls (mut i64) (i64.const 0))
  (func (export "count") (result i64)
    (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
    (global.get $calls)))
"""


@pytest.fixture
def bench() -> Bench:
    return Bench()


def text(name: str) -> str:
    return (WAT / f"{name}.wat").read_text("utf-8")


@pytest.mark.parametrize(
    ("source", "message", "line", "column"),
    [
        ("(func (param $xs i32)\n  local.get $x)", "unknown local $x; did you mean $xs?", 2, 13),
        ("(module\n  (func (result i32)))", "type mismatch", 2, 21),
        ('(module (func)\n(export "é" (func $f)))', "unknown function $f", 2, 19),
        ("(module", "this parenthesis is not closed", 1, 1),
        ('(module (export "f" (func 3)))', "unknown function 3", 1, 10),
        ("(memory 1) (memory 1)", "multiple memories", 1, 13),
        ("\ud800", "malformed UTF-8", 1, 1),
        (" " * (MOST_TEXT + 1), "up to 500,000 characters", 1, 1),
    ],
)
def test_faults(source: str, message: str, line: int | None, column: int | None) -> None:
    error = check(source)["error"]
    assert message in error["message"]
    assert (error["line"], error["column"]) == (line, column)


@pytest.mark.parametrize(
    ("source", "kind", "functions"),
    [
        ("", "nothing", []),
        ('(memory (export "memory") 1)', "nothing", []),
        ('(func (export "f")) (func (export "g"))', "functions", ["f", "g"]),
        ('(func (export "_start"))', "command", ["_start"]),
        ('(func (export "_start") (param i32))', "functions", ["_start"]),
        ('(func (export "_initialize")) (func (export "f"))', "functions", ["_initialize", "f"]),
        ('(func (export "plugin_name"))', "plugin", ["plugin_name"]),
        ('(func (export "plugin_tool_execute"))', "plugin", ["plugin_tool_execute"]),
    ],
)
def test_kinds(source: str, kind: str, functions: list[str]) -> None:
    answer = check(source)
    assert answer["error"] is None
    assert answer["size"] >= 8
    assert (answer["kind"], answer["functions"]) == (kind, functions)


@given(st.text('()";$ \n\\ab01\ud800é', max_size=60))
def test_any_text_is_answered(source: str) -> None:
    json.dumps(check(source))


def test_a_text_becomes_a_module(bench: Bench) -> None:
    assert bench.ask("assemble", text=ADD)["error"] is None
    assert bench.attached is not None
    assert bench.ask("load", bench.attached)["callable"][0]["name"] == "add"
    assert bench.ask("assemble", text="(")["error"]["line"] == 1
    assert bench.attached is None


def test_a_tool_is_run(bench: Bench) -> None:
    loaded = bench.ask("load", text=text("rot13"))
    assert loaded["error"] is None
    assert loaded["size"] == (WAT / "rot13.wasm").stat().st_size
    assert bench.ask("run", tool=0, input="Hello")["output"] == "Uryyb"


def test_a_program_is_run(bench: Bench) -> None:
    assert bench.ask("load", text=text("says_hello"))["command"]
    assert bench.ask("start")["exit_code"] == 0
    # Requests forget what was shown before.
    bench.shown.clear()
    bench.handle(json.dumps({"method": "start"}))
    assert bench.shown == [(1, "Hello from WebAssembly!\n")]


def test_functions_are_called(bench: Bench) -> None:
    loaded = bench.ask("load", text=ADD)
    assert loaded["callable"][0] == {
        "name": "add",
        "type": "(i32, i32) -> (i32)",
        "params": ["i32", "i32"],
    }
    answer = bench.ask("call", function="add", arguments=[" 0xffffffff", "43"])
    assert (answer["output"], answer["says"], answer["error"]) == ("42", "i32", None)
    assert answer["fuel"] == 1
    answer = bench.ask("call", function="nothing", arguments=[])
    assert (answer["output"], answer["says"]) == ("", "it returns nothing")
    assert [bench.ask("call", function="count", arguments=[])["output"] for _ in "ab"] == ["1", "2"]
    error = bench.ask("call", function="crash", arguments=[])["error"]
    assert (error["reason"], len(error["frames"])) == ("unreachable", 1)
    # A trap ends the instance, and the next call has another one.
    assert bench.ask("call", function="count", arguments=[])["output"] == "1"


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("add", ["1"], "“add” takes 2 arguments, not 1"),
        ("add", ["1", "two"], "Argument 2, “two”, is no i32"),
        ("add", ["1", "4294967296"], "does not fit into 32 bits"),
        ("sub", [], "no export 'sub'"),
    ],
)
def test_calls_that_are_refused(
    bench: Bench, function: str, arguments: list[str], message: str
) -> None:
    bench.ask("load", text=ADD)
    call: dict[str, Any] = {"function": function, "arguments": arguments}
    for answer in (bench.ask("call", **call), bench.ask("debug", do="open", **call)):
        assert message in answer["error"]["message"]
        assert "traceback" not in answer["error"]


def test_there_is_no_function_to_call(bench: Bench) -> None:
    bench.ask("load", text=text("rot13"))
    assert "load a module" in bench.ask("call", function="f", arguments=[])["error"]["message"]


def test_limits_hold_for_functions(bench: Bench) -> None:
    endless = '(func (export "f") (loop (br 0)))'
    bench.ask("load", text=endless, limits={"fuel": 1000})
    assert bench.ask("call", function="f", arguments=[])["error"]["reason"] == "out of fuel"
    loaded = bench.ask("load", text=f"{endless} (start 0)", limits={"fuel": 1000})
    assert loaded["error"]["reason"] == "out of fuel"
    assert loaded["callable"] is None


def test_a_text_that_is_no_module_is_not_loaded(bench: Bench) -> None:
    error = bench.ask("load", text="(modul)")["error"]
    assert error["type"] == "TextError"
    assert "line 1, column 2" in error["message"]


def test_the_text_of_a_module(bench: Bench) -> None:
    assert "load one first" in bench.ask("text")["error"]["message"]
    data = (WAT / "stateful.wasm").read_bytes()
    bench.ask("load", data)
    made = bench.ask("text")["text"]
    assert "global.get $calls" in made
    bench.ask("load", text=made)
    assert bench.ask("run", tool=0, input="")["output"] == "1"
    # The text that was typed stays as it is.
    bench.ask("load", text=ADD)
    assert bench.ask("text")["text"] == ADD


def test_a_module_whose_text_is_too_long(bench: Bench) -> None:
    bench.ask("load", (ROOT / "fixtures/plugins/rust_documents/documents.wasm").read_bytes())
    message = bench.ask("text")["error"]["message"]
    assert "more than 500,000 characters" in message
    assert "purewasm disassemble" in message


# The debugger


def marked(answer: Any) -> list[tuple[int, str]]:
    """The instructions of a listing: the number of the line, and the word."""
    lines = enumerate(answer["text"], answer["first"])
    return [
        (number, line[column : column + length])
        for number, (line, marks) in lines
        for column, length, _ in marks
    ]


def test_the_debugger_shows_the_text(bench: Bench) -> None:
    bench.ask("load", text=ADD)
    state = bench.ask("debug", do="open", function="add", arguments=["1", "2"])
    assert state["title"] == "add(1, 2)"
    code = bench.ask("debug", do="code", function=state["function"], offset=state["offset"])
    assert (code["first"], code["start"], code["total"]) == (2, 0, 2)
    assert marked(code) == [(3, "i32.add"), (3, "local.get"), (3, "local.get"), (3, ")")]
    here = {offset: column for column, _, offset in code["text"][1][1]}
    columns = []
    while not state["ended"]:
        columns.append(here[state["offset"]])
        state = bench.ask("debug", do="move", move="step")
    # In the order in which they run.
    assert columns == [14, 29, 5, 43]
    assert state["output"] == {"error": None, "text": "3", "length": 1, "results": True}


def test_a_tool_in_the_debugger(bench: Bench) -> None:
    bench.ask("load", text=text("buggy_shout"))
    state = bench.ask("debug", do="open", tool=0, input="z")
    code = bench.ask("debug", do="code", function=state["function"])
    assert code["text"][0][0].startswith('  (func (export "plugin_tool_execute")')
    assert bench.ask("debug", do="move", move="run")["output"]["text"] == "z"
    # A module without a text shows its instructions.
    bench.ask("load", (WAT / "buggy_shout.wasm").read_bytes())
    bench.ask("debug", do="open", tool=0, input="z")
    assert "text" not in bench.ask("debug", do="code", function=state["function"])


def test_an_imported_function_cannot_be_stepped(bench: Bench) -> None:
    bench.ask(
        "load",
        text='(import "wasi_snapshot_preview1" "sched_yield" (func $f (result i32)))'
        ' (export "f" (func $f))',
    )
    assert bench.ask("call", function="f", arguments=[])["output"] == "0"
    error = bench.ask("debug", do="open", function="f", arguments=[])["error"]
    assert "imported" in error["message"]


def test_lines_around_an_instruction() -> None:
    body = "\n".join(f"(drop (i32.const {number})) ;; é 🎈" for number in range(100))
    source = SourceText(f"(module (func\n{body}\n))")
    whole = source.code(0, None, 1000)
    assert (whole["first"], whole["total"]) == (1, 102)
    offset = whole["text"][50][1][0][2]
    part = source.code(0, offset, 10)
    assert (part["first"], part["start"], part["total"], len(part["text"])) == (46, 45, 102, 10)
    assert source.code(0, whole["text"][100][1][0][2], 10)["first"] == 93


def test_a_long_line_is_cut() -> None:
    body = "(nop)" * 1000
    answer = SourceText(f"(func {body})").code(0, None, 10)
    line, marks = answer["text"][0]
    assert len(line) == MOST_LINE
    assert 0 < len(marks) < 100


def test_columns_are_those_of_javascript() -> None:
    (line,) = SourceText("(func (;🎈;) nop)").code(0, None, 10)["text"]
    assert line[1][0][:2] == (13, 3)


# The examples


def test_every_example_has_a_sentence_and_works(bench: Bench) -> None:
    assert example_texts() == TEXTS
    for entry in TEXTS:
        described = entry.described()
        assert described["says"].endswith(".")
        assert "A host" not in described["says"]
        answer = check(described["text"])
        assert answer["error"] is None
        loaded = bench.ask("load", text=described["text"])
        names = {
            *(one["name"] for one in loaded["callable"] or ()),
            *(tool["name"] for tool in (loaded["plugin"] or {"tools": ()})["tools"]),
        }
        assert {*entry.inputs} <= names


def test_the_starter_comes_first() -> None:
    assert TEXTS[0].name == "rot13"
    assert len(TEXTS[0].described()["text"].splitlines()) < 50


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (";; a: B. It shows C. A host must D.\n(module)", "B. It shows C."),
        (";; a: B\n;; c.\n(module) ;; d", "B c."),
        ("(module)", ""),
    ],
)
def test_sentences(source: str, says: str) -> None:
    assert sentence(source) == says


def test_the_bounds_are_those_of_the_page() -> None:
    page = (ROOT / "purewasm_plugins/browser/page/share.js").read_text()
    assert f"MOST_TEXT = {editing.MOST_TEXT:_};" in page
