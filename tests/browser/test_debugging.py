"""The requests of the Debug tab and their answers, in any Python."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins.browser import debugging
from purewasm_plugins.browser.workbench import Workbench
from tests.conftest import ROOT

Data = Callable[[str], bytes]
Ask = Callable[..., Any]

MOVES = ("step", "over", "out", "run", "back step", "back over", "back out", "back run")


@pytest.fixture
def ask() -> Ask:
    """`ask(do, **params)`: one request of the Debug tab, in the form of JavaScript."""
    workbench = Workbench()

    def ask(do: str, **params: Any) -> Any:
        method = params.pop("method", "debug")
        data = params.pop("data", None)
        params = {"do": do, **params} if method == "debug" else params
        return json.loads(workbench.handle(json.dumps({"method": method, "params": params}), data))

    return ask


@pytest.fixture
def open_call(ask: Ask, fixture_data: Data) -> Callable[..., Any]:
    """`open_call(fixture, input, **limits)`: the state at the start of its first tool."""

    def open_call(name: str, input: str = "anything", **limits: Any) -> Any:
        ask("", method="load", data=fixture_data(name), limits=limits)
        return ask("open", tool=0, input=input)

    return open_call


@pytest.fixture
def finished(ask: Ask, open_call: Callable[..., Any]) -> Callable[..., Any]:
    """`finished(fixture, input)`: the state at the end of a call of its first tool."""

    def finished(name: str, input: str) -> Any:
        open_call(name, input)
        return ask("move", move="run")

    return finished


def test_the_output_and_a_failure_that_the_tool_reports(finished: Callable[..., Any]) -> None:
    assert finished("reports_errors", "fine")["output"] == {
        "error": None,
        "text": "fine",
        "length": 4,
    }
    failed = finished("reports_errors", "!")["output"]
    assert failed["error"] == "Tool 'check' failed: the input begins with !"
    assert failed["text"] == ""


def here(state: Any) -> tuple[int, int]:
    return state["function"], state["offset"]


def values(state: Any, which: str) -> list[str]:
    return [row["text"] for row in state[which]["rows"]]


def changed(state: Any, which: str) -> list[str]:
    return [row["name"] for row in state[which]["rows"] if row["changed"]]


def memory_marks(state: Any, kind: str) -> list[tuple[int, int]]:
    memory = state["memory"]
    return [
        (memory["start"] + low, memory["start"] + high)
        for name, low, high in memory["marks"]
        if name == kind
    ]


def test_every_step_of_a_call_and_back_again(ask: Ask, open_call: Ask) -> None:
    state = open_call("buggy_shout", "pizza")
    assert state["title"] == 'shout("pizza")'
    assert (state["step"], state["why"]) == (0, "At the start.")
    assert [name for _, name in state["functions"]][-1] == "plugin_tool_execute"
    seen = [state]
    while not state["ended"]:
        state = ask("move", move="step")
        seen.append(state)
    assert state["output"] == {"error": None, "text": "PIzzA", "length": 5}
    assert state["why"] == "The call has finished."
    assert state["step"] == state["last"] == len(seen) - 1
    alike = ("step", "function", "offset", "frames", "breakpoints", "explanation")
    for earlier in reversed(seen[:-1]):
        state = ask("move", move="back step")
        assert [state[key] for key in alike[:3]] == [earlier[key] for key in alike[:3]]
        for which in ("stack", "locals", "globals"):
            assert values(state, which) == values(earlier, which)
    assert state["why"] == "At the start."


def test_what_there_is_to_see(ask: Ask, open_call: Ask) -> None:
    open_call("buggy_shout", "pizza")
    ask("add", place="capital")
    state = ask("move", move="run")
    assert state["why"] == "Breakpoint 1."
    assert [frame["name"] for frame in state["frames"]] == ["capital", "plugin_tool_execute"]
    assert state["frames"][0]["changed"]
    assert state["locals"]["rows"][0]["name"] == "$char"
    assert values(state, "locals") == ["112 0x70 'p'"]
    assert state["explanation"]["text"] == "local.get $char"
    assert state["explanation"]["says"].startswith("Pushes the value of the local")
    assert [label["kind"] for label in state["labels"]["rows"]] == ["function"]
    state = ask("move", move="step")
    assert changed(state, "stack") == ["0"]
    assert values(state, "stack") == ["112 0x70 'p'"]
    # The frame of the caller.
    state = ask("look", frame=1)
    assert state["function"] != state["frames"][0]["function"]
    assert [label["kind"] for label in state["labels"]["rows"]][-1] == "function"
    assert changed(state, "stack") == []
    assert ask("look", frame=99)["frame"] == 1
    assert ask("move", move="step")["frame"] == 0


def test_the_memory_that_is_touched_and_changed(ask: Ask, open_call: Ask) -> None:
    open_call("buggy_shout", "pizza")
    state = ask("move", move="step")
    while not memory_marks(state, "writes"):
        state = ask("move", move="step")
    (place,) = memory_marks(state, "writes")
    assert state["memory"]["text"] == f"it writes 1 byte at {place[0]:#x}"
    state = ask("move", move="step")
    assert memory_marks(state, "changed") == [place]
    content = bytes.fromhex(state["memory"]["hex"])
    assert content[place[0] - state["memory"]["start"]] == ord("P")
    state = ask("move", move="back step")
    # A move backwards changes it as well.
    assert memory_marks(state, "changed") == [place]
    state = ask("look", address="local.input + 1")
    assert state["memory"]["text"].startswith("local.input + 1 is 0x")
    assert state["memory"]["problem"] is None
    state = ask("look", address="0xffffff")
    assert "Memory has no byte at 0xffffff" in state["memory"]["problem"]
    for wrong in ("nonsense", "1 +", "'text'", ""):
        assert ask("look", address=wrong)["error"]["message"]
    assert ask("look")["memory"]["wanted"] is None


def test_breakpoints(ask: Ask, open_call: Ask) -> None:
    state = open_call("buggy_shout", "pizza")
    code = ask("code", function=state["function"])
    (offset,) = [offset for offset, _, text in code["lines"] if text == "i32.store8"]
    state = ask("toggle", function=state["function"], offset=offset)
    assert [point["offset"] for point in state["breakpoints"]] == [offset]
    stops = []
    for _ in range(3):
        stops.append(ask("move", move="run"))
    assert all(here(stop)[1] == offset for stop in stops)
    for stop in reversed(stops[:-1]):
        state = ask("move", move="back run")
        assert (state["step"], state["stack"]) == (stop["step"], state["stack"])
        assert values(state, "stack") == values(stop, "stack")
    assert ask("toggle", function=state["function"], offset=offset)["breakpoints"] == []
    state = ask("add", place="capital", condition=" local.char == 122 ")
    assert state["breakpoints"][0]["condition"] == "local.char == 122"
    assert values(ask("move", move="run"), "locals") == ["122 0x7a 'z'"]
    assert ask("remove", number=2)["breakpoints"] == []


def test_a_watched_byte_tells_who_wrote_it(ask: Ask, open_call: Ask) -> None:
    open_call("buggy_shout", "pizza")
    ask("move", move="run")
    state = ask("watch", address="stack[-1] + 2")
    assert [point["address"] for point in state["watchpoints"]] == [0x402]
    assert memory_marks(state, "watched") == [(0x402, 0x403)]
    state = ask("move", move="back run")
    assert state["step"] == 78
    assert "memory at 0x402 went from 00 to 7a 'z' in step 78" in state["why"]
    assert memory_marks(state, "writes") == [(0x402, 0x403)]
    assert "in step 78" in ask("move", move="run")["why"]
    assert ask("watch", address="0x402")["watchpoints"] == []
    for wrong in ("", "0xffffffff", "nothing"):
        assert ask("watch", address=wrong)["error"]["message"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"do": "add", "place": "nowhere"}, "no function has that name; there is: "),
        ({"do": "add", "place": "0x1"}, "in no function's code"),
        ({"do": "add", "place": ""}, "no function"),
        ({"do": "add", "place": "capital:99"}, "capital has instructions 1 to"),
        ({"do": "add", "place": "capital", "condition": "1 +"}, "1 +"),
        ({"do": "remove", "number": 7}, "there is no breakpoint or watchpoint 7"),
        ({"do": "go", "step": 9999}, "step 9,999 is not among those reached: 0 to 3"),
        ({"do": "go", "step": -1}, "0 to 3"),
        ({"do": "move", "move": "proceed"}, "nothing to go on with"),
        ({"do": "toggle", "function": 0, "offset": 1}, "no function's code"),
    ],
)
def test_what_cannot_be_done_is_said_and_the_session_goes_on(
    ask: Ask, open_call: Ask, request_: dict[str, Any], message: str
) -> None:
    open_call("buggy_shout", "pizza")
    for _ in range(3):
        state = ask("move", move="step")
    error = ask(**request_)["error"]
    assert message in error["message"]
    assert "bug of the playground" not in (error["hint"] or "")
    assert ask("look") == state
    assert ask("move", move="step")["step"] == 4


def test_a_condition_that_fails_says_so(ask: Ask, open_call: Ask) -> None:
    open_call("buggy_shout", "pizza")
    ask("add", place="capital", condition="memory[local.char + 1000000] == 1")
    state = ask("move", move="run")
    assert state["why"] == "Breakpoint 1."
    assert state["problem"].startswith("Its condition failed: ")


def test_steps_before_the_start_and_after_the_end(ask: Ask, open_call: Ask) -> None:
    start = open_call("echo", "hello")
    for move in MOVES[4:]:
        state = ask("move", move=move)
        assert (state["step"], state["why"]) == (0, "At the start.")
    end = ask("move", move="run")
    assert end["output"]["text"] == "hello"
    for move in MOVES[:4]:
        state = ask("move", move=move)
        assert (state["step"], state["why"]) == (end["step"], "The call has finished.")
    assert here(ask("go", step=0)) == here(start)


def test_a_trap_stands_before_its_instruction(ask: Ask, open_call: Ask) -> None:
    open_call("trap_division")
    state = ask("move", move="run")
    assert state["why"] == "Trap: integer divide by zero. This is the state just before it."
    assert (state["trap"], state["ended"], state["unfinished"]) == (True, True, False)
    assert values(state, "stack")[0] == "0"
    assert ask("move", move="step")["step"] == state["step"]
    assert ask("move", move="back step")["step"] == state["step"] - 1
    assert ask("move", move="step")["trap"] is False
    assert ask("move", move="step")["trap"] is True


def test_an_endless_loop_is_run_in_slices(
    ask: Ask, open_call: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debugging, "SLICE_SECONDS", 0.01)
    open_call("loop_forever")
    state = ask("move", move="run")
    for _ in range(5):
        assert state["unfinished"]
        step = state["step"]
        state = ask("move", move="proceed")
        assert state["step"] > step
    # The page stops a move by requesting no further slice: the session keeps all steps.
    last = state["step"]
    assert ask("move", move="back step")["step"] == last - 1
    assert ask("go", step=10)["step"] == 10
    assert ask("go", step=last)["last"] == last
    state = ask("toggle", function=state["function"], offset=state["offset"])
    assert not ask("move", move="run")["unfinished"]


def test_a_long_way_back_is_made_in_slices(
    ask: Ask, open_call: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debugging, "FIRST_SLICE", 100)
    monkeypatch.setattr(debugging, "SLICE_SECONDS", 0.0)
    state = open_call("loop_forever")
    state = ask("toggle", function=state["function"], offset=state["offset"])
    ask("move", move="run")
    while state["step"] < 15_000:
        state = ask("move", move="proceed") if state["unfinished"] else ask("move", move="run")
    slices = 0
    state = ask("move", move="back run")
    while state["unfinished"]:
        slices += 1
        state = ask("move", move="proceed")
    assert (state["step"], state["why"]) == (0, "Breakpoint 1.")
    assert slices > 1


def test_endless_recursion(ask: Ask, open_call: Ask) -> None:
    open_call("recurse_forever")
    state = ask("move", move="run")
    while state["unfinished"]:
        state = ask("move", move="proceed")
    assert state["why"].startswith("Trap: call stack exhausted.")
    assert state["depth"] > 900
    assert len(state["frames"]) == 2 * debugging.MOST_FRAMES


def test_an_input_of_a_megabyte(ask: Ask, open_call: Ask) -> None:
    state = open_call("echo", "x" * 1_000_000)
    assert len(state["title"]) < 100
    state = ask("move", move="run")
    assert state["output"]["length"] == 1_000_000
    assert len(json.dumps(state)) < 20_000
    assert ask("move", move="back run")["step"] == 0


def test_an_input_that_cannot_be_passed(ask: Ask, open_call: Ask) -> None:
    error = open_call("echo", "a\0b")["error"]
    assert error["type"] == "ToolExecutionError"
    assert "open one first" in ask("move", move="step")["error"]["message"]
    open_call("echo", "fine")
    state = ask("move", move="step")
    assert ask("open", tool=0, input="a\0b")["error"]["type"] == "ToolExecutionError"
    # The previous session stays open.
    assert ask("look") == state


@pytest.mark.parametrize("name", ["trap_on_load", "imports_host", "missing_execute", "invalid"])
def test_what_is_no_plugin_cannot_be_debugged(ask: Ask, open_call: Ask, name: str) -> None:
    assert "load one first" in open_call(name)["error"]["message"]
    assert "open one first" in ask("move", move="step")["error"]["message"]
    assert open_call("echo")["step"] == 0


def test_a_tool_with_a_schema(ask: Ask, fixture_data: Data) -> None:
    ask("", method="load", data=fixture_data("with_schema"))
    assert ask("open", tool=0, arguments={})["error"]["type"] == "InvalidArgumentsError"
    assert ask("open", tool=9, input="")["error"]["type"] == "ToolExecutionError"
    ask("open", tool=0, arguments={"query": "é"})
    assert ask("move", move="run")["output"]["text"] == '{"query":"é"}'


def test_another_plugin_ends_the_session(ask: Ask, open_call: Ask, fixture_data: Data) -> None:
    open_call("echo")
    ask("", method="load", data=fixture_data("hello"))
    assert "open one first" in ask("move", move="step")["error"]["message"]


def test_a_call_of_the_plugin_leaves_the_session_alone(ask: Ask, open_call: Ask) -> None:
    open_call("stateful")
    state = ask("move", move="step")
    ask("", method="run", tool=0, input="other")
    assert ask("look") == state


def test_the_lines_of_a_long_function(
    ask: Ask, open_call: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debugging, "MOST_LINES", 6)
    state = open_call("buggy_shout", "pizza")
    whole = ask("code", function=state["function"])
    assert (whole["start"], len(whole["lines"])) == (0, 6)
    assert whole["total"] > 20
    end = ask("move", move="run")
    assert end["function"] is None
    last = ask("go", step=end["step"] - 1)
    part = ask("code", function=last["function"], offset=last["offset"])
    assert part["start"] + len(part["lines"]) == part["total"]
    assert last["offset"] in [offset for offset, _, _ in part["lines"]]
    assert ask("code", function=999)["lines"] == []


def test_deep_nesting_is_indented_twelve_levels(ask: Ask, wat: Callable[[str], bytes]) -> None:
    text = (ROOT / "fixtures/wat/echo.wat").read_text()
    nested = "(block " * 30 + "nop" + ")" * 30
    data = wat(text.replace("local.get $input", f"{nested} local.get $input"))
    ask("", method="load", data=data)
    state = ask("open", tool=0, input="x")
    code = ask("code", function=state["function"])
    assert max(depth for _, depth, _ in code["lines"]) == 12
    lines = ask("", method="function", index=state["function"])["lines"]
    # The body of a function is indented separately.
    assert max(len(line) - len(line.lstrip()) for _, line in lines) == 2 + 2 * 12


def test_the_page_starts_without_the_debugger() -> None:
    program = "import sys, purewasm_plugins.browser.workbench; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "purewasm_plugins.browser.describe" in done.stdout
    assert "purewasm_plugins.debugger" not in done.stdout


def test_a_rust_plugin_forward_and_back(ask: Ask, open_call: Ask) -> None:
    open_call("starter/shout_rust.wasm", "hi")
    seen = {}
    for move in ("step", "over", "over", "over", "step", "step", "out"):
        state = ask("move", move=move)
        seen[state["step"]] = state
        assert "error" not in state
    state = ask("move", move="run")
    assert state["output"]["text"] == "HI"
    for step, earlier in reversed(seen.items()):
        state = ask("go", step=step)
        assert here(state) == here(earlier)
        for which in ("stack", "locals", "globals"):
            assert values(state, which) == values(earlier, which)
        assert [frame["name"] for frame in state["frames"]] == [
            frame["name"] for frame in earlier["frames"]
        ]
