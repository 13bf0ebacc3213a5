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
from tests.cli.conftest import FIXTURES
from tests.conftest import heed_interrupts, need
from tests.mcp.clients import PATIENCE, Browser, Json, call, request

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
    assert third == f"purewasm: {again}: there is a plugin 'echo' already: echo"


def test_where_there_is_no_plugin_nothing_is_served(command: Command) -> None:
    result = command("mcp", "missing_execute", input=LIST)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.splitlines()[-1] == "purewasm: there is no plugin to serve"


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
