"""The transport over standard input and output."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any

import pytest

from purewasm_plugins.mcp import McpServer, ServerLimits, serve_stdio
from tests.conftest import need
from tests.mcp.clients import (
    PATIENCE,
    FunctionTool,
    Gate,
    Json,
    call,
    initialize,
    legacy,
    registry_of,
    request,
)

DISCOVER = request("server/discover")


def line(message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def conversation(server: McpServer, data: bytes) -> list[Json]:
    """Return what the server answers to bytes, of which the last ends the input."""
    target = io.BytesIO()
    serve_stdio(server, io.BytesIO(data), target)
    return [json.loads(one) for one in target.getvalue().splitlines()]


@pytest.fixture
def server() -> McpServer:
    return McpServer(registry_of(FunctionTool("quick")), limits=ServerLimits(message_bytes=1000))


def test_each_message_is_a_line(server: McpServer) -> None:
    data = line(DISCOVER) + b"\n  \r\n" + line(call("quick", id=2)) + line(initialize(id=3))
    answers = conversation(server, data)
    assert {answer["id"] for answer in answers} == {0, 1, 2, 3} - {0}


def test_a_call_that_runs_at_the_end_of_the_input_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("purewasm_plugins.mcp.stdio._GRACE", PATIENCE)
    gate = Gate()
    server = McpServer(registry_of(gate))
    threading.Timer(0.1, gate.open).start()
    answers = conversation(server, line(call("gate")))
    assert answers[0]["result"]["content"][0]["text"] == "opened"


def test_a_call_that_goes_on_after_the_end_of_the_input_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("purewasm_plugins.mcp.stdio._GRACE", 0.05)
    gate = Gate()
    assert conversation(McpServer(registry_of(gate)), line(call("gate"))) == []
    assert gate.opened.is_set()


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 1001 + b"\n",
        b"x" * 1_000_000 + b"\n",
        b" " * 70_000 + line(DISCOVER),
        b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * 70_000 + b'"}\n',
    ],
)
def test_a_line_that_is_too_long_is_refused_and_the_next_one_is_read(
    server: McpServer, data: bytes
) -> None:
    refused, answer = conversation(server, data + line(DISCOVER))
    assert (refused["error"]["code"], "id" in refused) == (-32600, False)
    assert "at most 1000 bytes" in refused["error"]["message"]
    assert answer["result"]


def test_a_line_of_the_longest_length_is_read(server: McpServer) -> None:
    data = line(DISCOVER)
    (answer,) = conversation(server, data[:-1] + b" " * (1000 - len(data) + 1) + b"\n")
    assert answer["result"]


@pytest.mark.parametrize("data", [b"", b"\n", b"x", b"\x00\xff", b'{"jsonrpc"', b"x" * 2000])
def test_an_input_that_ends_in_the_middle(server: McpServer, data: bytes) -> None:
    assert all("error" in answer for answer in conversation(server, data))


def test_a_client_that_listens_too_often_may_still_begin_with_initialize() -> None:
    server = McpServer(registry_of(), limits=ServerLimits(subscriptions=2))
    wishes = {"notifications": {"toolsListChanged": True}}
    listens = [line(request("subscriptions/listen", wishes, id)) for id in range(1, 4)]
    data = b"".join(listens) + line(initialize()) + line(legacy("ping", id=9))
    answers = [answer for answer in conversation(server, data) if "method" not in answer]
    assert [answer.get("error", {}).get("code") for answer in answers] == [-32603, *[None] * 4]
    assert [answer["id"] for answer in answers] == [3, 0, 9, 1, 2]


class Closed(io.RawIOBase):
    """A stream whose reader has gone."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise BrokenPipeError


def test_a_client_that_does_not_read_any_more_ends_the_server() -> None:
    gate = Gate()
    server = McpServer(registry_of(gate))
    source = io.BytesIO(line(call("gate")) + line(DISCOVER) * 1000)
    serve_stdio(server, source, Closed())  # type: ignore[arg-type]
    assert source.tell() < len(source.getvalue())


def test_an_earlier_client_is_told_of_changes_without_asking() -> None:
    read, write = os.pipe()
    target = io.BytesIO()

    def change(cancellation: object) -> str:
        changing.tools_changed()
        return "changed"

    changing = McpServer(registry_of(FunctionTool("change", change)))
    with open(read, "rb") as source, open(write, "wb", buffering=0) as sink:
        thread = threading.Thread(target=serve_stdio, args=(changing, source, target))
        thread.start()
        sink.write(line(initialize()) + line(legacy("tools/call", {"name": "change"})))
        sink.close()
        thread.join(PATIENCE)
    methods = [json.loads(one).get("method") for one in target.getvalue().splitlines()]
    assert methods == [None, "notifications/tools/list_changed", None]


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the command, whose streams a test has."""
    need("click", "rich")
    command = [sys.executable, "-m", "purewasm_plugins", "mcp", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as started:
        try:
            yield started
        finally:
            started.kill()


def ask(stdin: IO[bytes], stdout: IO[bytes], message: Json) -> Json:
    stdin.write(line(message))
    stdin.flush()
    answer: Json = json.loads(stdout.readline())
    return answer


def test_a_process_serves_and_ends_with_its_input() -> None:
    with process("echo", "no_such_plugin") as started:
        assert started.stdin is not None
        assert started.stdout is not None
        answer = ask(started.stdin, started.stdout, call("echo", {"input": "hällo"}))
        assert answer["result"]["content"][0]["text"] == "hällo"
        answer = ask(started.stdin, started.stdout, request("tools/list"))
        assert [tool["name"] for tool in answer["result"]["tools"]] == ["echo"]
        rest, errors = started.communicate(timeout=PATIENCE)
        assert (started.returncode, rest) == (0, b"")
        assert b"no_such_plugin" in errors
