"""`purewasm mcp`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from purewasm_plugins import example
from purewasm_plugins.tools.call_log import FIELDS
from tests.cli.conftest import FIXTURES
from tests.conftest import heed_interrupts, need
from tests.mcp.clients import PATIENCE, Browser, Json, call, initialize, legacy, request

if TYPE_CHECKING:
    from click.testing import Result

Command = Callable[..., "Result"]


def answers(result: Result) -> list[Json]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def lines(*messages: Json) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def names(result: Result) -> list[str]:
    (answer,) = answers(result)
    return [tool["name"] for tool in answer["result"]["tools"]]


LIST = lines(request("tools/list"))


def test_standard_output_has_messages_alone(command: Command) -> None:
    arguments = (
        "mcp",
        "echo",
        str(FIXTURES / "plugins" / "wasi_starter" / "shout_c.wasm"),
        "--wasi",
    )
    result = command(*arguments, input=lines(call("shout", {"input": "hello"})))
    assert (result.exit_code, result.stderr) == (0, "")
    assert answers(result)[0]["result"]["content"][0]["text"] == "HELLO! (5)"


def test_a_directory_of_directories(command: Command, tmp_path: Path) -> None:
    for number, name in enumerate(("shout_c", "shout_rust")):
        (tmp_path / str(number)).mkdir()
        shutil.copy(example(name), tmp_path / str(number) / "plugin.wasm")
    found = names(command("mcp", str(tmp_path), input=LIST))
    assert found == ["shout_c_shout", "shout_rust_shout"]
    shutil.copy(example("echo"), tmp_path)
    assert names(command("mcp", str(tmp_path), input=LIST)) == ["echo"]


def test_plugins_that_cannot_be_served_are_reported(command: Command, tmp_path: Path) -> None:
    again = tmp_path / "again.wasm"
    shutil.copy(example("echo"), again)
    arguments = ("mcp", "echo", "no_such", "missing_execute", str(again))
    result = command(*arguments, input=LIST)
    assert (result.exit_code, names(result)) == (0, ["echo"])
    first, second, third = result.stderr.splitlines()
    assert "no example plugin 'no_such'" in first
    assert "Missing required export" in second
    assert third == f"purewasm: {again}: there is a plugin 'echo' already: {example('echo')}"


def test_where_there_is_no_plugin_nothing_is_served(command: Command) -> None:
    result = command("mcp", "missing_execute", input=LIST)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.splitlines()[-1] == "purewasm: there is no plugin to serve"


def test_a_manifest(command: Command, tmp_path: Path) -> None:
    """With its prefix, hints and hidden tools; plugins of the line are served, too."""
    shutil.copy(example("c_json"), tmp_path / "json.wasm")
    manifest = tmp_path / "plugins.toml"
    text = """[plugins.c_json]
        path = "json.wasm"
        prefix = "my_"
        tools.json_pretty = {read_only = true, title = "Lay out JSON"}
        tools.json_compact = {hidden = true}
        tools.json_sort_keys = {hidden = true}
    """
    manifest.write_text(f"{text}[plugins.gone]\npath = 'gone.wasm'\n")
    result = command("mcp", "echo", "--config", str(manifest), input=LIST)
    (answer,) = answers(result)
    first, *others = answer["result"]["tools"]
    assert (first["name"], first["title"]) == ("my_json_pretty", "Lay out JSON")
    assert first["annotations"] == {"readOnlyHint": True, "title": "Lay out JSON"}
    assert [tool["name"] for tool in others] == ["my_json_summary", "echo"]
    assert "gone.wasm" in result.stderr
    manifest.write_text("plugin = 1")
    result = command("mcp", "--config", str(manifest))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean 'plugins'?" in result.stderr


def test_plugins_that_are_found(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUREWASM_PLUGINS", "")
    shutil.copy(example("echo"), tmp_path / "a.wasm")
    (tmp_path / "b.wasm").write_bytes(b"broken")
    result = command("--plugins-dir", str(tmp_path), "mcp", input=LIST)
    assert names(result) == ["echo"]
    assert "b.wasm" in result.stderr


def test_clients_are_told_of_changes(tmp_path: Path) -> None:
    """A new file becomes a plugin, and a client that began with `initialize` hears of it."""
    need("click", "rich")
    shutil.copy(example("echo"), tmp_path / "echo.wasm")
    command = "-m", "purewasm_plugins", "--plugins-dir", str(tmp_path), "mcp", "--watch"
    process = subprocess.Popen(
        [sys.executable, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PUREWASM_PLUGINS": ""},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        started = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        process.stdin.write(lines(initialize(), started))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"]
        shutil.copy(example("shout_c"), tmp_path / "shout.wasm")
        told = json.loads(process.stdout.readline())
        assert told["method"] == "notifications/tools/list_changed"
        process.stdin.write(lines(legacy("tools/list")))
        process.stdin.close()
        listed = json.loads(process.stdout.readline())["result"]["tools"]
        assert [tool["name"] for tool in listed] == ["echo", "shout"]
    assert process.returncode == 0


def test_limits(command: Command) -> None:
    result = command(
        "mcp", "loop_forever", "--fuel", "1000", input=lines(call("loop", {"input": ""}))
    )
    assert "out of fuel" in answers(result)[0]["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--http", "x"), "is not HOST:PORT"),
        (("--http", "127.0.0.1:99999"), "is not HOST:PORT"),
        (("--http", "::1:80"), "is not HOST:PORT"),
        (("--http", "0.0.0.0:0"), "--token: it is needed"),
        (("--http", "127.0.0.1:0", "--token", ""), "printable ASCII"),
        (("--http", "no.such.host.invalid:0", "--token", "x"), "no.such.host.invalid:0: "),
    ],
)
def test_wrong_addresses(
    failure: Callable[..., tuple[int, str]], arguments: tuple[str, ...], words: str
) -> None:
    status, message = failure("mcp", "echo", *arguments)
    assert status == 2
    assert words in message


@contextlib.contextmanager
def started(*arguments: str, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A process that serves over HTTP, and the address that it prints."""
    need("click", "rich")
    process = subprocess.Popen(
        [sys.executable, "-m", "purewasm_plugins", "mcp", *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **variables},
        preexec_fn=heed_interrupts,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        match = re.fullmatch(r"The server is at (\S+) \(Ctrl-C ends it\)\n", line)
        assert match is not None, line
        yield process, match[1]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="interrupts are those of POSIX")
