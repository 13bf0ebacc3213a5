"""What the commands grant beside WASI."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.capabilities.conftest import caller_of
from tests.capabilities.server import serving

Command = Callable[..., Result]


@pytest.fixture
def reader(tmp_path: Path) -> str:
    path = tmp_path / "reader.wasm"
    path.write_bytes(caller_of("config_get"))
    return str(path)


def test_configuration(command: Command, reader: str) -> None:
    result = command("run", "--set", "unit=°C", "--set", "empty=", reader, "0", "unit")
    assert (result.exit_code, result.output) == (0, "°C")
    assert command("run", reader, "0", "unit").output == "(none)"
    assert command("run", "--set", "a=b=c", reader, "0", "a").output == "b=c"
    assert command("check", "--set", "unit=°C", reader).exit_code == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [("unit", "'unit' is not KEY=VALUE"), ("=x", "'=x' is not KEY=VALUE"), ("a=\0", "no text")],
)
def test_what_is_no_configuration(command: Command, reader: str, given: str, words: str) -> None:
    result = command("run", "--set", given, reader, "0", "unit")
    assert result.exit_code == 2
    assert words in result.stderr


def test_http(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "asker.wasm"
    path.write_bytes(caller_of("http_request"))
    with serving() as server:
        asked = f"GET|http://{server.host}/||"
        result = command("run", "--allow-http", server.host, str(path), "0", asked)
        assert result.output.endswith("\n\nhi")
        assert command("run", str(path), "0", asked).output == "!HTTP was not granted"
    result = command("run", "--allow-http", "http://x/", str(path), "0", "")
    assert result.exit_code == 2
    assert "'http://x/' is no host" in result.stderr


def test_store(command: Command, tmp_path: Path) -> None:
    """Plugins have their keys apart, by the names of their files."""
    for name, function in (("one", "kv_set"), ("two", "kv_list")):
        (tmp_path / f"{name}.wasm").write_bytes(caller_of(function))
    one, two = str(tmp_path / "one.wasm"), str(tmp_path / "two.wasm")
    file = str(tmp_path / "values.db")
    assert command("run", "--kv", file, one, "0", "a|1").output == "(none)"
    assert command("run", "--kv", file, two, "0", "").output == "="
    (tmp_path / "one.wasm").write_bytes(caller_of("kv_list"))
    assert command("run", "--kv", file, one, "0", "").output == "=a"
    result = command("run", "--kv", str(tmp_path), one, "0", "")
    assert result.exit_code == 2
    assert "cannot be used" in result.stderr
