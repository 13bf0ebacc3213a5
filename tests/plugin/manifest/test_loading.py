"""Managers made from manifests: hashes, lock files, sources, what agents get."""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import HTTPRedirectHandler

import pytest

from purewasm_plugins import (
    Decision,
    DuplicatePluginError,
    PluginFileError,
    PluginOptions,
    ToolCall,
    ToolPolicy,
    ToolRegistry,
    ToolSettings,
    WasmPlugin,
    WasmPluginManager,
)
from purewasm_plugins.plugin.manifest import ManifestError, PluginHashError, sources
from purewasm_plugins.plugin.manifest.lock import Locked, lock_text
from purewasm_plugins.tools.formats import MCP

Write = Callable[..., Path]
FixtureData = Callable[[str], bytes]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_plugins_of_a_manifest(write: Write) -> None:
    """Those that fail are reported, or the first of them is raised."""
    text = """
        [plugins.echo]
        path = "echo.wasm"
        limits.timeout = 5
        [plugins.gone]
        path = "gone.wasm"
        [plugins.hallo]
        path = "hello.wasm"
        [plugins.with_schema]
        path = "with_schema.wasm"
        tools.serach.hidden = true
        [plugins.imports_wasi]
        path = "imports_wasi.wasm"
    """
    manager = WasmPluginManager(PluginOptions(engine="pywasm"))
    report = manager.load_manifest(write(text))
    assert [plugin.name for plugin in report.loaded] == ["echo"]
    assert report.loaded[0].limits.timeout == 5
    assert report.loaded[0].options.engine == "pywasm"
    assert [str(error).split(": ", 1)[1] for _, error in report.failed[1:3]] == [
        "plugins.hallo: the plugin's own name is 'hello', and must be the key",
        "plugins.with_schema.tools.serach: the plugin has no such tool; did you mean 'search'?",
    ]
    assert "wasi" in str(report.failed[3][1])
    with pytest.raises(PluginFileError):
        WasmPluginManager.from_manifest(write(text))
    manager = WasmPluginManager.from_manifest(
        write("plugins.imports_wasi = {path = 'imports_wasi.wasm', wasi = true}")
    )
    assert manager.execute_tool("imports_wasi", "echo", "x") == "x"
    report = manager.load_manifest(
        write("plugins.imports_wasi = {path='imports_wasi.wasm', wasi=true}")
    )
    assert isinstance(report.failed[0][1], DuplicatePluginError)


def test_another_byte_is_refused(write: Write, tmp_path: Path, fixture_data: FixtureData) -> None:
    """Before anything of it runs: the file is not even decoded."""
    file = tmp_path / "echo.wasm"
    expected = sha256(file)
    path = write(f"plugins.echo = {{path = 'echo.wasm', sha256 = '{expected}'}}")
    manager = WasmPluginManager.from_manifest(path)
    with manager.watch(interval=None) as watch:
        file.write_bytes(fixture_data("echo") + b"\0")
        (change,) = watch.check()
    assert isinstance(change.error, PluginHashError)
    assert manager.execute_tool("echo", "echo", "x") == "x", "the old one stays"
    with pytest.raises(PluginHashError) as raised:
        WasmPluginManager.from_manifest(path)
    error = raised.value
    assert (error.path, error.expected, error.found) == (str(file), expected, sha256(file))
    assert f"sha256 {expected} was expected" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_another_plugin_in_the_file_is_refused(
    write: Write, tmp_path: Path, fixture_data: FixtureData
) -> None:
    """Also after loading: a tool that needs approval does not come back under another name."""
    path = write("""
        [plugins.with_schema]
        path = "with_schema.wasm"
        tools.search.approval = true
    """)
    manager, registry = WasmPluginManager.from_manifest(path), ToolRegistry()
    manager.register_all(registry)
    before = list(registry)
    file = tmp_path / "with_schema.wasm"
    renamed = fixture_data("with_schema").replace(b"search", b"Search")
    for data, words in ((renamed, "has no such tool"), (fixture_data("hello"), "must be the key")):
        file.write_bytes(data)
        with pytest.raises(ManifestError, match=words):
            manager.reload("with_schema", registry=registry)
        assert (list(registry), [*manager.files]) == (before, ["with_schema"])


