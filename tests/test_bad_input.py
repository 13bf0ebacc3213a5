"""Bad bytes, files, plugins and strings raise only the errors of the package.

None of them changes another plugin: the count of a counting plugin must stay correct.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from purewasm_plugins import (
    CompileError,
    DecodeError,
    PluginError,
    PluginFileError,
    ResourceLimits,
    ToolCall,
    ToolError,
    ToolExecutionError,
    ToolRegistry,
    ValidationError,
    WasmError,
    WasmPlugin,
    WasmPluginManager,
    instantiate,
)
from purewasm_plugins.wasm import load as load_module
from tests.conftest import ROOT

FixtureData = Callable[[str], bytes]
Load = Callable[..., WasmPlugin]

#: Small enough that even a module that uses all of it is done at once.
LIMITS = ResourceLimits(memory_pages=32, fuel=2000, timeout=5, output_bytes=100_000)


class Witness:
    """A manager with a counting plugin in it; `intact()` counts on."""

    def __init__(self, engine: str, counter: bytes) -> None:
        self.engine = engine
        self.manager = WasmPluginManager(engine=engine, limits=LIMITS)
        self.manager.load_from_bytes(counter)
        self.count = 0

    def intact(self) -> None:
        self.count += 1
        assert self.manager.execute_tool("stateful", "count", "") == str(self.count)
        assert "stateful" in self.manager

    @contextmanager
    def survives(self) -> Iterator[None]:
        """Check that the block ends normally or in an error of the package."""
        message = "none"
        try:
            yield
        except (PluginError, WasmError, ToolError) as error:
            message = str(error)
        assert message
        self.intact()

    def try_module(self, data: bytes) -> None:
        """Load, and if that works run its first tools, register them, and run one again."""
        with self.survives():
            plugin = self.manager.load_from_bytes(data)
            self.manager.unload(plugin.name)
            for listed, text in zip(plugin.tools[:2], ("", "some text"), strict=False):
                with suppress(PluginError):
                    assert isinstance(plugin.execute_tool(listed.index, text), str)
            registry = ToolRegistry()
            # One is enough.
            for tool in plugin.registrable_tools()[:1]:
                registry.register(tool)
                registry.execute(ToolCall(tool.definition.name, {"input": "x"}))


@pytest.fixture(scope="module")
def witness(engine: str, fixture_data: FixtureData) -> Witness:
    return Witness(engine, fixture_data("stateful"))


COMPONENT = b"\0asm\x0d\0\1\0"

#: Bytes that are no module.
NO_MODULES: dict[str, bytes] = {
    "empty": b"",
    "one byte": b"\0",
    "text": b"This is a text file.\n",
    "webassembly text": b'(module (func (export "f")))',
    "magic alone": b"\0asm",
    "half a version": b"\0asm\1\0",
    "version 2": b"\0asm\2\0\0\0",
    "component": COMPONENT,
    "wrong magic": b"\0ASM\1\0\0\0",
    "elf": b"\x7fELF\2\1\1\0" + bytes(100),
    "zeros": bytes(1000),
    "ones": b"\xff" * 1000,
    "section of 4 GiB": b"\0asm\1\0\0\0\1\xff\xff\xff\xff\x0f",
    "section number 99": b"\0asm\1\0\0\0\x63\0",
    "types without end": b"\0asm\1\0\0\0\1\6\xff\xff\xff\xff\x0f\x60",
    "endless number": b"\0asm\1\0\0\0\1" + b"\x80" * 50,
    "zipped": gzip.compress(b"\0asm\1\0\0\0"),
}


@pytest.mark.parametrize("data", NO_MODULES.values(), ids=NO_MODULES)
def test_what_is_no_module(witness: Witness, tmp_path: Path, data: bytes) -> None:
    with pytest.raises(CompileError) as raised:
        witness.manager.load_from_bytes(data)
    assert isinstance(raised.value.__cause__, (DecodeError, ValidationError))
    with pytest.raises((DecodeError, ValidationError)):
        instantiate(data, engine=witness.engine)
    path = tmp_path / "plugin.wasm"
    path.write_bytes(data)
    with pytest.raises(CompileError):
        witness.manager.load(path)
    witness.intact()


@pytest.mark.parametrize(
    "path", ["", ".", "/", "no such file", "no/such/file.wasm", "nul\0byte", "x" * 10_000, "\udcff"]
)
def test_what_is_no_file(witness: Witness, path: str) -> None:
    with pytest.raises(PluginError, match="Failed to read plugin") as raised:
        witness.manager.load(path)
    assert type(raised.value) is PluginFileError
    with pytest.raises(PluginError, match="Failed to read plugin"):
        WasmPlugin.load(Path(path), engine=witness.engine)
    witness.intact()


@pytest.mark.parametrize("name", ["echo", "traps", "with_schema", "with_alloc"])
def test_a_module_truncated_at_every_offset(
    witness: Witness, fixture_data: FixtureData, name: str
) -> None:
    data = fixture_data(name)
    # What is cut off between two sections may be a whole module: one without names, say.
    whole = {8, *(section.content.end for section in load_module(data).module.sections)}
    for end in range(len(data)):
        try:
            witness.manager.load_from_bytes(data[:end])
        except PluginError as error:
            assert end in whole or isinstance(error, CompileError)  # noqa: PT017
        else:
            assert end in whole
            assert witness.manager.unload(name)
    witness.intact()


def test_a_real_plugin_truncated(witness: Witness, fixture_data: FixtureData) -> None:
    data = fixture_data("c_encode/encode.wasm")
    for end in range(0, len(data), 17):
        with witness.survives():
            witness.manager.load_from_bytes(data[:end])
        witness.manager.unload("c_encode")


@pytest.mark.parametrize("name", ["echo", "traps", "with_schema"])
@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF, 0x40], ids=hex)
def test_a_module_with_one_byte_changed(
    witness: Witness, fixture_data: FixtureData, name: str, change: int
) -> None:
    data = bytearray(fixture_data(name))
    # Not every byte, but each change begins at another one.
    stride = 1 + len(data) // 100
    for offset in range(8 + change % stride, len(data), stride):
        data[offset] ^= change
        witness.try_module(bytes(data))
        data[offset] ^= change


@given(data=st.binary(max_size=60))
@example(b"\0" * 8)
def test_random_bytes(witness: Witness, data: bytes) -> None:
    witness.try_module(data)
    witness.try_module(b"\0asm\1\0\0\0" + data)


@given(
    start=st.integers(8, 500),
    length=st.integers(0, 40),
    put=st.binary(max_size=20),
    name=st.sampled_from(["echo", "traps", "inspect_input", "grows_memory"]),
)
def test_a_module_with_a_stretch_replaced(
    witness: Witness,
    fixture_data: FixtureData,
    start: int,
    length: int,
    put: bytes,
    name: str,
) -> None:
    data = fixture_data(name)
    witness.try_module(data[:start] + put + data[start + length :])


def test_every_plugin_written_by_hand(witness: Witness, fixture_data: FixtureData) -> None:
    folder = ROOT / "fixtures" / "wat"
    for path in sorted(folder.glob("*.wasm")):
        if path.stem != "stateful":
            witness.try_module(path.read_bytes())
        else:
            with pytest.raises(PluginError, match="already loaded"):
                witness.manager.load_from_bytes(path.read_bytes())
    witness.intact()


#: Inputs, tools and indices that are odd in some way.
INPUTS = [
    *("", "\0", "x\0", "\ud800", "\udfff\ud800", "￿", "\U0010ffff", "\ufeff", "\x7f", "\r\n"),
    *("x" * 65_535, "x" * 65_536, "x" * 65_537, "é" * 32_768, "🎈" * 16_384),
]
TOOLS: list[int | str] = [0, 1, -1, 2, 2**31, 2**32, -(2**63), "", "echo", "ECHO", "\0", "\ud800"]


@pytest.mark.parametrize("tool", TOOLS)
def test_odd_calls(witness: Witness, fixture_data: FixtureData, tool: int | str) -> None:
    plugin = WasmPlugin.load_from_bytes(fixture_data("echo"), engine=witness.engine, limits=LIMITS)
    for text in INPUTS:
        fits = "\0" not in text and not any(0xD800 <= ord(c) <= 0xDFFF for c in text[:2])
        if fits and tool in (0, "echo"):
            assert plugin.execute_tool(tool, text) == text
        else:
            with pytest.raises(ToolExecutionError):
                plugin.execute_tool(tool, text)
        witness.intact()


def test_an_input_of_five_megabytes(load: Load) -> None:
    plugin = load("echo")
    text = "five megabytes, " * (5 * 1024 * 1024 // 16)
    assert plugin.execute_tool("echo", text) == text
    assert plugin.execute_tool("echo", "small again") == "small again"


def test_an_input_of_five_megabytes_that_is_too_much(
    witness: Witness, fixture_data: FixtureData
) -> None:
    plugin = WasmPlugin.load_from_bytes(
        fixture_data("stateful"), engine=witness.engine, limits=LIMITS
    )
    with pytest.raises(ToolExecutionError, match="no room for the input"):
        plugin.execute_tool(0, "x" * (5 * 1024 * 1024))
    assert plugin.execute_tool(0, "x") == "1"
    witness.intact()


@pytest.fixture(scope="module")
def registry(witness: Witness, fixture_data: FixtureData) -> ToolRegistry:
    registry = ToolRegistry()
    for name in ("echo", "with_schema"):
        plugin = WasmPlugin.load_from_bytes(
            fixture_data(name), engine=witness.engine, limits=LIMITS
        )
        plugin.register_into_registry(registry)
    return registry


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=6,
    ),
    st.sampled_from(["echo", "search", "resize", "none"]),
)
def test_any_arguments(witness: Witness, registry: ToolRegistry, arguments: Any, tool: str) -> None:
    with witness.survives():
        registry.execute(ToolCall(tool, arguments))
