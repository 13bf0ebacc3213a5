"""Modules that libraries of npm are made of, each at its own work."""

from __future__ import annotations

import base64
import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence

import pytest
import wasmtime

from purewasm_plugins import Trap

from .hosts import Abort, Emscripten, Host, WasmBindgen, start
from .machines import digest, machine

Data = Callable[[str], bytes]

#: Both engines of ours, and what they are compared with.
ALL = ("wasmtime", "translator", "pywasm")

PROSE = (
    b"It is a truth universally acknowledged, that a single man in possession of a good fortune, "
    b"must be in want of a wife. "
)
NOISE = random.Random(7).randbytes(1500)
INPUTS = {
    "nothing": b"",
    "a byte": b"x",
    "zeros": bytes(5000),
    "prose": PROSE * 20,
    "noise": NOISE,
    "mixed": PROSE + NOISE[:200] + PROSE[::-1] + NOISE[:200],
}


def lz4(block: bytes) -> bytes:
    """What a block of LZ4 stands for."""
    output = bytearray()
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        return block[at - count : at]

    def length(nibble: int) -> int:
        total = last = nibble
        while last in (15, 255) and (last == 255 or total == 15):
            (last,) = take(1)
            total += last
        return total

    while at < len(block):
        (token,) = take(1)
        output += take(length(token >> 4))
        if at < len(block):
            distance = int.from_bytes(take(2), "little")
            for _ in range(length(token & 15) + 4):
                output.append(output[-distance])
    return bytes(output)


def use_lz4(name: str, data: bytes) -> tuple[dict[str, bytes], str]:
    """Compress the inputs and decompress them; a hash of the memory, too."""
    host = WasmBindgen()
    start(machine(name), data, {"__wbindgen_placeholder__": host})
    found = {}
    for label, content in INPUTS.items():
        found[label] = host.call("compress", *host.put(content), may_fail=False)
        assert host.call("decompress", *host.put(found[label])) == content
    with pytest.raises(Abort, match="offset to copy is not contained"):
        host.call("decompress", *host.put(b"\x10\x00\x00\x00\x10a\xff\xff"))
    return found, digest(host.program)


def test_lz4(engine: str, program: Data) -> None:
    data = program("lz4-wasm-nodejs/lz4_wasm_nodejs_bg.wasm")
    compressed, memory = use_lz4(engine, data)
    assert (compressed, memory) == use_lz4("wasmtime", data)
    for label, content in INPUTS.items():
        assert int.from_bytes(compressed[label][:4], "little") == len(content)
        assert lz4(compressed[label][4:]) == content
    assert len(compressed["zeros"]) < 50


class Mappings(Host):
    """What source-map imports: it reports each requested mapping."""

    def __init__(self) -> None:
        self.reported: list[tuple[int, ...]] = []

    def mapping_callback(self, *values: int) -> None:
        self.reported.append(values)