def test_a_lock_file(write: Write, tmp_path: Path) -> None:
    path = write("plugins.echo = {path = 'echo.wasm'}")
    lock = tmp_path / "plugins.lock"
    known = sha256(tmp_path / "echo.wasm")

    def load(**locked: Locked) -> WasmPluginManager:
        lock.write_text(lock_text(locked))
        return WasmPluginManager.from_manifest(path)

    assert "echo" in load(echo=Locked("path echo.wasm", known))
    with pytest.raises(PluginHashError):
        load(echo=Locked("path echo.wasm", "0" * 64))
    with pytest.raises(
        ManifestError, match=r"plugins.toml:1: plugins.echo: the lock file does not"
    ):
        load()
    with pytest.raises(ManifestError, match=r"with the source path other.wasm"):
        load(echo=Locked("path other.wasm", known))
    path = write(f"plugins.echo = {{path = 'echo.wasm', sha256 = '{known}'}}")
    with pytest.raises(ManifestError, match=r"plugins.echo.sha256: the lock file has another one"):
        load(echo=Locked("path echo.wasm", "0" * 64))
    for text, key in (
        ("{}", "version"),
        ('{"version": 2}', "version"),
        ('{"version": 1, "plugins": {"echo": {"sha256": "x"}}}', "plugins.echo.sha256"),
        ('{"version": 1, "plugin": {}}', "plugin"),
        ("no JSON", ""),
    ):
        lock.write_text(text)
        with pytest.raises(ManifestError) as raised:
            WasmPluginManager.from_manifest(path)
        assert (raised.value.file, raised.value.key) == (str(lock), key)


def test_what_agents_get(write: Write) -> None:
    path = write("""
        [plugins.with_schema]
        path = "with_schema.wasm"
        prefix = "{plugin}."
        tools.search = {approval = true, read_only = true, title = "Search"}
        tools.resize = {hidden = true}
    """)
    registry = ToolRegistry(approve=lambda request: Decision.ONCE)
    manager = WasmPluginManager.from_manifest(path)
    assert manager.register_all(registry, prefix="my.").failed == ()
    (definition,) = registry.definitions()
    assert definition.name == "my.with_schema.search"
    assert definition.requires_approval
    (entry,) = MCP(registry).tools()
    assert entry["annotations"] == {"readOnlyHint": True, "title": "Search"}
    assert registry.execute(ToolCall(definition.name, {"query": "x"})).success
    unasked = ToolRegistry()
    manager.register_all(unasked)
    assert not unasked.execute(ToolCall("with_schema.search", {"query": "x"})).success
    assert manager.execute_tool("with_schema", "resize", "{}"), "the program itself may"


def test_prefixes_that_make_one_name(write: Write) -> None:
    """The second plugin is refused, and no other; a prefix is not expanded again."""
    path = write("""
        [plugins.hello]
        path = "hello.wasm"
        prefix = "e"
        [plugins.echo]
        path = "echo.wasm"
        prefix = "{{plugin}}"
    """)
    manager, registry = WasmPluginManager.from_manifest(path), ToolRegistry()
    registry.register_all(
        WasmPlugin.load(path.with_name("hello.wasm")).registrable_tools(prefix="e")
    )
    report = manager.register_all(registry)
    assert [plugin.name for plugin, _ in report.failed] == ["hello"]
    assert list(registry) == ["egreet", "{echo}echo"]


def test_a_policy_of_a_program(fixture_data: FixtureData) -> None:
    """It survives a reload, and pickling."""
    options = PluginOptions(policy=ToolPolicy("a_", {"echo": ToolSettings(requires_approval=True)}))
    plugin = WasmPlugin.load_from_bytes(fixture_data("echo"), options, engine="pywasm")
    for one in (plugin, pickle.loads(pickle.dumps(plugin))):
        (tool,) = one.registrable_tools()
        assert (tool.definition.name, tool.definition.requires_approval) == ("a_echo", True)
        assert tool.renamed("b").definition.requires_approval


def test_a_plugin_reads_its_configuration(
    write: Write, wat: Callable[[str], bytes], plugin_text: Callable[..., str]
) -> None:
    path = write("[plugins.built]\npath = 'built.wasm'\nconfig.a = 'x'\nsecrets.b = 'HERE'\n")
    text = plugin_text(
        imports='(import "purewasm" "config_get" (func $get (param i32) (result i32)))',
        plugin_tool_execute="""(func (export "plugin_tool_execute") (param i32 i32) (result i32)
          local.get 1 call $get)""",
        extra="""(global $next (mut i32) (i32.const 4096))
          (func (export "plugin_alloc") (param i32) (result i32)
            global.get $next global.get $next local.get 0 i32.add global.set $next)
          (func (export "plugin_free") (param i32))""",
    )
    path.with_name("built.wasm").write_bytes(wat(text))
    manager = WasmPluginManager.from_manifest(path, environ={"HERE": "a secret"})
    assert manager.execute_tool("built", 0, "a") == "x"
    assert manager.execute_tool("built", 0, "b") == "a secret"
    assert "a secret" not in repr(manager.files)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("os.name", "posix")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "purewasm" / "fetched"


