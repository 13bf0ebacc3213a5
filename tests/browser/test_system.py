"""The workbench with modules that use the system: commands, output, and files, in any Python."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import MemoryDirectory, PluginError, SymbolicLink
from purewasm_plugins.browser import describe
from purewasm_plugins.browser.files import MOST_BYTES, MOST_DEPTH, MOST_ROWS, QUOTAS, Files
from purewasm_plugins.browser.workbench import Workbench
from tests.conftest import ROOT, assemble

#: What each module here imports, and how it writes: `$say stream address size`.
IMPORTS = """
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $say (param $stream i32) (param $address i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $address))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (local.get $stream) (i32.const 0) (i32.const 1) (i32.const 8))))
"""


def command(body: str, rest: str = "") -> bytes:
    """A command of which this is the code."""
    return assemble(f'(module {IMPORTS} {rest} (func (export "_start") {body}))')


#: It writes its second argument, its first variable and its input, as long as they are.
ECHO = command(
    """(drop (call $args_get (i32.const 64) (i32.const 1024)))
    (drop (call $environ_get (i32.const 128) (i32.const 2048)))
    (i32.store (i32.const 16) (i32.const 4096))
    (i32.store (i32.const 20) (i32.const 100))
    (drop (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
    (call $say (i32.const 1) (i32.load (i32.const 68)) (i32.const 3))
    (call $say (i32.const 2) (i32.load (i32.const 128)) (i32.const 3))
    (call $say (i32.const 1) (i32.const 4096) (i32.load (i32.const 24)))
    (call $proc_exit (i32.const 7))"""
)

#: It makes the file "made.txt" in the first directory that it was granted, with "text" in it.
WRITER = command(
    """(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 8)
        (i32.const 1) (i64.const 64) (i64.const 64) (i32.const 0) (i32.const 12)))
    (call $say (i32.load (i32.const 12)) (i32.const 96) (i32.const 4))""",
    '(data (i32.const 64) "made.txt") (data (i32.const 96) "text")',
)

#: "é" in two pieces, and half of another one.
PIECES = command(
    """(call $say (i32.const 1) (i32.const 64) (i32.const 1))
    (call $say (i32.const 2) (i32.const 66) (i32.const 1))
    (call $say (i32.const 1) (i32.const 65) (i32.const 1))
    (call $say (i32.const 1) (i32.const 64) (i32.const 1))""",
    r'(data (i32.const 64) "\c3\a9!")',
)

TRAPS = command(
    "(call $say (i32.const 1) (i32.const 64) (i32.const 4)) unreachable",
    '(data (i32.const 64) "last")',
)

ENDLESS = command(
    "(call $say (i32.const 1) (i32.const 64) (i32.const 4)) (loop (br 0))",
    '(data (i32.const 64) "on..")',
)

#: A plugin whose one tool writes its input to standard error and answers it.
PLUGIN_TEXT = f"""(module {IMPORTS}
      (data (i32.const 64) "talker\\00") (data (i32.const 80) "1.0\\00")
      (func (export "plugin_name") (result i32) i32.const 64)
      (func (export "plugin_version") (result i32) i32.const 80)
      (func (export "plugin_description") (result i32) i32.const 64)
      (func (export "plugin_tools_count") (result i32) i32.const 1)
      (func (export "plugin_tool_name") (param i32) (result i32) i32.const 64)
      (func (export "plugin_tool_description") (param i32) (result i32) i32.const 64)
      (func (export "plugin_tool_execute") (param i32 i32) (result i32)
        (if (i32.eq (i32.load8_u (local.get 1)) (i32.const 33))
          (then (call $proc_exit (i32.const 3))))
        (call $say (i32.const 2) (local.get 1) (i32.const 5))
        (local.get 1)))"""

PLUGIN = assemble(PLUGIN_TEXT)

Ask = Callable[..., Any]


class Bench(Workbench):
    """A workbench, and what its modules wrote."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, str]] = []
        super().__init__(lambda stream, text: self.shown.append((stream, text)))

    def ask(self, method: str, data: bytes | None = None, **params: Any) -> Any:
        """Ask as JavaScript does it."""
        self.shown.clear()
        return json.loads(self.handle(json.dumps({"method": method, "params": params}), data))