def test_http_until_an_interrupt() -> None:
    with started("echo", "--http", "0", PUREWASM_MCP_TOKEN="secret") as (process, url):
        browser = Browser(url)
        assert browser.modern(call("echo", {"input": "x"})).status == 401
        answer = browser.modern(call("echo", {"input": "x"}), {"Authorization": "Bearer secret"})
        assert answer.json()["result"]["content"][0]["text"] == "x"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("arguments", "found"),
    [((), -32021), (("ask",), -32021), (("always",), False), (("never",), True)],
)
def test_calls_that_need_approval(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], found: object
) -> None:
    manifest = tmp_path / "plugins.toml"
    path = example("echo").as_posix()
    manifest.write_text(f'plugins.echo = {{ path = "{path}", tools.echo.approval = true }}')
    options = [part for argument in arguments for part in ("--approve", argument)]
    message = call("echo", {"input": "x"})
    result = command("mcp", "--config", str(manifest), *options, input=lines(message))
    (answer,) = answers(result)
    assert (answer["error"]["code"] if "error" in answer else answer["result"]["isError"]) == found


def test_a_log_of_calls(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    for _ in range(2):
        message = call("echo", {"input": "a secret"})
        assert command("mcp", "echo", "--log-calls", str(file), input=lines(message)).exit_code == 0
    assert "secret" not in file.read_text()
    first, second = map(json.loads, file.read_text().splitlines())
    assert first["time"] < second["time"]
    assert (first["tool"], first["plugin"], first["outcome"]) == ("echo", "echo", "success")
    assert first.keys() == second.keys() == {"time", *FIELDS}
    assert command("mcp", "echo", "--log-calls", str(tmp_path / "no" / "file")).exit_code == 2
