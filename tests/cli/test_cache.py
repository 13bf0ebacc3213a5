"""The cache of the command: on by default, bounded, shown and cleared, and never a failure."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from purewasm_plugins.engine.translator import source
from tests.cli.conftest import run_process

Command = Callable[..., Result]
Fail = Callable[..., tuple[int, str]]
PathOf = Callable[[str], str]

posix = pytest.mark.skipif(os.name == "nt", reason="files have no such modes there")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory without a cache, and an environment that does not choose one."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    for name in ("PUREWASM_CACHE", "PUREWASM_CACHE_SIZE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("LOCALAPPDATA", str(folder))
    monkeypatch.setattr("sys.platform", "linux")
    return folder


def kept(home: Path) -> list[Path]:
    return [*home.rglob("*.code")]


#: A command line of each command that keeps something, without its file.
KEEPING = [
    ("run", "echo", "x"),
    ("call", "plugin_tools_count"),
    ("tools",),
    ("check",),
    ("inspect",),
    ("trace", "echo", "x", "--calls"),
    ("coverage", "echo", "x"),
]


@pytest.mark.parametrize("line", KEEPING, ids=lambda line: line[0])
def test_it_is_on_by_default(
    command: Command, path: PathOf, home: Path, line: tuple[str, ...]
) -> None:
    name, *rest = line
    first = command(name, path("echo"), *rest)
    assert kept(home)
    second = command(name, path("echo"), *rest)
    assert second.exit_code == first.exit_code == 0
    assert second.stderr == first.stderr
    assert second.stdout == first.stdout


def test_nothing_is_translated_twice(
    command: Command, path: PathOf, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("run", path("echo"), "echo", "x").stdout == "x"
    monkeypatch.setattr(source, "compiled", None)
    monkeypatch.setattr("purewasm_plugins.module.load", None)
    assert command("run", path("echo"), "echo", "x").stdout == "x"


@pytest.mark.parametrize("name", ["run", "call", "tools", "check", "inspect", "debug", "trace"])
def test_every_command_has_the_options(command: Command, name: str) -> None:
    help = command(name, "--help").stdout
    assert "--no-cache" in help
    assert "--cache-dir" in help


@posix
def test_directories_are_made_for_the_owner(command: Command, path: PathOf, home: Path) -> None:
    umask = os.umask(0o002)
    try:
        assert command("run", path("echo"), "echo", "x").stdout == "x"
    finally:
        os.umask(umask)
    for folder in (home / ".cache", home / ".cache" / "purewasm"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(entry.stat().st_mode) for entry in kept(home)} == {0o600}


@pytest.mark.parametrize("off", ["option", "variable"])
def test_turning_it_off(
    command: Command, path: PathOf, home: Path, off: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--no-cache"] if off == "option" else []
    if off == "variable":
        monkeypatch.setenv("PUREWASM_CACHE", "")
    assert command("run", path("echo"), "echo", "x", *options).stdout == "x"
    assert not [*home.iterdir()]


def test_another_directory(
    command: Command, path: PathOf, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option goes before the variable, and `--no-cache` before both."""
    option, variable = home / "option", home / "variable"
    monkeypatch.setenv("PUREWASM_CACHE", str(variable))
    line = ("run", path("echo"), "echo", "x")
    command(*line, "--cache-dir", str(option), "--no-cache")
    assert not kept(home)
    command(*line, "--cache-dir", str(option))
    assert kept(option)
    assert not variable.exists()
    command(*line)
    assert kept(variable)
    assert not (home / ".cache").exists()


@posix
@pytest.mark.parametrize("writable", ["home", "home/.cache", "home/.cache/purewasm"])
def test_a_directory_that_others_may_write_to(
    command: Command, path: PathOf, home: Path, writable: str
) -> None:
    command("run", path("echo"), "echo", "x")
    before = kept(home)
    (home.parent / writable).chmod(0o777)
    result = command("run", path("c_json/json.wasm"), "json_compact", "[1, 2]")
    assert (result.exit_code, result.stdout) == (0, "[1,2]")
    (line,) = result.stderr.splitlines()
    assert "writable by others: running without a cache" in line
    assert kept(home) == before
    assert not command("run", path("echo"), "echo", "x", "--no-cache").stderr


