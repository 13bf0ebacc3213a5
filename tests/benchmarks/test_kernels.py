"""The handwritten and the compiled kernels of the benchmarks have equal results."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64encode

import pytest

from benchmarks.kernels.handwritten import (
    CRC_DATA,
    JSON_TEXT,
    KERNELS,
    MARKDOWN_TEXT,
    convert_markdown,
    encode,
    format_json,
)
from benchmarks.kernels.idiomatic import IDIOMATIC
from benchmarks.peers import Unavailable, kernel_path, pywasm_engine, translator, wasmtime
from purewasm_plugins.wasm import load
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.types import ValType
from tests.conftest import need

WIDTHS = {ValType.I32: 0xFFFFFFFF, ValType.I64: 0xFFFFFFFFFFFFFFFF}


def unsigned(kernel: str, value: object) -> object:
    """Return a result in the form of the handwritten kernels."""
    module = load(kernel_path(kernel).read_bytes()).module
    run = next(export.index for export in module.exports if export.name == "run")
    (result,) = module.types[module.functions[run].type_index].results
    return value & WIDTHS[result] if isinstance(value, int) else value


@pytest.mark.parametrize("kernel", KERNELS)
def test_by_hand_as_on_wasmtime(kernel: str) -> None:
    need("wasmtime")
    run = wasmtime(kernel)
    for n in (0, 1, 2, 5):
        assert unsigned(kernel, run(n)) == KERNELS[kernel](n)


@pytest.mark.parametrize("kernel", IDIOMATIC)
def test_by_hand_with_lists(kernel: str) -> None:
    for n in (0, 1, 2, 5):
        assert IDIOMATIC[kernel](n) == KERNELS[kernel](n)


@pytest.mark.parametrize("kernel", KERNELS)
def test_by_hand_as_on_the_translator(kernel: str) -> None:
    try:
        run = translator(kernel)
    except Unavailable as reason:
        pytest.skip(str(reason))
    for n in (0, 1, 2, 5):
        assert unsigned(kernel, run(n)) == KERNELS[kernel](n)


@pytest.mark.parametrize("kernel", ["fib", "json_format", "nbody", "blake2b"])
def test_by_hand_as_on_the_pywasm_engine(kernel: str) -> None:
    assert unsigned(kernel, pywasm_engine(kernel)(1)) == KERNELS[kernel](1)


def test_digests_are_the_standard_ones() -> None:
    digest = hashlib.sha256(bytes(i * 7 & 255 for i in range(256))).digest()
    total = 0
    for start in range(0, 32, 4):
        total = total * 31 + int.from_bytes(digest[start : start + 4], "big") & 0xFFFFFFFF
    assert KERNELS["sha256"](1) == total
    words = [(i + 1) * 0x9E3779B97F4A7C15 & (1 << 64) - 1 for i in range(64)]
    message = b"".join(word.to_bytes(8, "little") for word in words)
    assert KERNELS["blake2b"](1) == int.from_bytes(hashlib.blake2b(message).digest()[:8], "little")
    assert KERNELS["crc32"](1) == binascii.crc32(CRC_DATA)


def test_base64_is_the_standard_one() -> None:
    plain, encoded = bytearray(range(48)), bytearray(64)
    encode(plain, encoded)
    assert encoded == b64encode(plain)


def test_json_is_laid_out() -> None:
    output = bytearray(2048)
    text = output[: format_json(JSON_TEXT, output)].decode()
    assert text.startswith('{\n  "name": "purewasm",\n  "tags": [\n    "wasm",')
    assert text.endswith('"text": "brackets [ ] { } , : inside"\n}')


def test_markdown_is_converted() -> None:
    assert convert_markdown(MARKDOWN_TEXT).decode() == (
        "<h1>PureWasm &amp; friends</h1>\n"
        "<p>A <em>plugin</em> host that needs <strong>no</strong> native wheel.\n"
        "It runs <code>a &lt; b</code> too.</p>\n"
        "<h2>Lists</h2>\n"
        "<ul>\n<li>one item</li>\n<li>an <em>emphasised</em> one</li>\n"
        '<li>see <a href="https://example.org/?a=1&amp;b=2">the page</a></li>\n</ul>\n'
        "<pre><code>if (a &lt; b &amp;&amp; c &gt; d) {\n    return *p;\n}\n</code></pre>\n"
        "<p>Last <strong>bold <em>and</em> nested</strong> words.</p>\n"
    )


def test_compiled_kernels_are_plain_webassembly_1() -> None:
    """The compiled kernels use only features that every peer supports."""
    for kernel in KERNELS:
        module = load(kernel_path(kernel).read_bytes()).module
        assert not module.imports
        assert module.data_count is None
        assert {export.name for export in module.exports} == {"memory", "run"}
        for function in module.functions:
            for instruction in instructions(module.data, function.body):
                assert instruction.opcode.code < 0xC0, (kernel, str(instruction.opcode))
