"""`purewasm map`: each line's output on a line, failures by number, interrupts, the bar."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.test_process import on_a_terminal
from tests.conftest import heed_interrupts

Command = Callable[..., Result]
Fail = Callable[..., tuple[int, str]]
PathOf = Callable[[str], str]

ONE = ("--jobs", "1")


def test_each_output_is_a_line(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_bytes(b"first\r\n\n\xc3\xa9\nlast")
    result = command("map", "echo", "echo", "--input-file", str(file), "--jobs", "2")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes == b"first\n\n\xc3\xa9\nlast\n"


def test_standard_input_and_a_tool_by_index(command: Command) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(500))
    result = command("map", "echo", "0", *ONE, "--input-file", "-", input=lines)
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, lines, "")


#: For `levenshtein`: the second and the fifth are no JSON objects, the third has a wrong type.
LINES = b'{"a":"x","b":"yy"}\nnot\n{"a":1}\n{"a":"","b":"q"}\n[]\n'


def test_lines_that_fail(command: Command) -> None:
    result = command("map", "zig_text", "levenshtein", *ONE, input=LINES)
    assert (result.exit_code, result.stdout) == (4, "2\n\n\n1\n\n")
    starts = [line.partition(": Invalid")[0] for line in result.stderr.splitlines()]
    assert starts == ["purewasm: line 2", "purewasm: line 3", "purewasm: line 5"]
    assert "a must be of type 'string'" in result.stderr
    assert """for example '{"a":"text","b":"text"}'""" in result.stderr


@pytest.mark.parametrize("options", [("--json",), ("--unordered",)])
def test_json(command: Command, options: tuple[str, ...]) -> None:
    result = command("map", "zig_text", "levenshtein", *ONE, *options, input=LINES)
    assert result.exit_code == 4
    found = {entry["line"]: entry for entry in map(json.loads, result.stdout.splitlines())}
    assert {line: entry["output"] for line, entry in found.items()} == dict(
        zip(range(1, 6), ["2", "", "", "1", ""], strict=True)
    )
    assert {line for line, entry in found.items() if entry["error"] is None} == {1, 4}
    assert [*found[1]] == ["line", "output", "error"]


def test_the_first_failure_ends_it(command: Command, path: PathOf) -> None:
    lines = b"10\n99999999999\n" + b"10\n" * 1000
    options = ("--fail-fast", "--fuel", "1000", *ONE)
    result = command("map", path("spin"), "spin", *options, input=lines)
    assert (result.exit_code, result.stdout) == (4, "done\n")
    assert result.stderr.startswith("purewasm: line 2: ")
    assert result.stderr.endswith("loop; --fuel raises the limit\n")


@pytest.mark.parametrize(
    ("arguments", "data", "status", "message"),
    [
        (("echo", "--input-file", "no.txt"), b"", 2, "cannot read 'no.txt': No such file"),
        (("echo", "--input-file", "."), b"", 2, "cannot read '.': Is a directory"),
        (("nope",), b"", 4, "no such tool"),
        (("echo", "--jobs", "x"), b"", 2, "'x' is not a valid integer"),
        (("echo", *ONE), b"\xff", 2, "line 1 of standard input is not UTF-8: byte 0 is 0xff"),
    ],
)
def test_wrong_usage(
    failure: Fail, arguments: tuple[str, ...], data: bytes, status: int, message: str
) -> None:
    found, printed = failure("map", "echo", *arguments, input=data)
    assert found == status
    assert message in printed


def children(process: int) -> set[int]:
    """The processes that a process started."""
    tasks = Path(f"/proc/{process}/task")
    return {int(child) for task in tasks.iterdir() for child in _words(task / "children")}


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="there is no /proc")
@pytest.mark.parametrize(
    ("end", "to_all"),
    [("SIGINT", False), ("SIGINT", True), ("SIGKILL", False)],
    ids=["interrupt", "interrupt in a terminal", "kill"],
)
def test_all_workers_end(tmp_path: Path, path: PathOf, end: str, to_all: bool) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("10\n" + "999999999999\n" * 20)
    arguments = [path("spin"), "spin", "--input-file", str(file), "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "purewasm_plugins", "map", *arguments, "--fuel", "none"],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"done\n"
    # Two workers, and the process of Python's that watches over them.
    wait_until(lambda: len(children(process.pid)) == 3)
    started = children(process.pid)
    (os.killpg if to_all else os.kill)(process.pid, signal.Signals[end])
    output = process.communicate(timeout=30)
    if end == "SIGINT":
        assert (*output, process.returncode) == (b"", b"", 130)
    wait_until(lambda: not any(os.path.exists(f"/proc/{child}") for child in started))


@pytest.mark.skipif(os.name == "nt", reason="there are no such terminals")
def test_a_terminal_has_a_bar(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("[bold]one[/bold]\n\x1b[1mtwo\n" * 3)
    written = on_a_terminal("map", "echo", "echo", "--input-file", str(file), *ONE)
    assert "6 lines" in written
    assert written.count("[bold]one[/bold]") == 3
    assert written.count("\\x1b[1mtwo") == 3
    assert "━" in written