@pytest.fixture
def bench(engine: str) -> Bench:
    bench = Bench()
    bench.engine = engine  # type: ignore[attr-defined]
    return bench


def load(bench: Bench, data: bytes, **limits: Any) -> Any:
    return bench.ask("load", data, engine=bench.engine, limits=limits)  # type: ignore[attr-defined]


def paths(bench: Bench) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in bench.ask("files", do="list")["rows"]]


def test_a_command_gets_its_fields(bench: Bench) -> None:
    loaded = load(bench, ECHO)
    assert (loaded["command"], loaded["wasi"], loaded["plugin"]) == (True, True, None)
    assert loaded["error"] is None
    assert loaded["memory"]["pages"] == 1
    fields: dict[str, Any] = {
        "name": "echo.wasm",
        "args": '"a b" c',
        "env": "X=y\n\nZ=",
        "stdin": "Grüße",
    }
    answer = bench.ask("start", **fields)
    assert answer["exit_code"] == 7
    assert answer["error"] is None
    assert answer["fuel"] > 0
    assert bench.shown == [(1, "a b"), (2, "X=y"), (1, "Grüße")]
    # Nothing is kept from one run to the next.
    assert bench.ask("start", **fields)["exit_code"] == 7
    assert len(bench.shown) == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"args": "'open"}, "No closing quotation"),
        ({"env": "A=1\nB"}, "line 2 is not of the form NAME=value"),
        ({"env": "=1"}, "no name of a variable"),
        ({"args": "a\0"}, "U+0000"),
    ],
)
def test_fields_that_are_refused(bench: Bench, fields: Any, message: str) -> None:
    load(bench, ECHO)
    answer = bench.ask("start", name="echo.wasm", **fields)
    assert message in answer["error"]["message"]
    assert answer["exit_code"] is None
    assert bench.shown == []


def test_characters_in_pieces(bench: Bench) -> None:
    load(bench, PIECES)
    assert bench.ask("start")["exit_code"] == 0
    assert bench.shown == [(2, "!"), (1, "é"), (1, "\ufffd")]


@pytest.mark.parametrize(
    ("program", "limits", "reason", "text"),
    [
        (TRAPS, {}, "unreachable", "last"),
        (ENDLESS, {"timeout": 0.2}, "deadline exceeded", "on.."),
        (ENDLESS, {"fuel": 5000}, "out of fuel", "on.."),
    ],
)
def test_output_before_a_trap_is_shown(
    bench: Bench, program: bytes, limits: Any, reason: str, text: str
) -> None:
    load(bench, program, **limits)
    answer = bench.ask("start")
    assert answer["error"]["reason"] == reason
    assert answer["exit_code"] is None
    assert bench.shown == [(1, text)]


def test_what_a_quota_refuses(bench: Bench) -> None:
    megabyte = "(call $say (i32.const 1) (i32.const 0) (i32.const 0x100000))"
    body = f"(drop (memory.grow (i32.const 16))) {megabyte * 17}"
    load(bench, command(body))
    answer = bench.ask("start")
    assert answer["exit_code"] == 0
    assert answer["refused"] == [
        "The playground did not let it write more than 16 MiB to its output streams."
    ]
    assert sum(len(text) for _, text in bench.shown) == 16 * 1024 * 1024
    assert bench.ask("start")["refused"] != []
    load(bench, PIECES)
    assert bench.ask("start")["refused"] == []


def test_the_words_of_the_quotas() -> None:
    words = describe.refused(QUOTAS.__match_args__)
    assert len(words) == len(QUOTAS.__match_args__)
    for name, text in zip(QUOTAS.__match_args__, words, strict=True):
        amount = getattr(QUOTAS, name)
        named = f"{amount // 2**20} MiB" if amount >= 2**20 else f"{amount:,} "
        assert named in text or f"{amount} " in text


def test_a_command_with_an_import_that_is_not_given(bench: Bench) -> None:
    loaded = load(bench, assemble('(module (import "env" "log" (func)) (func (export "_start")))'))
    assert loaded["error"]["type"] == "LinkError"
    assert "env.log" in loaded["error"]["hint"]
    assert not loaded["command"]
    assert "load one first" in bench.ask("start")["error"]["message"]


