"""`--wasi`, `--dir` and `--env` of the commands that run plugins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from purewasm_plugins.cli.wasi import plugin_wasi
from tests.cli.test_process import on_a_terminal
from tests.conftest import ROOT, assemble

Command = Callable[..., Result]
Failing = Callable[..., tuple[int, str]]

STARTERS = ROOT / "fixtures/plugins/wasi_starter"
SHOUT = str(STARTERS / "shout_c.wasm")

#: The end of the sentence about an import that WASI gives.
ADVICE = "; wasi=True gives it (on the command line: --wasi)"

#: A plugin whose tool answers with the first variable of its environment, and writes to both
#: streams; loading it writes, too.
SPEAKER = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "speaker\\00")
  (data (i32.const 32) "out\\n")
  (data (i32.const 40) "\\1b[31m\\n")
  (data (i32.const 64) "\\20\\00\\00\\00\\04\\00\\00\\00")
  (data (i32.const 80) "\\28\\00\\00\\00\\06\\00\\00\\00")
  (func $text (result i32) (i32.const 16))
  (func $of (param i32) (result i32) (i32.const 16))
  (export "plugin_name" (func $text)) (export "plugin_version" (func $text))
  (export "plugin_description" (func $text)) (export "plugin_tool_name" (func $of))
  (export "plugin_tool_description" (func $of))
  (func (export "plugin_tools_count") (result i32) (i32.const 1))
  (func (export "plugin_tool_execute") (param i32 i32) (result i32)
    (drop (call $fd_write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 96)))
    (drop (call $fd_write (i32.const 2) (i32.const 80) (i32.const 1) (i32.const 96)))
    (if (i32.eqz (call $prestat (i32.const 3) (i32.const 200)))
      (then (return (i32.const 32))))
    (drop (call $environ_get (i32.const 128) (i32.const 256)))
    (i32.const 256)))"""


@pytest.fixture
def speaker(tmp_path: Path) -> str:
    """The path of that plugin."""
    path = tmp_path / "speaker.wasm"
    path.write_bytes(assemble(SPEAKER))
    return str(path)


def test_run(command: Command, speaker: str, tmp_path: Path) -> None:
    """Standard output has what the tool answers, and nothing else."""
    result = command("run", "--wasi", speaker, "speaker", "x")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "out\n\x1b[31m\n")
    result = command("run", "--env", "A=good day", speaker, "speaker", "x")
    assert (result.stdout, result.stderr) == ("A=good day", "out\n\x1b[31m\n")
    result = command("run", "--dir", f"{tmp_path}::/x", speaker, "speaker", "x")
    assert result.stdout == "out\n"


@pytest.mark.parametrize("language", ["c", "cpp", "rust", "assemblyscript"])
def test_a_plugin_of_each_language(command: Command, failure: Failing, language: str) -> None:
    path = str(STARTERS / f"shout_{language}.wasm")
    result = command("run", "--wasi", path, "shout", "hi")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "HI! (2)", "shouting 2 bytes\n")
    status, message = failure("run", path, "shout", "hi")
    assert status == 3
    assert message.endswith(ADVICE)


def test_other_commands(command: Command, speaker: str) -> None:
    for arguments in (
        ("trace", "--wasi", speaker, "speaker", "x", "--calls"),
        ("coverage", "--wasi", speaker, "speaker", "x", "--json"),
    ):
        result = command(*arguments)
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout
        assert result.stderr.startswith("out\n\x1b[31m\n")
    for name, *rest in (("tools",), ("inspect",), ("call", "plugin_tools_count")):
        result = command(name, "--wasi", speaker, *rest)
        assert (result.exit_code, result.stderr) == (0, "")
    result = command("call", "--env", "A=b", speaker, "plugin_tool_execute", "0", "0")
    assert (result.stdout, result.stderr) == ("256\n", "out\n\x1b[31m\n")


def test_what_lacks_wasi_is_advised(command: Command, failure: Failing, speaker: str) -> None:
    for arguments in (
        ("run", speaker, "speaker"),
        ("trace", speaker, "speaker"),
        ("coverage", speaker, "speaker"),
        ("debug", speaker, "speaker"),
        ("tools", speaker),
        ("call", speaker, "plugin_tools_count"),
    ):
        status, message = failure(*arguments)
        assert status == 3
        assert message.endswith(ADVICE)
    assert ADVICE in command("inspect", speaker).stdout


def test_other_imports_are_not_advised(failure: Failing) -> None:
    status, message = failure("run", "imports_host", "greet")
    assert (status, "wasi" in message) == (3, False)


def test_check(command: Command, speaker: str) -> None:
    def imports(*options: str) -> dict[str, str]:
        (report,) = json.loads(command("check", *options, speaker, "--json").stdout)
        return next(check for check in report["checks"] if check["name"] == "imports")

    found = imports()
    assert found["status"] == "fail"
    assert found["details"].startswith("not given: wasi_snapshot_preview1.fd_write")
    assert found["fix"].splitlines()[0] == (
        "give it WASI: --wasi on the command line, wasi=True in Python"
    )
    found = imports("--wasi")
    assert (found["status"], found["details"]) == ("pass", "3, all given: 3 by WASI")
    result = command("check", "--wasi", speaker)
    assert (result.exit_code, result.stderr) == (0, "")
    # What the plugin writes is not printed.
    assert "out\n" not in result.stdout


def test_check_of_other_imports(command: Command) -> None:
    result = command("check", "--wasi", "imports_host", "--json")
    (report,) = json.loads(result.stdout)
    found = next(check for check in report["checks"] if check["name"] == "imports")
    assert (found["status"], found["details"]) == ("fail", "not given: env.log")
    assert "WASI" not in found["fix"]


def test_a_program_is_no_plugin(command: Command, failure: Failing) -> None:
    for options in ((), ("--wasi",)):
        status, message = failure("run", *options, "count_c", "x")
        assert status == 3
        assert message.endswith("; it is a program, and 'purewasm exec' runs it")
    assert "it is a program: 'purewasm exec' runs it" in command("inspect", "count_c").stdout


def test_what_each_option_grants(tmp_path: Path) -> None:
    assert plugin_wasi(False, (), (), shown=True) is None
    for given, env in ((True, ()), (False, (("A", "b"),))):
        wasi = plugin_wasi(given, (), env, shown=False)
        assert wasi is not None
        assert (wasi.clock, wasi.random, wasi.stdout, wasi.env) == (
            *("host", "host", "capture"),
            dict(env),
        )


def test_a_terminal_gets_escapes(speaker: str) -> None:
    assert on_a_terminal("run", "--wasi", speaker, "speaker", "x") == "out\n\\x1b[31m\n\n"
