"""What clients, plugins and manifests do wrong: the server says so, and serves the next call."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from purewasm_plugins import assemble
from purewasm_plugins.mcp import McpServer
from tests.conftest import need
from tests.mcp.clients import PATIENCE, Browser, Json, call, plugins, request, served
from tests.plugin.conftest import PARTS

NUMBER = '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}'
WISHES = {"notifications": {"toolsListChanged": True}}


def plugin(name: str, *, export: str = "", schema: str = "") -> bytes:
    """Return a plugin whose one tool, `tool`, returns its input, and may lie of its schema."""
    parts = {**PARTS, "data": PARTS["data"].replace("built", name)}
    if export:
        escaped = schema.replace('"', "\\22")
        parts["extra"] = f"""(data (i32.const 4096) "{escaped}\\00")
            (func (export "{export}") (param i32) (result i32) i32.const 4096)"""
    return assemble("(module " + "\n".join(parts.values()) + ")")


def line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def serve(config: Path, data: bytes) -> tuple[dict[object, Json], list[str]]:
    """Run the command on a manifest; return its answers by their ids, and what it reports."""
    need("click", "rich")
    done = subprocess.run(
        [sys.executable, "-m", "purewasm_plugins", "mcp", "--config", str(config)],
        input=data,
        capture_output=True,
        timeout=PATIENCE * 2,
        check=True,
    )
    answers = [json.loads(one) for one in done.stdout.splitlines()]
    return {one.get("id"): one for one in answers if "method" not in one}, (
        done.stderr.decode().splitlines()
    )


def manifest(folder: Path, *entries: tuple[str, bytes, str]) -> Path:
    """Write plugins and a manifest of them, each with its prefix."""
    text = ""
    for name, data, prefix in entries:
        (folder / f"{name}.wasm").write_bytes(data)
        text += f"[plugins.{name}]\npath = '{name}.wasm'\nprefix = '{prefix}'\n"
    path = folder / "plugins.toml"
    path.write_text(text)
    return path


def test_plugins_that_lie_in_their_schemas(tmp_path: Path) -> None:
    """A schema that is none keeps its plugin out; an output that does not fit is an error."""
    path = manifest(
        tmp_path,
        ("liar", plugin("liar", export="plugin_tool_output_schema", schema=NUMBER), "a_"),
        ("none", plugin("none", export="plugin_tool_schema", schema='{"type": "objekt"}'), "b_"),
        ("text", plugin("text", export="plugin_tool_schema", schema="no JSON"), "c_"),
        ("honest", plugin("honest"), "d_"),
    )
    data = line(request("tools/list", id=1)) + line(call("a_tool", {"input": "[]"}, id=2))
    data += line(call("a_tool", {"input": '{"n": 1}'}, id=3))
    data += line(call("d_tool", {"input": "x"}, id=4))
    answers, reports = serve(path, data)
    assert [tool["name"] for tool in answers[1]["result"]["tools"]] == ["a_tool", "d_tool"]
    lied = answers[2]["result"]
    assert (lied["isError"], "structuredContent" in lied) == (True, False)
    assert "output must be of type 'object'" in lied["content"][-1]["text"]
    assert answers[3]["result"]["structuredContent"] == {"n": 1}
    assert answers[4]["result"]["content"][0]["text"] == "x"
    assert [("none" in one, "text" in one) for one in reports].count((False, False)) == 0
    assert len(reports) == 2


def test_prefixes_that_collide_and_go_round(tmp_path: Path) -> None:
    """Two give one name, and the name that tells them apart is that of a third."""
    path = manifest(
        tmp_path,
        ("a", plugin("a"), "b_"),
        ("b", plugin("b"), "b_"),
        ("c", plugin("c"), "a_b_"),
        ("d", plugin("d"), "{plugin}_{plugin}_"),
    )
    data = line(request("tools/list", id=1)) + line(call("d_d_tool", {"input": "x"}, id=2))
    answers, reports = serve(path, data)
    names = [tool["name"] for tool in answers[1]["result"]["tools"]]
    assert names == ["a_b_tool", "b_b_tool", "d_d_tool"]
    assert answers[2]["result"]["isError"] is False
    (report,) = reports
    assert "c.wasm" in report
    assert "a_b_tool" in report


def test_a_client_that_sends_too_much(tmp_path: Path) -> None:
    """Lines of a megabyte and of five, a thousand subscriptions, no JSON; it ends in the middle."""
    path = manifest(tmp_path, ("honest", plugin("honest"), ""))
    data = b"x" * 1_000_000 + b"\n" + b" " * 5_000_000 + b"\n"
    data += line(call("tool", {"input": "y" * 1_000_000}, id="large"))
    data += b"".join(line(request("subscriptions/listen", WISHES, id)) for id in range(1000))
    data += line(request("tools/call", {"name": "tool", "arguments": '{"input": '}, "text"))
    data += line(call("tool", {"input": "x"}, id="last")) + b'{"jsonrpc": "2.0", "id": "half"'
    answers, reports = serve(path, data)
    codes = [answers[id].get("error", {}).get("code") for id in range(1000)]
    assert codes == [None] * 64 + [-32603] * 936
    assert answers["large"]["result"]["content"][0]["text"] == "y" * 1_000_000
    assert answers["text"]["error"]["code"] == -32602
    assert answers["last"]["result"]["content"][0]["text"] == "x"
    assert "half" not in answers
    assert reports == []


def test_a_thousand_subscriptions_over_http() -> None:
    """More connections than there may be are closed, and calls go on once there is room."""
    with served(McpServer(plugins("echo"))) as web, contextlib.ExitStack() as opened:
        host, _, port = Browser(web.url).address.rpartition(":")
        body = line(request("subscriptions/listen", WISHES))
        head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += "Accept: application/json, text/event-stream\r\n"
        head += "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\n"
        data = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        answered = 0
        for _ in range(1000):
            with contextlib.suppress(OSError):
                client = opened.enter_context(socket.create_connection((host, int(port)), PATIENCE))
                client.sendall(data)
                answered += client.recv(12) == b"HTTP/1.1 200"
        assert answered >= 64
        opened.close()
        assert eventually_serves(Browser(web.url))


def eventually_serves(browser: Browser) -> bool:
    """Tell whether a call is answered, once the server has seen that connections are closed."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            answer = browser.modern(call("echo", {"input": "x"}))
            return bool(answer.json()["result"]["content"][0]["text"] == "x")
        time.sleep(0.01)
    return False


def test_two_servers_on_one_port() -> None:
    with served(McpServer(plugins("echo"))) as web:
        address = Browser(web.url).address
        need("click", "rich")
        done = subprocess.run(
            [sys.executable, "-m", "purewasm_plugins", "mcp", "echo", "--http", address],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.strip() == f"purewasm: {address}: Address already in use"
        answer = Browser(web.url).modern(call("echo", {"input": "x"})).json()
        assert answer["result"]["content"][0]["text"] == "x"


if sys.platform == "win32":
    pytestmark = pytest.mark.skip(reason="the messages of the system are those of POSIX")