def test_a_plugin_with_output(bench: Bench) -> None:
    loaded = load(bench, PLUGIN)
    assert (loaded["command"], loaded["wasi"]) == (False, True)
    assert bench.ask("run", tool=0, input="hello")["output"] == "hello"
    assert bench.shown == [(2, "hello")]
    answer = bench.ask("run", tool=0, input="!")
    assert answer["error"]["reason"] == "exited"
    assert "fresh instance" in answer["error"]["hint"]
    assert bench.ask("run", tool=0, input="again")["output"] == "again"


def test_a_program_in_c_writes_lines(bench: Bench) -> None:
    """As to a terminal: what goes to the two streams is in order."""
    load(bench, (ROOT / "fixtures/programs/files_c.wasm").read_bytes())
    bench.ask("files", b"first\n", do="add", path="notes.txt")
    answer = bench.ask("start", name="files_c.wasm", args="/", stdin="one\n")
    assert answer["exit_code"] == 7
    text = "".join(text for _, text in bench.shown)
    assert text.startswith("argument: /\nenvironment: ?\nline 1: one\n")
    assert text.endswith("random: yes\nthe end\n")
    assert "".join(text for stream, text in bench.shown if stream == 2) == "the end\n"
    assert [name for _, name, *_ in paths(bench)] == ["made", "moved.txt"]


def test_files_are_shared_by_all_modules(bench: Bench) -> None:
    assert paths(bench) == []
    load(bench, WRITER)
    assert bench.ask("start")["exit_code"] == 0
    assert paths(bench) == [(0, "made.txt", "file", 4, None)]
    load(bench, PLUGIN)
    assert bench.ask("files", do="read", path="made.txt") == {
        "text": "text",
        "size": 4,
        "cut": False,
    }


def test_output_and_files_in_the_debugger(bench: Bench) -> None:
    load(bench, PLUGIN)
    state = bench.ask("debug", do="open", tool=0, input="hello")
    assert not state["ended"]
    assert bench.ask("debug", do="move", move="run")["output"]["text"] == "hello"
    assert bench.shown == [(2, "hello")]
    for move in ("back run", "run"):
        state = bench.ask("debug", do="move", move=move)
        # What was written before is not written again.
        assert bench.shown == []
    assert state["output"]["text"] == "hello"


def test_a_command_in_the_debugger(bench: Bench) -> None:
    load(bench, WRITER)
    state = bench.ask("debug", do="open", name="writer.wasm")
    assert state["title"] == "_start()"
    assert state["memory"]["start"] == 0
    state = bench.ask("debug", do="move", move="run")
    assert (state["ended"], state["trap"], state["output"]) == (True, False, None)
    assert paths(bench) == [(0, "made.txt", "file", 4, None)]
    load(bench, ECHO)
    bench.ask("debug", do="open", name="echo.wasm", args="abc", env="X=y")
    state = bench.ask("debug", do="move", move="run")
    assert state["trap"]
    assert "exited with code 7" in state["why"]
    assert bench.shown == [(1, "abc"), (2, "X=y")]


# The files alone


@pytest.fixture
def files() -> Bench:
    return Bench()


def test_adding_and_removing(files: Bench) -> None:
    for path, data in (("b.txt", b"two"), ("a/c/d.txt", b"four"), ("b.txt", b"2")):
        assert files.ask("files", data, do="add", path=path) == {}
    assert paths(files) == [
        (0, "a", "directory", 0, None),
        (1, "c", "directory", 0, None),
        (2, "d.txt", "file", 4, None),
        (0, "b.txt", "file", 1, None),
    ]
    assert files.ask("files", do="remove", path="a/c") == {}
    assert [row[1] for row in paths(files)] == ["a", "b.txt"]
    assert files.ask("files", do="clear") == {}
    assert paths(files) == []


@pytest.mark.parametrize(
    ("do", "path", "message"),
    [
        ("add", "a", "there is a directory of that name"),
        ("add", "a/b/c", "a part of the path is no directory"),
        ("add", "../x", "no path of a file"),
        ("add", "", "no path of a file"),
        ("add", "x/" + "y" * 300, "a name is too long"),
        ("read", "missing", "there is no such file"),
        ("read", "a", "there is a directory of that name"),
        ("remove", "a/missing", "there is no such file"),
        ("take", "missing/b", "there is no such file"),
    ],
)
def test_what_is_not_possible(files: Bench, do: str, path: str, message: str) -> None:
    files.ask("files", b"text", do="add", path="a/b")
    data = b"new" if do == "add" else None
    assert message in files.ask("files", data, do=do, path=path)["error"]["message"]
    assert files.ask("files", do="read", path="a/b")["text"] == "text"