def vlq(*numbers: int) -> str:
    """Numbers in the base 64 of source maps."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = ""
    for number in numbers:
        rest = (abs(number) << 1) | (number < 0)
        while True:
            rest, digit = rest >> 5, rest & 31
            text += digits[digit | (32 if rest else 0)]
            if not rest:
                break
    return text


def source_map(mappings: Sequence[tuple[int, int, int, int, int, int]]) -> str:
    """The text of mappings: generated line and column; source, line, column and name."""
    lines: dict[int, list[str]] = {}
    before = [0] * 5
    line_before = -1
    for line, *values in mappings:
        if line != line_before:
            before[0] = 0
        deltas = [value - old for value, old in zip(values, before, strict=True)]
        lines.setdefault(line, []).append(vlq(*deltas))
        line_before, before = line, values
    return ";".join(",".join(lines.get(line, [])) for line in range(line_before + 1))


@pytest.mark.parametrize("name", ALL)
def test_source_map(name: str, program: Data) -> None:
    chosen = random.Random(5)
    mappings = sorted(
        {
            (line, column): (
                line,
                column,
                chosen.randrange(3),
                chosen.randrange(2000),
                chosen.randrange(90),
                chosen.randrange(40),
            )
            for line, column in [(chosen.randrange(40), chosen.randrange(300)) for _ in range(200)]
        }.values()
    )
    host = Mappings()
    instance = start(machine(name), program("source-map/lib/mappings.wasm"), {"env": host})

    def parse(text: str) -> int:
        address = instance.call("allocate_mappings", len(text))
        instance.write(address, text.encode())
        parsed: int = instance.call("parse_mappings", address)
        return parsed

    parsed = parse(source_map(mappings))
    instance.call("by_generated_location", parsed)
    assert [(*mapping[:2], *mapping[5:8], mapping[9]) for mapping in host.reported] == mappings
    for line, column, source, original_line, original_column, name_index in mappings[::20]:
        host.reported.clear()
        # A column further on, and the greatest that is not above it.
        instance.call("original_location_for", parsed, line, column, 1)
        ((_, _, _, _, _, *place, _, named),) = host.reported
        assert (*place, named) == (source, original_line, original_column, name_index)
    instance.call("free_mappings", parsed)
    assert parse("A,B!") == 0
    assert instance.call("get_last_error") != 0


#: RFC 9106, section 5: by the type of Argon2.
ARGON2 = {
    0: "512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb",
    1: "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8",
    2: "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659",
}


@pytest.mark.parametrize("file", ["argon2.wasm", "argon2-simd.wasm"])
@pytest.mark.parametrize("name", ["wasmtime", "translator"])
def test_argon2(name: str, file: str, program: Data) -> None:
    """C, by Emscripten, whose names are single letters here; one of the two uses vectors."""

    class Heap(Emscripten):
        a, b = Emscripten.emscripten_memcpy_big, Emscripten.emscripten_resize_heap

    instance = start(machine(name), program(f"argon2-browser/dist/{file}"), {"a": Heap()})
    instance.call("d")

    def put(data: bytes) -> tuple[int, int]:
        address = instance.call("f", len(data) + 1)
        instance.write(address, data)
        return address, len(data)

    for kind, expected in ARGON2.items():
        hashed, size = put(bytes(32))
        encoded, _ = put(bytes(200))
        password, salt = put(b"\x01" * 32), put(b"\x02" * 16)
        more = (*put(b"\x03" * 8), *put(b"\x04" * 12), 0x13)
        costs = (3, 32, 4)
        status = instance.call(
            "l", *costs, *password, *salt, hashed, size, encoded, 200, kind, *more
        )
        assert status == 0
        assert instance.read(hashed, size).hex() == expected


class Brotli(WasmBindgen):
    """Options that are none, and errors that are never made."""

    def wbindgen_is_undefined(self, number: int) -> int:
        return int(self.value(number) is None)

    def wbindgen_is_object(self, number: int) -> int:
        return int(isinstance(self.value(number), dict))

    def wbindgen_json_serialize(self, result: int, number: int) -> None:
        self.write_u32(result, *self.put(json.dumps(self.value(number)).encode()))

    def wbg_new(self) -> int:
        raise Abort("an error's stack")

    def wbg_stack(self, result: int, number: int) -> None:
        raise Abort("an error's stack")

    def wbg_error(self, address: int, size: int) -> None:
        raise Abort(self.take(address, size).decode())


def use_brotli(name: str, data: bytes) -> tuple[dict[object, bytes], str]:
    """Compress the inputs at several qualities and decompress them; a hash of the memory, too."""
    host = Brotli()
    start(machine(name), data, {"__wbindgen_placeholder__": host})
    found: dict[object, bytes] = {}
    for quality, labels in {1: INPUTS, 5: INPUTS, 9: ("mixed",), 11: ("a byte",)}.items():
        for label in labels:
            options = host.keep({"quality": quality})
            compressed = host.call("compress", *host.put(INPUTS[label]), options)
            assert host.call("decompress", *host.put(compressed)) == INPUTS[label]
            found[quality, label] = compressed
    assert host.call("decompress", *host.put(base64.b64decode(BY_GOOGLE))) == PROSE
    with pytest.raises(Abort):
        host.call("decompress", *host.put(PROSE))
    return found, digest(host.program)


#: What the reference implementation makes of the prose.
BY_GOOGLE = (
    "G3UA4J0JdqwL61hIHtZhZmltGqSMrk66schV2JtTDthrSQu1rS"
    "PebWwOh4pY1KxSpx9bVTrwYKQpRB/vELqUlrVvxmUDKFaYt4sA"
)


def test_brotli(program: Data) -> None:
    data = program("brotli-wasm/pkg.node/brotli_wasm_bg.wasm")
    compressed, memory = use_brotli("translator", data)
    assert (compressed, memory) == use_brotli("wasmtime", data)
    assert len(compressed[5, "prose"]) < 120


class Png(WasmBindgen):
    """Images, and 16-bit arrays in the program's memory."""

    def wbg_newwithownedu8clampedarrayandsh(
        self, address: int, size: int, width: int, height: int
    ) -> int:
        return self.keep((width, height, self.take(address, size)))

    def wbindgen_memory(self) -> int:
        return 0

    def wbg_buffer(self, number: int) -> int:
        return 0

    def wbg_newwithbyteoffsetandlength(self, number: int, address: int, count: int) -> int:
        return self.keep(struct.unpack(f"<{count}H", self.program.read(address, 2 * count)))


#: By width and height, in red, green, blue and alpha.
IMAGES = {
    (2, 3): bytes(range(0, 240, 10)),
    (40, 30): b"".join(bytes([x, y, x * y & 255, 255]) for y in range(30) for x in range(40)),
    (16, 16): random.Random(3).randbytes(4 * 16 * 16),
}


def png(width: int, height: int, pixels: bytes) -> bytes:
    """The bytes of a PNG file."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    lines = [b"\0" + pixels[at : at + 4 * width] for at in range(0, len(pixels), 4 * width)]
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(lines)))
    return b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b"")


def use_png(name: str, data: bytes, count: int) -> tuple[list[bytes], str]:
    """Decode and encode so many images; a hash of the memory, too."""
    host = Png(1)
    instance = start(machine(name), data, {"wbg": host})

    def decode(file: bytes) -> object:
        return host.value(instance.call("decode", *host.put(file)))

    files = []
    for (width, height), pixels in list(IMAGES.items())[:count]:
        plain = png(width, height, pixels)
        assert decode(plain) == (width, height, pixels)
        wide = instance.call("decode_rgba16", *host.put(plain))
        colours = host.value(instance.call("imagedatargba16_data", wide))
        assert colours == tuple(value * 257 for value in pixels)
        file = host.call("encode", *host.put(pixels), width, height, 8, may_fail=False)
        assert decode(file) == (width, height, pixels)
        files.append(file)
    # It panics: a file that ends too early.
    with pytest.raises((Abort, Trap, wasmtime.Trap)):
        decode(files[0][:20])
    return files, digest(instance)


def test_png(engine: str, program: Data) -> None:
    data = program("@jsquash/png/codec/pkg/squoosh_png_bg.wasm")
    count = 1 if engine == "pywasm" else len(IMAGES)
    files, memory = use_png(engine, data, count)
    assert (files, memory) == use_png("wasmtime", data, count)
    assert all(file.startswith(b"\x89PNG") for file in files)
