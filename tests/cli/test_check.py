"""`purewasm check`: a line for each check, the fixes, and an exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]
PathOf = Callable[[str], str]


def test_a_plugin_that_keeps_the_abi(command: Command, path: PathOf) -> None:
    result = command("check", path("echo"))
    assert (result.exit_code, result.stderr) == (0, "")
    *lines, blank, summary = result.stdout.splitlines()
    assert all(line.startswith("pass     ") for line in lines)
    assert blank == ""
    assert summary.startswith(f"{len(lines)} checks: {len(lines)} passed, 0 warnings, 0 failed;")
    assert summary.endswith("it keeps the plugin ABI v1")
    assert "pass     export plugin_name              () -> (i32)" in lines


@pytest.mark.parametrize(
    ("name", "status", "line", "fix"),
    [
        ("unusual_names", 0, "warning  tool 0 name", "use letters"),
        ("fixed_memory", 0, "warning  tool 0 input", "export an allocator"),
        ("no_exports", 1, "fail     export plugin_name", "const char *plugin_name(void)"),
        ("overwrites_input", 1, "fail     tool 0 input", "export an allocator"),
        ("imports_wasi", 1, "fail     imports", "WASI"),
        ("wrong_abi", 1, "fail     ABI version", "return 1"),
        ("trap_division", 1, "fail     tool 0 runs", "return a message for an input"),
        ("invalid", 1, "fail     module", "build it again"),
        ("start_traps", 1, "fail     instantiation", "remove the trap"),
    ],
)
def test_what_is_wrong_and_how_to_fix_it(
    command: Command, path: PathOf, name: str, status: int, line: str, fix: str
) -> None:
    result = command("check", path(name))
    assert (result.exit_code, result.stderr) == (status, "")
    lines = result.stdout.splitlines()
    at = next(index for index, text in enumerate(lines) if text.startswith(line))
    assert fix in lines[at + 1]
    assert lines[at + 1].startswith("         ")
    assert ("it keeps" if status == 0 else "it does not keep") in lines[-1]


def test_as_json(command: Command, path: PathOf) -> None:
    result = command("check", path("duplicate_tools"), "--json")
    assert result.exit_code == 1
    (report,) = json.loads(result.stdout)
    assert report["file"] == path("duplicate_tools")
    assert report["passed"] is False
    checks = report["checks"]
    assert [check["name"] for check in checks if check["status"] == "fail"] == ["tool 1 name"]
    assert set(checks[0]) == {"name", "status", "details", "fix"}


def test_limits_reach_the_plugin(command: Command, path: PathOf) -> None:
    result = command("check", path("loop_forever"), "--timeout", "0.05")
    assert result.exit_code == 1
    assert "deadline exceeded" in result.stdout
    assert "out of fuel" in command("check", path("loop_forever"), "--fuel", "1000").stdout
    assert "limit is 0" in command("check", path("echo"), "--limit-memory", "0").stdout


def test_files_that_are_no_modules(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "file.wasm"
    for content, fix in ((b"", "build it again"), (b"\0asm\x0d\0\x01\0", "build a core module")):
        file.write_bytes(content)
        result = command("check", str(file))
        assert (result.exit_code, result.stderr) == (1, "")
        assert fix in result.stdout


def test_several_files_and_a_directory(command: Command, path: PathOf, tmp_path: Path) -> None:
    for name in ("hello", "echo"):
        (tmp_path / f"{name}.wasm").write_bytes(Path(path(name)).read_bytes())
    result = command("check", path("wrong_abi"), str(tmp_path))
    assert (result.exit_code, result.stderr) == (1, "")
    headings = [line for line in result.stdout.splitlines() if line.endswith(".wasm")]
    assert headings == [
        path("wrong_abi"),
        str(tmp_path / "echo.wasm"),
        str(tmp_path / "hello.wasm"),
    ]
    assert result.stdout.count("it keeps") == 2
    report = json.loads(command("check", path("echo"), path("wrong_abi"), "--json").stdout)
    assert [entry["passed"] for entry in report] == [True, False]


@pytest.mark.parametrize(
    ("names", "summary"),
    [
        (("echo", "no_exports"), "2 files: 1 keeps the plugin ABI v1"),
        (("echo", "hello", "no_exports"), "3 files: 2 keep the plugin ABI v1"),
        (("no_exports", "no_exports"), "2 files: 0 keep the plugin ABI v1"),
    ],
)
def test_the_summary_of_several_files(
    command: Command, path: PathOf, names: tuple[str, ...], summary: str
) -> None:
    assert command("check", *map(path, names)).stdout.splitlines()[-1] == summary


def test_the_summary_counts_files_that_cannot_be_read(command: Command, path: PathOf) -> None:
    result = command("check", path("echo"), "no such file")
    assert result.exit_code == 3
    assert result.stdout.splitlines()[-1] == "2 files: 1 keeps the plugin ABI v1"


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    command: Command, path: PathOf, tmp_path: Path
) -> None:
    result = command("check", "no.wasm", str(tmp_path), path("wrong_abi"), path("echo"))
    assert result.exit_code == 3
    assert "it keeps" in result.stdout
    assert "it does not keep" in result.stdout
    assert result.stderr.splitlines() == [
        f"purewasm: the directory '{tmp_path}' has no .wasm files",
        "purewasm: Failed to read plugin 'no.wasm': No such file or directory",
    ]


#: A tool with a schema that traps on the empty input.
STRICT = """(module (memory (export "memory") 1)
  (data (i32.const 16) "strict\\00")
  (data (i32.const 32) "{schema}\\00")
  (func (export "plugin_name") (result i32) i32.const 16)
  (func (export "plugin_version") (result i32) i32.const 16)
  (func (export "plugin_description") (result i32) i32.const 16)
  (func (export "plugin_tools_count") (result i32) i32.const 1)
  (func (export "plugin_tool_name") (param i32) (result i32) i32.const 16)
  (func (export "plugin_tool_description") (param i32) (result i32) i32.const 16)
  (func (export "plugin_tool_schema") (param i32) (result i32) i32.const 32)
  (func (export "plugin_tool_execute") (param i32 i32) (result i32)
    local.get 1 i32.load8_u i32.eqz
    if unreachable end
    local.get 1))"""


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ('{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}', "pass     "),
        (
            '{"type":"object","required":["a"],"properties":{"a":{"pattern":"^x$"}}}',
            "warning  tool 0 runs                     not run: its schema allows none",
        ),
    ],
)
def test_a_tool_gets_only_what_its_schema_allows(
    command: Command, wat: Callable[[str], bytes], tmp_path: Path, schema: str, line: str
) -> None:
    text = STRICT.replace("{schema}", schema.replace('"', '\\"'))
    file = tmp_path / "strict.wasm"
    file.write_bytes(wat(text))
    result = command("check", str(file))
    assert result.exit_code == 0, result.stdout
    (runs,) = [text for text in result.stdout.splitlines() if " tool 0 runs" in text]
    assert runs.startswith(line)
    assert 'on ""' not in runs
