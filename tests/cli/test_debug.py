"""`purewasm debug` at a real terminal: the screen, the prompt, completion and Ctrl-C."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from purewasm_plugins import WasmPlugin
from purewasm_plugins.cli.debug_commands import BY_NAME, COMMANDS, Commands, Refused
from purewasm_plugins.cli.debug_screen import Screen, layout
from purewasm_plugins.cli.output import console
from purewasm_plugins.debugger import DebugSession
from tests.conftest import ROOT, assemble
from tests.debugger.programs import start

PROMPT = r"\(debug\) "
WAT = ROOT / "fixtures" / "wat"
COMMAND = ["-m", "purewasm_plugins", "debug"]


class Terminal:
    """A debugger at a terminal, and its output."""

    def __init__(
        self, *arguments: str, columns: int = 100, interrupts: signal.Handlers = signal.SIG_DFL
    ) -> None:
        environment = {"TERM": "xterm", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        self.child = pexpect.spawn(
            sys.executable,
            [*COMMAND, *arguments],
            env=environment,
            encoding="utf-8",
            dimensions=(40, columns),
            timeout=30,
            cwd=str(ROOT),
            # The process inherits this; a shell ignores SIGINT in background processes.
            preexec_fn=lambda: signal.signal(signal.SIGINT, interrupts),
        )
        self.child.expect(PROMPT)
        self.first = self.shown()

    def shown(self) -> str:
        """Return the output before the prompt, without colours."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.child.before)

    def __call__(self, line: str) -> str:
        """Type a line and wait for the prompt."""
        self.child.sendline(line)
        self.child.expect(PROMPT)
        return self.shown()


@pytest.fixture
def debug() -> Iterator[Callable[..., Terminal]]:
    """`debug(plugin, tool, input)`: a terminal with the debugger in it."""
    opened = []

    def debug(name: str, *arguments: str, **options: Any) -> Terminal:
        opened.append(Terminal(str(WAT / f"{name}.wasm"), *arguments, **options))
        return opened[-1]

    yield debug
    for terminal in opened:
        terminal.child.close(force=True)


def test_the_way_back_from_a_wrong_byte(debug: Callable[..., Terminal]) -> None:
    terminal = debug("buggy_shout", "shout", "pizza")
    for panel in ("plugin_tool_execute", "operand stack", "locals", "labels", "▶"):
        assert panel in terminal.first
    assert 'The tool answers "PIzzA"' in terminal("c")
    answer = terminal("last stack[-1]+2")
    assert "i32.store8" in answer
    (step,) = re.findall(r"goto (\d+)", answer)
    assert "it writes 1 byte at 0x402" in terminal(f"goto {step}")
    assert "call $capital" in terminal("rn")
    terminal("s")
    shown = terminal("until 0xf6")
    assert "i32.lt_u" in shown
    assert shown.count("122 0x7a 'z'") >= 2
    shown = terminal("s")
    assert re.search(r"top i32 0 \*", shown)
    shown = terminal("rs")
    assert "i32.lt_u: Pops b (i32), then a (i32) and pushes 1 if a < b" in shown


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_is_wider_than_the_terminal(debug: Callable[..., Terminal], columns: int) -> None:
    terminal = debug("buggy_shout", "shout", "pizza", columns=columns)
    for line in ("s", "s 15", "b capital if local.char == 122", "c", "bt", "finish", "c", "c"):
        for row in terminal(line).splitlines():
            assert len(row) <= columns


def test_an_empty_line_repeats(debug: Callable[..., Terminal]) -> None:
    terminal = debug("buggy_shout", "shout", "hi")
    assert "step 1 of 1" in terminal("s")
    assert "step 2 of 2" in terminal("")
    assert "step 1 of 2" in terminal("rs")


@pytest.mark.parametrize("interrupts", [signal.SIG_DFL, signal.SIG_IGN])
def test_ctrl_c_stops_an_endless_loop_and_gives_the_prompt_back(
    debug: Callable[..., Terminal], interrupts: signal.Handlers
) -> None:
    terminal = debug("loop_forever", "0", "x", interrupts=interrupts)
    terminal.child.sendline("c")
    terminal.child.expect("c\r\n")
    with pytest.raises(pexpect.TIMEOUT):
        terminal.child.expect(PROMPT, timeout=1)
    terminal.child.sendintr()
    terminal.child.expect(PROMPT)
    assert "Interrupted." in terminal.shown()
    assert "▶" in terminal("s")
    # One at a time: Python's prompt notices an interrupt only while it waits for a key, and the
    # terminal discards input that was not read.
    terminal.child.send("half a li")
    terminal.child.expect("half a li")
    terminal.child.sendintr()
    terminal.child.expect(PROMPT)
    assert "step" in terminal("rs")