def test_there_is_no_room(files: Bench) -> None:
    for path in ("kept", "other"):
        files.ask("files", b"old", do="add", path=path)
    for path in ("kept", "new"):
        answer = files.ask("files", bytes(64 * 1024 * 1024), do="add", path=path)
        assert "there is no room" in answer["error"]["message"]
    assert paths(files) == [(0, "kept", "file", 3, None), (0, "other", "file", 3, None)]


@pytest.mark.parametrize(
    ("data", "text", "cut"),
    [
        (b"", "", False),
        ("Grüße".encode(), "Grüße", False),
        (b"\xff", None, False),
        (b"a\0b", None, False),
        (b"a" * (MOST_BYTES - 1) + "é".encode(), "a" * (MOST_BYTES - 1), True),
        (b"a" * MOST_BYTES + b"\xff", "a" * MOST_BYTES, True),
        (b"a" * (MOST_BYTES - 2) + b"\xe9", None, False),
    ],
)
def test_reading(files: Bench, data: bytes, text: str | None, cut: bool) -> None:
    files.ask("files", data, do="add", path="file")
    answer = files.ask("files", do="read", path="file")
    assert answer == {"text": text, "size": len(data), "cut": cut}
    files.ask("files", do="take", path="file")
    assert files.attached == data


def test_a_zip_of_all(files: Bench) -> None:
    files.ask("files", b"text", do="add", path="a/b.txt")
    assert files.ask("files", do="zip") == {}
    assert files.attached is not None
    with zipfile.ZipFile(io.BytesIO(files.attached)) as archive:
        assert archive.read("a/b.txt") == b"text"
    files.ask("about")
    assert files.attached is None


def test_files_outlast_a_worker(files: Bench) -> None:
    files.ask("files", b"text", do="add", path="a/b.txt")
    files.ask("files", do="list")
    kept = files.attached
    assert kept is not None
    # A copy comes only after a change.
    files.ask("files", do="list")
    assert files.attached is None
    other = Bench()
    other.engine = "translator"  # type: ignore[attr-defined]
    assert other.ask("files", kept, do="restore") == {}
    assert paths(other) == paths(files)
    assert other.attached is None
    load(other, WRITER)
    other.ask("start")
    assert [row[1] for row in paths(other)] == ["a", "b.txt", "made.txt"]


def test_symbolic_links_are_shown_and_not_followed() -> None:
    files = Files()
    content: dict[str, bytes | SymbolicLink] = {"d/file": b"text", "link": SymbolicLink("d/file")}
    files.directory = MemoryDirectory(
        {**content, "up": SymbolicLink("d"), "x": SymbolicLink("z" * 999)}
    )
    rows = {name: (kind, target) for _, name, kind, _, target in files.list()["rows"]}
    assert rows["link"] == ("link", "d/file")
    assert rows["x"] == ("link", "z" * 200)
    for request in ("read", "take"):
        with pytest.raises(PluginError, match="a symbolic link of that name"):
            files.handle(request, path="link")
    with pytest.raises(PluginError, match="no directory"):
        files.handle("add", path="up/new", data=b"")
    files.handle("remove", path="up")
    files.handle("remove", path="link")
    assert files.list()["rows"][:2] == [
        (0, "d", "directory", 0, None),
        (1, "file", "file", 4, None),
    ]


def test_many_files_are_not_all_listed() -> None:
    files = Files()
    for number in range(MOST_ROWS + 5):
        files.add(f"{number}")
    answer = files.list()
    assert len(answer["rows"]) == MOST_ROWS
    assert answer["more"] == 5
    assert answer["files"] == MOST_ROWS + 5


def test_directories_that_are_nested_deep() -> None:
    files = Files()
    files.add("/".join("d" * 3000))
    assert len(files.list()["rows"]) == MOST_DEPTH
    files.remove("d")
    assert files.list()["rows"] == []