def test_an_address(
    write: Write, fixture_data: FixtureData, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is fetched once, and what is kept is checked again."""
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return fixture_data("echo")

    monkeypatch.setattr(sources, "fetch", fetch)
    expected = hashlib.sha256(fixture_data("echo")).hexdigest()
    path = write(f"[plugins.echo]\nurl = 'https://a.example/e.wasm'\nsha256 = '{expected}'")
    for _ in range(2):
        manager = WasmPluginManager.from_manifest(path)
        assert manager.execute_tool("echo", "echo", "x") == "x"
    assert fetched == ["https://a.example/e.wasm"]
    (cache / f"{expected}.wasm").write_bytes(fixture_data("hello"))
    with pytest.raises(PluginHashError):
        WasmPluginManager.from_manifest(path)
    path = write(f"[plugins.echo]\nurl = 'https://a.example/e.wasm'\nsha256 = '{'0' * 64}'")
    with pytest.raises(PluginHashError, match=r"https://a\.example/e\.wasm"):
        WasmPluginManager.from_manifest(path)
    assert [file.name for file in cache.iterdir()] == [f"{expected}.wasm"]


def test_an_address_whose_file_cannot_be_kept(
    write: Write, fixture_data: FixtureData, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left of it."""
    data = fixture_data("echo")
    monkeypatch.setattr(sources, "fetch", lambda url: data)
    cache.mkdir(parents=True)
    expected = hashlib.sha256(data).hexdigest()
    (cache / f"{expected}.wasm").mkdir()
    path = write(f"[plugins.echo]\nurl = 'https://a.example/e.wasm'\nsha256 = '{expected}'")
    with pytest.raises(PluginFileError):
        WasmPluginManager.from_manifest(path)
    assert len([*cache.iterdir()]) == 1


class Answer:
    """What an opener gives: chunks, without end where there is one only."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)

    def read1(self, size: int) -> bytes:
        """Return what has come: `read` waits for all of the size."""
        return self.chunks.pop(0) if len(self.chunks) > 1 else self.chunks[0]

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def test_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    answer: Answer | Exception = Answer(b"a", b"b", b"")
    handlers: list[type[HTTPRedirectHandler]] = []

    class Opener:
        def open(self, request: object, timeout: float) -> Answer:
            if isinstance(answer, Exception):
                raise answer
            return answer

    def build_opener(handler: type[HTTPRedirectHandler]) -> Opener:
        handlers.append(handler)
        return Opener()

    monkeypatch.setattr("urllib.request.build_opener", build_opener)
    assert sources.fetch("https://a.example") == b"ab"
    answer = Answer(b"x" * (1 << 20))
    with pytest.raises(PluginFileError, match="more than 67108864 bytes"):
        sources.fetch("https://a.example")
    answer = OSError("no route")
    with pytest.raises(PluginFileError, match="no route"):
        sources.fetch("https://a.example")
    monkeypatch.setattr(sources, "LONGEST", -1.0)
    answer = Answer(b"x")
    with pytest.raises(PluginFileError, match="it took more than"):
        sources.fetch("https://a.example")
    with pytest.raises(ValueError, match="no address of HTTPS"):
        handlers[0]().redirect_request(None, None, 302, "", {}, "http://a.example")  # type: ignore[arg-type]


def test_an_entry_point(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = write("plugins.echo = {entry_point = 'mine'}")
    with pytest.raises(ManifestError, match=r"plugins.echo.entry_point: .*no package has"):
        WasmPluginManager.from_manifest(path)
    information = tmp_path / "one-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: one\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[purewasm.plugins]\nmine = one:echo.wasm\n")
    (tmp_path / "one").mkdir()
    (tmp_path / "echo.wasm").rename(tmp_path / "one" / "echo.wasm")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PUREWASM_PLUGINS", "mine")
    assert "echo" in WasmPluginManager.from_manifest(path)
