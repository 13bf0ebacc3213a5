"""Completion in the shell: plugins, tools, engines, functions, exports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, ShellComplete

from purewasm_plugins import examples
from purewasm_plugins.cli.application import purewasm

PathOf = Callable[[str], str]


def offered(*words: str) -> list[str]:
    """The values that complete the last of the words of a command line."""
    *arguments, incomplete = words
    shell = ShellComplete(purewasm, {}, "purewasm", "_PUREWASM_COMPLETE")
    return [item.value for item in shell.get_completions(arguments, incomplete)]


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("r",), ["run"]),
        (("with",), ["with-wasmtime"]),
        (("run", "c_j"), ["c_json"]),
        (("debug", "buggy"), ["buggy_shout"]),
        (("tools", "c_json", "zig"), ["zig_text"]),
        (("run", "c_json", "json_p"), ["json_pretty"]),
        (("trace", "buggy_shout", ""), ["shout"]),
        (("coverage", "buggy_shout", "s"), ["shout"]),
        (("debug", "zig_text", "le"), ["levenshtein"]),
        (("run", "no.wasm", ""), []),
        (("run", "missing_execute", ""), []),
        (("run", "c_json", "json_pretty", "--engine", ""), ["translator", "pywasm"]),
        (("run", "c_json", "json_pretty", "--engine", "py"), ["pywasm"]),
        (("disassemble", "buggy_shout", "--function", "cap"), ["capital"]),
        (("translate", "buggy_shout", "--function", "plugin_v"), ["plugin_version"]),
        (("trace", "buggy_shout", "shout", "--function", "cap"), ["capital"]),
        (("call", "echo", "plugin_tool_d"), ["plugin_tool_description"]),
        (("call", "no.wasm", "x"), []),
        (("tools", "--format", "o"), ["openai", "openai-responses", "ollama"]),
        (("exec", "c"), ["count_c"]),
        (("exec", "--env", "PUREWASM_CA"), ["PUREWASM_CACHE"]),
        (("run", "--wasi", "imports_wasi", ""), ["echo"]),
    ],
)
def test_what_is_offered(words: tuple[str, ...], values: list[str]) -> None:
    assert offered(*words) == values


def test_files_and_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: PathOf) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "else.wasm").write_bytes(Path(path("echo")).read_bytes())
    (tmp_path / "echoes").mkdir()
    (tmp_path / "ec.txt").touch()
    assert offered("run", "e") == ["echo", "echoes/", "else.wasm"]
    assert offered("run", "") == [*examples(), "echoes/", "else.wasm"]
    assert offered("run", "else.wasm", "") == ["echo"]
    # The shell completes the names of files by itself.
    shell = BashComplete(purewasm, {}, "purewasm", "_PUREWASM_COMPLETE")
    (item,) = shell.get_completions(["run"], "./e")
    assert (item.type, item.value) == ("file", "./e")
    for words, kind in (
        (["exec"], "file"),
        (["exec", "count_c"], "file"),
        (["exec", "--stdin"], "file"),
        (["exec", "--dir"], "dir"),
        (["run", "--dir"], "dir"),
    ):
        (item,) = shell.get_completions(words, "./e")
        assert (item.type, item.value) == (kind, "./e")


def test_names_that_a_shell_would_act_on_are_not_offered(path: PathOf) -> None:
    assert offered("run", path("unusual_names"), "") == []


def test_a_plugin_that_does_not_end(path: PathOf) -> None:
    assert offered("run", path("endless_on_load"), "") == []