def test_completion(debug: Callable[..., Terminal]) -> None:
    terminal = debug("buggy_shout", "shout", "hi")
    terminal.child.send("fin\t")
    terminal.child.expect("finish")
    terminal.child.sendline("")
    terminal.child.expect(PROMPT)
    assert "The call has finished." in terminal.shown()
    terminal.child.send("b cap\t")
    terminal.child.expect("b capital")
    terminal.child.sendline("")
    terminal.child.expect(PROMPT)
    assert "Breakpoint 1 at" in terminal.shown()


def test_the_end_of_input_and_quit_leave(debug: Callable[..., Terminal]) -> None:
    terminal = debug("hello", "greet")
    terminal.child.sendline("q")
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    assert terminal.child.exitstatus == 0
    terminal = debug("hello", "greet")
    terminal.child.sendeof()
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    assert terminal.child.exitstatus == 0


def piped(commands: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *COMMAND, *arguments],
        input=commands,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )


def test_every_command_from_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "first").write_text("# where the z is missed\nb capital:7 if local.char == 122\n")
    commands = """c
bt
l
l plugin_tool_execute
p string(0x10)
p local.char, stack
p $char
p $capital
x 0x400 20
info
watch 0x400 4
watch $char
watch global 0
d 2
c
info
globals
tables
functions cap
explain
explain i32.rotl
help
help watch
finish
n
rn
rc
until capital
show
goto 0
rs 5
"""
    result = piped(
        commands,
        str(WAT / "buggy_shout.wasm"),
        "shout",
        "pizza",
        "-x",
        str(tmp_path / "first"),
    )
    assert result.returncode == 0
    assert result.stderr == ""
    for expected in (
        "Breakpoint 1 at 0xf6 in capital: i32.lt_u",
        "Breakpoint 1.",
        "1 0x0011a plugin_tool_execute",
        "'buggy_shout'",
        "(122, [122, 122])",
        "(debug) p $char\n122 0x7a 'z'\n",
        "function capital",
        "00000400  50 49",
        "break  0xf6 in capital",
        "Watchpoint 2 on 4 bytes of memory at 0x400.",
        "Watchpoint 3 on local $char.",
        "there is no such global; there is: none",
        "The module has no globals.",
        "i32.rotl: Pops b (i32)",
        "The module has no tables.",
        "At the start.",
    ):
        assert expected in result.stdout, expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("frobnicate", "there is no command 'frobnicate'"),
        ("b nowhere", "no function has that name"),
        ("b 0x1", "that byte is in no function's code"),
        ("b capital if import os", "not a Python expression"),
        ("p 1 / 0", "division by zero"),
        ("p", "this needs something more, for example: p local[0]"),
        ("x 99999999999 5", "not in memory"),
        ("x 'a'", "no address"),
        ("watch", "for example: watch 0x400 4"),
        ("watch $nothing", "there is no such local; there is: tool, input"),
        ("d 9", "there is no breakpoint or watchpoint 9"),
        ("s none", "'none' is not a number from 1 up"),
        ("goto -1", "is not a number from 0 up"),
        ("goto", "for example: goto 120"),
        ("last 0xfffffff", "the byte is not in memory, which ends at 0x20000"),
        ("explain nothing", "there is no instruction 'nothing'"),
        ("help nothing", "there is no command 'nothing'"),
        ("until nowhere", "no function has that name"),
    ],
)
def test_what_is_refused_is_a_sentence_and_the_session_goes_on(line: str, message: str) -> None:
    plugin = WasmPlugin.load(WAT / "buggy_shout.wasm", engine="pywasm")
    session = DebugSession(plugin, 0, "x")
    commands = Commands(session, Screen(console(), session, ""))
    with pytest.raises(Refused, match=re.escape(message)):
        commands.run(line)
    commands.run("s")
    assert session.step_number == 1


@settings(max_examples=60)
@given(st.data())
def test_whatever_is_typed_the_answer_is_a_sentence(data: st.DataObject) -> None:
    plugin = WasmPlugin.load(WAT / "buggy_shout.wasm", engine="pywasm")
    session = DebugSession(plugin, 0, "ab")
    screen = Screen(console(), session, "")
    commands = Commands(session, screen)
    names = sorted(set(BY_NAME) - {"svg"})
    parts = ["if", "after", "capital", "capital:3", "$char", "global", "local.char", "memory[", "]"]
    parts += ["0x400", "-1", "3", "stack[-1]", "string(16)", "99999999999", "(", "'", "0xf6", "=="]
    argument = st.sampled_from(parts) | st.text(max_size=8)
    for _ in range(data.draw(st.integers(1, 6))):
        words = [data.draw(st.sampled_from(names)), *data.draw(st.lists(argument, max_size=4))]
        with contextlib.suppress(Refused):
            commands.run(" ".join(words))
        commands.complete("", " ".join(words))
    assert "<svg" in screen.picture(80)


