"""The plugins of `fixtures/plugins/capabilities`, in two languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from purewasm_plugins import Http, KeyValueStore, ToolFailedError, WasmPlugin
from purewasm_plugins.plugin.conformance import check
from tests.capabilities.server import saying, serving
from tests.conftest import ROOT

EXAMPLES = ROOT / "fixtures/plugins/capabilities"


@pytest.mark.parametrize("language", ["c", "rust"])
def test_fetch(engine: str, language: str, tmp_path: Path) -> None:
    with serving() as server:
        server.script = saying("HTTP/1.1 200 OK\r\n\r\n", "A page, °C".encode())
        plugin = WasmPlugin.load(
            EXAMPLES / f"fetch_{language}.wasm",
            engine=engine,
            config={"base": f"http://{server.host}"},
            http=Http(hosts=(server.host,)),
            kv=KeyValueStore(tmp_path / "pages.db", namespace="fetch"),
        )
        for _ in range(3):
            assert plugin.execute_tool("fetch", "/page") == "A page, °C"
        (request,) = server.requests
        assert request.startswith("GET /page HTTP/1.1\r\n")
        assert "Accept: text/plain\r\n" in request
        server.script = saying("HTTP/1.1 404 Not Found\r\n\r\n")
        with pytest.raises(ToolFailedError, match="no text that was found"):
            plugin.execute_tool("fetch", "/missing")
        assert plugin.execute_tool("fetch", "/page") == "A page, °C"


@pytest.mark.parametrize("language", ["c", "rust"])
def test_fetch_without_grants(engine: str, language: str) -> None:
    """It loads, and says what it lacks."""
    path = EXAMPLES / f"fetch_{language}.wasm"
    plugin = WasmPlugin.load(path, engine=engine)
    with pytest.raises(ToolFailedError, match="HTTP was not granted"):
        plugin.execute_tool("fetch", "http://127.0.0.1/")


@pytest.mark.parametrize("language", ["c", "rust"])
def test_fetch_keeps_the_abi(language: str) -> None:
    found = check((EXAMPLES / f"fetch_{language}.wasm").read_bytes())
    assert all(item.passed for item in found)
