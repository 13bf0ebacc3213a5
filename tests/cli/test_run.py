"""`purewasm run`: the tool's output and nothing else; every failure one line and a status."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]
Fail = Callable[..., tuple[int, str]]
PathOf = Callable[[str], str]


def test_prints_the_output_as_it_is(command: Command, path: PathOf) -> None:
    result = command("run", path("echo"), "echo", "hello")
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, b"hello", "")


@pytest.mark.parametrize(
    ("arguments", "data", "output"),
    [
        (("echo", "-"), b"a\nb\n", b"a\nb\n"),
        (("echo",), b"piped", b"piped"),
        (("echo",), b"", b""),
        (("echo", ""), b"not read", b""),
        (("0", "by index"), b"", b"by index"),
        (("echo", "grüß 世界 \U0001f980"), b"", "grüß 世界 \U0001f980".encode()),
        (("echo", "-"), "ünicode".encode(), "ünicode".encode()),
        (("echo", "--", "-x"), b"", b"-x"),
        (("echo", "[bold]x[/bold] \x1b[1m"), b"", b"[bold]x[/bold] \x1b[1m"),
        (("echo", "-"), b"x" * 500_000, b"x" * 500_000),
    ],
)
def test_inputs(
    command: Command, path: PathOf, arguments: tuple[str, ...], data: bytes, output: bytes
) -> None:
    result = command("run", path("echo"), *arguments, input=data)
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, output, "")


def test_a_name_goes_before_an_index(command: Command, tmp_path: Path, path: PathOf) -> None:
    data = Path(path("echo")).read_bytes()
    file = tmp_path / "renamed.wasm"
    file.write_bytes(data.replace(b"echo\0", b"7\0\0\0\0"))
    result = command("run", str(file), "7", "x")
    assert (result.exit_code, result.stdout) == (0, "x")


@pytest.mark.parametrize(
    ("arguments", "data", "status", "message"),
    [
        (("nope", "x"), b"", 4, "the plugin has no such tool; it has: echo"),
        (("--", "-1", "x"), b"", 4, "there is no tool -1"),
        (("-1", "x"), b"", 2, "No such option"),
        (("1", "x"), b"", 4, "there is no tool 1"),
        (("99999999999999999999", "x"), b"", 4, "no such tool"),
        (("echo", "a\0b"), b"", 4, "U+0000 at character 1"),
        (("echo", "-"), b"a\0b", 4, "U+0000 at character 1"),
        (("echo", "-"), b"a\xffb", 2, "standard input is not UTF-8: byte 1 is 0xff"),
        (("echo",), b"\xff", 2, "standard input is not UTF-8: byte 0"),
        (("echo", "a\udcffb"), b"", 4, "lone surrogate, U+DCFF"),
        (("echo", "a", "b"), b"", 2, "unexpected extra argument"),
        ((), b"", 2, "Missing argument 'TOOL'"),
        (("echo", "x", "--engine", "nope"), b"", 2, "there is no engine 'nope'"),
        (("echo", "x", "--timeout", "nan"), b"", 2, "not a number of seconds"),
        (("echo", "x", "--timeout", "-1"), b"", 2, "not a number of seconds"),
        (("echo", "x", "--fuel", "1.5"), b"", 2, "not a number of units"),
        (("echo", "x", "--limit-memory", "64 parsecs"), b"", 2, "a size such as 64MiB"),
        (("echo", "x", "--limit-memory", "-1"), b"", 2, "a size such as 64MiB"),
    ],
)
def test_bad_arguments_and_inputs(
    failure: Fail,
    path: PathOf,
    arguments: tuple[str, ...],
    data: bytes,
    status: int,
    message: str,
) -> None:
    got, line = failure("run", path("echo"), *arguments, input=data)
    assert got == status
    assert message in line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello, world", "magic header not detected"),
        (b"\0asm\x0d\0\x01\0", "this is a component, not a core module"),
        (b"\0asm\x02\0\0\0", "unknown binary version"),
        (None, "No such file or directory"),
    ],
)
@pytest.mark.parametrize("name", ["run", "inspect", "tools", "disassemble", "translate"])
def test_files_that_are_no_modules(
    failure: Fail, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    file = tmp_path / "file.wasm"
    if content is not None:
        file.write_bytes(content)
    rest = ["echo", "x"] if name == "run" else []
    status, line = failure(name, str(file), *rest)
    assert status == 3
    assert message in line
    assert str(file) in line


@pytest.mark.parametrize("name", ["run", "inspect", "tools", "check", "disassemble"])
def test_paths_that_cannot_be_read(failure: Fail, tmp_path: Path, name: str) -> None:
    rest = ["echo", "x"] if name == "run" else []
    for file in (str(tmp_path / "no\x1b[31m" / "x"), "", "a\0b", "echo.wasm"):
        status, line = failure(name, file, *rest)
        assert status == 3
        assert "Failed to read plugin" in line


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("c_jsn", "there is no file and no example plugin 'c_jsn'; did you mean 'c_json'?"),
        ("xyz", "no example plugin 'xyz'; 'purewasm examples' lists the latter"),
    ],
)
def test_no_such_example(failure: Fail, name: str, message: str) -> None:
    status, line = failure("run", name, "echo", "x")
    assert status == 3
    assert message in line


def test_an_example_by_name(
    command: Command, path: PathOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("run", "c_json", "json_compact", "[ 1 ]").stdout == "[1]"
    (tmp_path / "c_json").write_bytes(Path(path("echo")).read_bytes())
    assert command("run", "c_json", "echo", "the file is meant").stdout == "the file is meant"


@pytest.mark.parametrize("name", ["run", "inspect", "disassemble"])
def test_a_directory(failure: Fail, tmp_path: Path, path: PathOf, name: str) -> None:
    rest = ["echo", "x"] if name == "run" else []
    status, line = failure(name, str(tmp_path), *rest)
    assert status == 3
    assert line == f"the directory '{tmp_path}' has no .wasm files"
    file = tmp_path / "a.wasm"
    file.write_bytes(Path(path("echo")).read_bytes())
    status, line = failure(name, str(tmp_path), *rest)
    assert status == 3
    assert line == (f"'{tmp_path}' is a directory, with 1 .wasm file: name one, for example {file}")


def test_truncated_anywhere(failure: Fail, tmp_path: Path, path: PathOf) -> None:
    data = Path(path("hello")).read_bytes()
    file = tmp_path / "cut.wasm"
    for size in range(0, len(data) - 1, 23):
        file.write_bytes(data[:size])
        assert failure("run", str(file), "greet", "x")[0] == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("invalid", "type mismatch"),
        ("no_exports", "Missing required export 'plugin_name'"),
        ("wrong_type", "expected () -> (i32), got (i32) -> (i32)"),
        ("empty_version", "version is empty"),
        ("wrong_abi", "version 2 of the plugin ABI"),
        ("imports_host", "import 'log' from module 'env'"),
        ("trap_on_load", "Tool execution failed for 'plugin_name': unreachable"),
        ("start_traps", "Failed to instantiate plugin: unreachable"),
        ("huge_count", "1000000 tools"),
        ("negative_count", "-1 tools"),
        ("four_gigabytes", "the module asks for 65536 memory pages"),
    ],
)
def test_plugins_that_cannot_be_loaded(
    failure: Fail, path: PathOf, name: str, message: str
) -> None:
    status, line = failure("run", path(name), "0", "x")
    assert status == 3
    assert message in line


@pytest.mark.parametrize(
    ("name", "options", "status", "message"),
    [
        ("loop_forever", ["--timeout", "0.05"], 4, "deadline exceeded"),
        ("loop_forever", ["--fuel", "1_000"], 4, "out of fuel"),
        ("loop_forever", ["--timeout", "none", "--fuel", "1000"], 4, "out of fuel"),
        ("start_endless", ["--timeout", "0.05"], 3, "deadline exceeded"),
        ("recurse_forever", [], 4, "call stack exhausted"),
        ("trap_unreachable", [], 4, "unreachable in innermost"),
        ("echo", ["--limit-memory", "1"], 4, "the limit is 1"),
        ("echo", ["--limit-memory", "100KiB"], 4, "the limit is 1"),
        ("echo", ["--limit-memory", "0"], 3, "limit is 0"),
        ("unterminated", [], 4, "no terminating zero byte"),
        ("bad_pointer", [], 4, "past the end of memory"),
    ],
)
def test_limits_and_failing_tools(
    failure: Fail, path: PathOf, name: str, options: list[str], status: int, message: str
) -> None:
    got, line = failure("run", path(name), "0", "x", *options)
    assert got == status
    assert message in line


@pytest.mark.parametrize("size", ["none", "16", "1MiB", "1 mib", "1048576kb", "1gb"])
def test_limits_that_suffice(command: Command, path: PathOf, size: str) -> None:
    options = ("--limit-memory", size, "--timeout", "none", "--fuel", "none")
    result = command("run", path("echo"), "echo", "x", *options)
    assert (result.exit_code, result.stdout) == (0, "x")


def test_the_backtrace_is_for_who_asks(command: Command, path: PathOf) -> None:
    plain = command("run", path("trap_unreachable"), "0", "x")
    assert "middle" not in plain.stderr
    result = command("run", path("trap_unreachable"), "0", "x", "--backtrace")
    assert result.exit_code == 4
    names = [line.split()[1] for line in result.stderr.splitlines()[1:]]
    assert names == ["innermost", "middle", "outermost", "plugin_tool_execute"]


@pytest.mark.parametrize("engine", ["pywasm", "translator"])
def test_engines_by_name(command: Command, path: PathOf, engine: str) -> None:
    result = command("run", path("echo"), "echo", "x", "--engine", engine)
    assert (result.exit_code, result.stdout) == (0, "x")


LEVENSHTEIN = '{"a":"kitten","b":"sitting"}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there are none; for example '{"),
        ("kitten", "not JSON: Expecting value"),
        ("[1]", "they must be a JSON object; for example '{"),
        ('{"a":"kitten"}', "arguments must have ['b']"),
        ('{"a":1,"b":"x"}', "arguments.a"),
    ],
)
def test_arguments_that_the_schema_forbids(failure: Fail, text: str, message: str) -> None:
    status, line = failure("run", "zig_text", "levenshtein", text)
    assert status == 4
    assert line.startswith("Invalid arguments for tool 'levenshtein'")
    assert message in line


def test_arguments_that_the_schema_allows(command: Command) -> None:
    assert command("run", "zig_text", "levenshtein", LEVENSHTEIN).stdout == "3"
    spaced = LEVENSHTEIN.replace(":", " : ")
    assert command("run", "zig_text", "0", input=spaced.encode()).stdout == "3"


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ("json_prety", "the plugin has no such tool; did you mean json_pretty?"),
        ("xyz", "the plugin has no such tool; it has: json_pretty, json_compact, json_sort_keys"),
    ],
)
def test_a_misspelt_tool(failure: Fail, tool: str, message: str) -> None:
    status, line = failure("run", "c_json", tool, "{}")
    assert status == 4
    assert message in line


def test_an_input_file(command: Command, failure: Fail, path: PathOf, tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes("größe\n".encode())
    echo = ("run", path("echo"), "echo")
    assert command(*echo, "--input-file", str(file), input=b"no").stdout == "größe\n"
    assert command(*echo, "--input-file", "-", input=b"piped").stdout == "piped"
    file.write_bytes(b"a\xff")
    for arguments, message in (
        (("--input-file", str(file)), "is not UTF-8: byte 1 is 0xff"),
        (("--input-file", str(tmp_path / "no")), "No such file or directory"),
        (("--input-file", str(tmp_path)), "Is a directory"),
        (("text", "--input-file", str(file)), "INPUT and --input-file exclude each other"),
    ):
        status, line = failure(*echo, *arguments)
        assert status == 2
        assert message in line


def test_as_json(command: Command, path: PathOf) -> None:
    result = command("run", path("echo"), "0", "größe", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.isascii()
    assert json.loads(result.stdout) == {
        "plugin": "echo",
        "tool": "echo",
        "success": True,
        "output": "größe",
        "error": None,
        "backtrace": [],
    }
    result = command("run", path("trap_unreachable"), "0", "x", "--json")
    assert (result.exit_code, result.stderr) == (4, "")
    outcome = json.loads(result.stdout)
    assert outcome["success"] is False
    assert outcome["output"] == ""
    assert "unreachable" in outcome["error"]
    assert [line.split()[1] for line in outcome["backtrace"]][:2] == ["innermost", "middle"]
    result = command("run", path("echo"), "nope", "x", "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["tool"] == "nope"


@pytest.mark.parametrize(
    ("name", "options", "advice"),
    [
        ("loop_forever", ("--timeout", "0.05"), "deadline exceeded"),
        ("loop_forever", ("--fuel", "1000"), "out of fuel"),
        ("echo", ("--limit-memory", "1"), "there is no room for the input"),
        ("echo", ("--limit-memory", "0"), "limit is 0"),
        ("start_endless", ("--fuel", "1000"), "out of fuel"),
    ],
)
def test_a_limit_names_its_option(
    failure: Fail, path: PathOf, name: str, options: tuple[str, ...], advice: str
) -> None:
    _, line = failure("run", path(name), "0", "x", *options)
    assert advice in line
    assert line.endswith(f"; {options[0]} raises the limit")


def test_a_cache(command: Command, path: PathOf, tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    for _ in range(2):
        result = command("run", path("echo"), "echo", "x", "--cache-dir", str(directory))
        assert (result.exit_code, result.stdout) == (0, "x")
    assert list(directory.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="files have no such modes there")
def test_a_cache_that_others_may_write_to(failure: Fail, path: PathOf, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    status, line = failure("run", path("echo"), "echo", "x", "--cache-dir", str(tmp_path))
    assert status == 2
    assert "writable by others" in line


def test_a_cache_for_every_run(
    command: Command, path: PathOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUREWASM_CACHE", str(tmp_path / "cache"))
    assert command("run", path("echo"), "echo", "x").stdout == "x"
    assert (tmp_path / "cache").is_dir()
