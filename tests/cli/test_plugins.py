"""`purewasm plugins`, and the names of plugins that are found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]
Failure = Callable[..., tuple[int, str]]
FixtureData = Callable[[str], bytes]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, fixture_data: FixtureData, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, with the plugin `my-hello`."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("os.name", "posix")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PUREWASM_PLUGINS", "")
    folder = tmp_path / "config" / "purewasm" / "plugins"
    folder.mkdir(parents=True)
    (folder / "my-hello.wasm").write_bytes(fixture_data("hello"))
    return folder


def test_the_list(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(folder / "my-hello.wasm")
    assert command("plugins", "list").stdout == f"  my-hello  {file}\n"
    entry = {"name": "my-hello", "origin": f"the file '{file}'", "file": file}
    assert json.loads(command("plugins", "list", "--json").stdout) == [entry]
    monkeypatch.setenv("PUREWASM_PLUGINS", "gone")
    result = command("plugins", "list")
    assert result.exit_code == 3
    assert "no package has an entry point of that name" in result.stderr
    assert "my-hello" in result.stdout


def test_a_name_stands_for_a_file(command: Command) -> None:
    result = command("run", "my-hello", "greet", "you")
    assert result.exit_code == 0, result.stderr


def test_a_folder_of_the_command_line(
    command: Command, failure: Failure, tmp_path: Path, fixture_data: FixtureData
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "theirs.wasm").write_bytes(fixture_data("echo"))
    given = "--plugins-dir", str(other)
    assert command(*given, "run", "theirs", "echo", "x").stdout.strip() == "x"
    status, message = failure(*given, "run", "my-hello", "greet", "x")
    assert (status, "no example plugin 'my-hello'" in message) == (3, True)
    status, message = failure(*given, "run", "thiers", "echo", "x")
    assert "did you mean 'theirs'?" in message
    status, message = failure("--plugins-dir", str(tmp_path / "gone"), "plugins", "list")
    assert (status, "Failed to read plugin directory" in message) == (2, True)


@pytest.fixture
def config(tmp_path: Path, fixture_data: FixtureData) -> Path:
    """A manifest with two plugins."""
    for name in ("echo", "imports_wasi"):
        (tmp_path / f"{name}.wasm").write_bytes(fixture_data(name))
    path = tmp_path / "plugins.toml"
    path.write_text(
        "# Mine.\n[plugins.echo]\npath = 'echo.wasm'\ntools.echo.approval = true\n"
        "[plugins.imports_wasi]\npath = 'imports_wasi.wasm'\nlimits.timeout = 2\n"
    )
    return path


def test_locking_and_verifying(command: Command, config: Path, fixture_data: FixtureData) -> None:
    given = "--config", str(config)
    assert command("plugins", "verify", *given).exit_code == 1
    result = command("plugins", "lock", *given)
    assert (result.exit_code, result.stdout.count("(new)")) == (0, 2)
    assert json.loads(config.with_suffix(".lock").read_text())["plugins"].keys() == {
        "echo",
        "imports_wasi",
    }
    assert command("plugins", "lock", *given).stdout.count("(same)") == 2
    assert command("plugins", "verify", *given).exit_code == 0
    (config.parent / "echo.wasm").write_bytes(fixture_data("hello"))
    result = command("plugins", "verify", *given)
    assert (result.exit_code, "was expected" in result.stderr) == (1, True)
    assert result.stdout.startswith("imports_wasi: ")
    assert "(changed)" in command("plugins", "lock", *given).stdout
    config.write_text("[plugins.echo]\npath = 'echo.wasm'\nsha256 = '" + "0" * 64 + "'\n")
    result = command("plugins", "lock", *given)
    assert (result.exit_code, f"{config}:3:" in result.stderr) == (3, True)
    config.write_text("[plugins.gone]\npath = 'gone.wasm'\n")
    assert command("plugins", "lock", *given).exit_code == 3
    assert command("plugins", "verify", *given).exit_code == 1


def test_the_list_of_a_manifest(command: Command, failure: Failure, config: Path) -> None:
    result = command("plugins", "list", "--config", str(config))
    assert result.stdout.splitlines()[0].split() == ["echo", str(config.parent / "echo.wasm")]
    config.write_text("[plugins.a]\nentry_point = 'gone'\n")
    assert command("plugins", "list", "--config", str(config)).exit_code == 3
    status, message = failure("plugins", "list", "--config", str(config.parent))
    assert (status, "Failed to read manifest" in message) == (2, True)


def test_grants_are_listed(command: Command, config: Path) -> None:
    given = "--config", str(config)
    plain = command("plugins", "list", *given).stdout
    text = config.read_text()
    text += "http = { hosts = ['a.example', 'b.example:8'] }\nkv = { path = 'x.db' }\n"
    text += "[plugins.third]\npath = 'third.wasm'\nkv = true\n"
    config.write_text(text)
    words = (
        "requests to a.example, b.example:8 (GET, HEAD, POST)",
        "keeps texts in the file 'x.db', under the name 'imports_wasi'",
        "keeps texts in memory, under the name 'third'",
    )
    assert words[0] not in plain
    rows = json.loads(command("plugins", "list", "--json", *given).stdout)
    assert [row["grants"] for row in rows] == [[], [*words[:2]], [words[2]]]
    assert "requests to" in command("plugins", "list", *given).stdout
    result = command("plugins", "why", "imports_wasi", *given)
    assert all(one in result.stdout for one in words[:2])
    assert "nothing is granted" in result.stdout
    assert not (config.parent / "x.db").exists(), "a store is made where it is used"
    (config.parent / "x.db").mkdir()
    result = command("plugins", "why", "imports_wasi", *given)
    assert (result.exit_code, "cannot be used" in result.stdout) == (1, True)


def test_why(
    command: Command, config: Path, failure: Failure, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = "--config", str(config)
    text = command("plugins", "why", "imports_wasi", *given).stdout
    for words in ("not pinned", "timeout 2", "nothing is granted", "'wasi = true' grants it"):
        assert words in text
    assert "echo: needs approval" in command("plugins", "why", "echo", *given).stdout
    monkeypatch.setenv("HERE", "secret value")
    directory = config.parent / "data"
    directory.mkdir()
    granting = "--dir", f"{directory}::/data:ro", "--env", "A=1", "--secret", "B=HERE"
    assert command("plugins", "grant", "imports_wasi", *granting, *given).exit_code == 0
    text = config.read_text()
    assert text.startswith("# Mine.\n")
    assert '"/data" = { path = "data", read_only = true }' in text
    result = command("plugins", "why", "imports_wasi", *given)
    for words in ("reads the directory 'data' as '/data'", "variable A", "HERE, which is set"):
        assert words in result.stdout
    assert "granted: it is WASI" in result.stdout
    assert (result.exit_code, "secret value" in result.stdout) == (0, False)
    monkeypatch.delenv("HERE")
    result = command("plugins", "why", "imports_wasi", *given)
    assert (result.exit_code, "no variable 'HERE'" in result.stdout) == (1, True)
    command("plugins", "lock", *given)
    (config.parent / "echo.wasm").write_bytes(b"another")
    result = command("plugins", "why", "echo", *given)
    assert (result.exit_code, "was expected" in result.stdout) == (1, True)
    status, message = failure("plugins", "why", "ehco", *given)
    assert (status, "did you mean 'echo'?" in message) == (2, True)


def test_grants(command: Command, config: Path, failure: Failure) -> None:
    grant = "plugins", "grant", "echo", "--config", str(config)
    assert "Nothing is granted" in failure(*grant)[1]
    for secret in ("A", "B=C"):
        assert command(*grant, "--secret", secret).exit_code == 0
    assert config.read_text().count("[plugins.echo.secrets]") == 1
    before = config.read_text()
    status, message = failure(*grant, "--secret", "A=D")
    assert (status, 'by hand: in [plugins.echo.secrets]: A = "D"' in message) == (2, True)
    assert config.read_text() == before
    as_json = config.with_name("p.json")
    as_json.write_text('{"plugins": {"echo": {"path": "echo.wasm"}}}')
    command("plugins", "grant", "echo", "--env", "A=ä", "--config", str(as_json))
    assert json.loads(as_json.read_text())["plugins"]["echo"]["wasi"] == {"env": {"A": "ä"}}


@pytest.mark.parametrize("name", ["plugins.toml", "plugins.json"])
def test_grants_of_capabilities(
    command: Command, config: Path, failure: Failure, name: str
) -> None:
    path = config.with_name(name)
    if name.endswith("json"):
        path.write_text('{"plugins": {"echo": {"path": "echo.wasm"}}}')
    grant = "plugins", "grant", "echo", "--config", str(path)
    given = "--allow-http", "a.example", "--allow-http", "*.b.example:8"
    store = "--kv", str(config.parent / "values.db")
    assert command(*grant, *given, *store).exit_code == 0
    result = command("plugins", "why", "echo", "--config", str(path))
    assert "requests to a.example, *.b.example:8" in result.stdout
    assert "keeps texts in the file 'values.db', under the name 'echo'" in result.stdout
    before = path.read_text()
    for more, key in ((given, "http"), (store, "kv")):
        status, message = failure(*grant, *more)
        assert (status, f"plugins.echo.{key}: it is granted already" in message) == (2, True)
    other = "plugins", "grant", "imports_wasi", "--config", str(config)
    status, message = failure(*other, "--allow-http", "a b")
    assert (status, "is no host" in message) == (2, True)
    assert path.read_text() == before


def test_what_takes_no_grants(command: Command, config: Path, failure: Failure) -> None:
    """A plugin with a policy, and configurations of other programs, stay as they are."""
    policy = config.with_name("echo.policy.yaml")
    policy.write_text("version: '1.0'\n")
    config.write_text("[plugins.echo]\npath = 'echo.wasm'\npolicy = 'echo.policy.yaml'\n")
    theirs = config.with_name("theirs.toml")
    theirs.write_text(f"[plugins.echo]\npath = 'file://{config.parent}/echo.wasm'\n")
    for path, words in ((config, "the policy says it"), (theirs, "unknown key")):
        before = path.read_text()
        given = "--env", "A=1", "--config", str(path)
        status, message = failure("plugins", "grant", "echo", *given)
        assert (status, words in message) == (2, True)
        assert path.read_text() == before
    assert command("plugins", "lock", "--config", str(theirs)).exit_code == 0
    assert command("plugins", "verify", "--config", str(theirs)).exit_code == 0