def test_what_cannot_be_begun_is_a_line_and_a_status() -> None:
    result = piped("", str(WAT / "hello.wasm"), "gret")
    assert result.returncode == 4
    assert result.stderr == (
        "purewasm: Tool execution failed for 'gret': "
        "the plugin has no such tool; did you mean greet?\n"
    )
    result = piped("", str(WAT / "trap_on_load.wasm"), "0")
    assert result.returncode == 3
    assert result.stderr.count("\n") == 1
    result = piped("", str(WAT / "no_such_file.wasm"), "0")
    assert result.returncode == 3


def test_every_command_has_help_and_an_example_that_names_it() -> None:
    for command in COMMANDS:
        assert command.example.split()[0] in command.names
        assert command.help.endswith(".")
        assert hasattr(Commands, f"_{command.names[0]}")


@given(
    st.integers(9, 40),
    st.integers(0, 30),
    st.integers(0, 20),
    st.integers(0, 30),
    st.integers(0, 3),
    st.integers(0, 30),
)
def test_what_is_in_play_has_a_row(
    rows: int, operands: int, popped: int, locals: int, used: int, labels: int
) -> None:
    popped, used = min(popped, operands), min(used, locals)
    heights = layout(rows, (operands, popped), (locals, used), labels)
    for height, count, in_play in (
        (heights.operands, operands, popped),
        (heights.locals, locals, used),
    ):
        # The last row of a truncated list has the number of the missing ones.
        assert height >= max(1, in_play + (count > in_play))
    borders = 6 if heights.labels else 4
    assert heights.operands + heights.locals + heights.labels + borders == heights.code + 2
    assert heights.code == rows or popped + used > rows - 6


MANY = """(module (func $f (export "f") (param $a i32) (local $b i32) (local $c i32) (local $d i32)
  (local $e i32) (local $needle i32)
  (call $g (i32.const 11) (i32.const 12) (i32.const 13) (i32.const 14) (i32.const 15)
           (i32.const 16) (i32.const 17))
  (drop (local.get $needle)))
  (func $g (param i32 i32 i32 i32 i32 i32 i32)))"""


def test_what_the_next_instruction_uses_is_on_a_small_screen() -> None:
    session = start(MANY, "f", 0)
    screen = Screen(console(), session, "")
    for _ in range(7):
        session.step()
    picture = screen.picture(80, 24)
    for operand in range(11, 18):
        assert f"{operand}&#160;0x{operand:x}" in picture
    session.step_over()
    assert "$needle" in screen.picture(80, 24)


def test_what_a_plugin_writes_has_a_panel(debug: Callable[..., Terminal]) -> None:
    path = ROOT / "fixtures/plugins/wasi_starter/shout_c"
    terminal = debug(str(path), "shout", "hi", "--wasi")
    assert "output" not in terminal.first
    screen = terminal("c")
    assert re.search(r"─ output ─+╮\s+│ shouting 2 bytes +│", screen)
    assert "shouting" in terminal("output")
    assert "shouting" not in terminal("goto 0")


#: A plugin whose tool sleeps for an hour.
SLEEPER = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "sleeper\\00")
  (data (i32.const 80) "\\01")
  (data (i32.const 88) "\\00\\00\\00\\00\\00\\20")
  (func $text (result i32) (i32.const 16))
  (func $of (param i32) (result i32) (i32.const 16))
  (export "plugin_name" (func $text)) (export "plugin_version" (func $text))
  (export "plugin_description" (func $text)) (export "plugin_tool_name" (func $of))
  (export "plugin_tool_description" (func $of))
  (func (export "plugin_tools_count") (result i32) (i32.const 1))
  (func (export "plugin_tool_execute") (param i32 i32) (result i32)
    (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 200)))
    (i32.const 16)))"""


def test_the_second_interrupt_leaves_a_plugin_that_sleeps(
    debug: Callable[..., Terminal], tmp_path: Path
) -> None:
    (tmp_path / "sleeper.wasm").write_bytes(assemble(SLEEPER))
    child = debug(str(tmp_path / "sleeper"), "sleeper", "x", "--wasi").child
    child.sendline("c")
    # An interrupt at the prompt discards what is typed: the command has to run.
    child.expect("c\r\n")
    for _ in range(20):
        time.sleep(0.5)
        child.sendintr()
        if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=1) == 0:
            break
    child.close()
    assert child.exitstatus == 130
