"""Random values: integers and floats near the edges of their ranges, and constants of any type."""

from __future__ import annotations

import struct
from random import Random

from purewasm_plugins.wasm import ValType
from purewasm_plugins.wasm.binary.encoder import encode

_EDGES = (0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 32767, 32768, 65535, 65536)


def random_integer(random: Random, bits: int) -> int:
    """Choose a signed integer, most often one near the edges of its range."""
    top = 1 << (bits - 1)
    value = random.choice(
        (
            random.choice(_EDGES),
            -random.choice(_EDGES),
            top - 1 - random.choice((0, 0, 1)),
            -top + random.choice((0, 0, 1)),
            random.getrandbits(bits) - top,
        )
    )
    return max(-top, min(top - 1, value))


def random_float_bits(random: Random, bits: int) -> int:
    """Choose the bits of a float, often a special one."""
    mantissa = 23 if bits == 32 else 52
    exponent_ones = ((1 << (bits - 1 - mantissa)) - 1) << mantissa
    quiet = 1 << (mantissa - 1)
    sign = random.getrandbits(1) << (bits - 1)
    code, size = ("<f", "<I") if bits == 32 else ("<d", "<Q")
    whole = float(random_integer(random, 33)) * random.choice((1.0, 0.5, 1.5, 1e-3))
    (ordinary,) = struct.unpack(size, struct.pack(code, whole))
    magnitude = random.choice(
        (
            0,
            1,
            quiet,
            exponent_ones,
            exponent_ones | quiet,
            exponent_ones | 1,
            exponent_ones - 1,
            1 << mantissa,
            ordinary,
            ordinary,
            random.getrandbits(bits - 1),
        )
    )
    return sign | magnitude & (1 << (bits - 1)) - 1


def random_v128(random: Random) -> bytes:
    """Choose sixteen bytes whose lanes, of some shape, are such integers or floats."""
    width = random.choice((8, 16, 32, 64))
    if width >= 32 and random.random() < 0.5:
        lanes = (random_float_bits(random, width) for _ in range(128 // width))
    else:
        lanes = (random_integer(random, width) % (1 << width) for _ in range(128 // width))
    return b"".join(lane.to_bytes(width // 8, "little") for lane in lanes)


def constant(random: Random, type_: ValType) -> bytes:
    """Encode an instruction that pushes a random constant of a type; null of a reference type."""
    match type_:
        case ValType.I32:
            return encode("i32.const", random_integer(random, 32))
        case ValType.I64:
            return encode("i64.const", random_integer(random, 64))
        case ValType.F32:
            return encode("f32.const", random_float_bits(random, 32))
        case ValType.F64:
            return encode("f64.const", random_float_bits(random, 64))
        case ValType.V128:
            return encode("v128.const", random_v128(random))
        case _:
            return encode("ref.null", type_)