@posix
def test_the_home_of_another_user(command: Command, path: PathOf, home: Path) -> None:
    """As `sudo` may leave it."""
    if os.getuid() != 0:
        pytest.skip("only root can give a directory away")
    os.chown(home, 12345, 12345)
    result = command("run", path("echo"), "echo", "x")
    assert (result.exit_code, result.stdout) == (0, "x")
    assert "owned by another user: running without a cache" in result.stderr


def unusable() -> dict[str, Callable[[Path, pytest.MonkeyPatch], object]]:
    """Return what keeps the user's own directory from being made."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(30, "Read-only file system")

    return {
        "no home": lambda home, patch: patch.setattr(os.path, "expanduser", lambda path: path),
        "read-only": lambda home, patch: patch.setattr(os, "mkdir", refuse),
        "a file in its place": lambda home, patch: (home / ".cache").write_text("mine"),
        "no such home": lambda home, patch: patch.setenv("HOME", "/dev/null/me"),
    }


@posix
@pytest.mark.parametrize("why", unusable())
def test_a_directory_that_cannot_be_made(
    command: Command, path: PathOf, home: Path, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unusable()[why](home, monkeypatch)
    result = command("run", path("echo"), "echo", "x")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "x", "")


def test_damaged_entries(command: Command, path: PathOf, home: Path) -> None:
    line = ("run", path("echo"), "echo", "x")
    command(*line)
    for content in (b"", b"junk", bytes(1000)):
        for entry in kept(home):
            entry.write_bytes(content)
        result = command(*line)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "x", "")
    assert all(entry.stat().st_size for entry in kept(home))


def test_a_bound_that_is_no_size(
    command: Command, path: PathOf, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUREWASM_CACHE_SIZE", "much")
    result = command("run", path("echo"), "echo", "x")
    assert (result.exit_code, result.stdout) == (0, "x")
    assert "PUREWASM_CACHE_SIZE is no size" in result.stderr


def test_a_small_bound(
    command: Command, path: PathOf, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUREWASM_CACHE_SIZE", "64KiB")
    for name in ("echo", "hello", "c_json/json.wasm", "c_csv/csv.wasm", "zig_text/text.wasm"):
        assert command("tools", path(name)).exit_code == 0
    assert 0 < json.loads(command("cache", "--json").stdout)["size"] <= 64 * 1024


def test_showing_and_clearing(command: Command, path: PathOf, home: Path) -> None:
    command("run", path("echo"), "echo", "x")
    shown = json.loads(command("cache", "--json").stdout)
    directory = os.path.realpath(home / ".cache" / "purewasm")
    assert shown == {"directory": directory, "entries": 2, "size": 8192, "bound": 256 << 20}
    text = command("cache").stdout
    assert [line.split(None, 1)[1] for line in text.splitlines()] == [
        directory,
        "2",
        "0.0 MiB",
        "256.0 MiB",
    ]
    cleared = json.loads(command("cache", "clear", "--json").stdout)
    assert cleared == {"directory": directory, "removed": 2, "size": 8192, "bound": 256 << 20}
    assert not kept(home)
    assert command("cache", "clear").stdout.splitlines()[1].split() == ["removed", "0"]
    assert command("run", path("echo"), "echo", "x").stdout == "x"


def test_showing_what_there_is_not(
    failure: Fail, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failure("cache", "empty")[0] == 2
    file = home / "file"
    file.write_text("mine")
    assert failure("cache", "--cache-dir", str(file))[0] == 2
    monkeypatch.setenv("PUREWASM_CACHE", "")
    assert failure("cache") == (2, "there is no cache directory: the cache is off")


def test_two_processes(path: PathOf, home: Path) -> None:
    for _ in range(2):
        done = run_process("run", path("zig_text/text.wasm"), "sort_lines", '{"text": "b\\na"}')
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == ["a", "b"]
    assert len(kept(home)) == 2
