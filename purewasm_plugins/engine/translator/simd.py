"""The vector instructions: mnemonic -> Python function of raw values (sections 4.3.6, 4.4.3).

A vector is 16 bytes, little-endian; other operands are raw values, see `runtime.values`. A function
takes the operands in the order of the stack, then the immediates: a lane as an int, the lanes of a
shuffle as 16 bytes. The function of a load (section 4.4.7) takes the bytes that were read in place
of the address; that of a store returns the bytes to write. `v128.load` and `v128.store` have none.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from purewasm_plugins.engine.translator import simd_float, simd_integer
from purewasm_plugins.engine.translator.simd_builders import Functions, lanewise, whole
from purewasm_plugins.runtime.values import f32_from_bits, f32_to_bits

__all__ = ["FUNCTIONS"]

_ZERO = bytes(16)
_PAST_ONE = bytes(256 - 16)
_PAST_TWO = bytes(256 - 32)


def _shuffle(a: bytes, b: bytes, lanes: bytes) -> bytes:
    return lanes.translate(a + b + _PAST_TWO)


def _swizzle(a: bytes, indices: bytes) -> bytes:
    return indices.translate(a + _PAST_ONE)


def _splat(size: int) -> Callable[[int], bytes]:
    mask, count = (1 << 8 * size) - 1, 16 // size
    return lambda value: (value & mask).to_bytes(size, "little") * count


def _splat_f32(value: float) -> bytes:
    return f32_to_bits(value).to_bytes(4, "little") * 4


def _extract(format: str, mask: int) -> Callable[[bytes, int], int]:
    layout = Struct("<" + format)
    size, unpack_from = layout.size, layout.unpack_from
    return lambda a, lane: unpack_from(a, lane * size)[0] & mask


def _replace(size: int) -> Callable[[bytes, int, int], bytes]:
    mask = (1 << 8 * size) - 1

    def replace(a: bytes, value: int, lane: int) -> bytes:
        start = lane * size
        return a[:start] + (value & mask).to_bytes(size, "little") + a[start + size :]

    return replace


_F64 = Struct("<d")


def _extract_f32(a: bytes, lane: int) -> float:
    return f32_from_bits(int.from_bytes(a[lane * 4 : lane * 4 + 4], "little"))


def _extract_f64(a: bytes, lane: int) -> float:
    return float(_F64.unpack_from(a, lane * 8)[0])


def _replace_f32(a: bytes, value: float, lane: int) -> bytes:
    return a[: lane * 4] + f32_to_bits(value).to_bytes(4, "little") + a[lane * 4 + 4 :]


def _replace_f64(a: bytes, value: float, lane: int) -> bytes:
    return a[: lane * 8] + _F64.pack(value) + a[lane * 8 + 8 :]


def _load_splat(size: int) -> Callable[[bytes], bytes]:
    count = 16 // size
    return lambda read: read * count


def _load_lane(size: int) -> Callable[[bytes, bytes, int], bytes]:
    return lambda read, a, lane: a[: lane * size] + read + a[lane * size + size :]


def _store_lane(size: int) -> Callable[[bytes, int], bytes]:
    return lambda a, lane: a[lane * size : lane * size + size]


#: The lane widths of `v128.load8_splat` and the like, in bits and in bytes.
_LANES = {8: 1, 16: 2, 32: 4, 64: 8}

FUNCTIONS = Functions(
    {
        **simd_integer.FUNCTIONS,
        **simd_float.FUNCTIONS,
        "v128.not": whole(64, "x ^ (top | rest)"),
        "v128.and": whole(64, "x & y"),
        "v128.andnot": whole(64, "x & ~y"),
        "v128.or": whole(64, "x | y"),
        "v128.xor": whole(64, "x ^ y"),
        "v128.bitselect": whole(64, "y ^ (x ^ y) & integer(mask, 'little')", parameters=", mask"),
        "v128.any_true": lambda a: 1 if a != _ZERO else 0,
        "i8x16.shuffle": _shuffle,
        "i8x16.swizzle": _swizzle,
        "i8x16.splat": _splat(1),
        "i16x8.splat": _splat(2),
        "i32x4.splat": _splat(4),
        "i64x2.splat": _splat(8),
        "f32x4.splat": _splat_f32,
        "f64x2.splat": lambda value: _F64.pack(value) * 2,
        "i8x16.extract_lane_s": _extract("b", 0xFFFFFFFF),
        "i8x16.extract_lane_u": lambda a, lane: a[lane],
        "i16x8.extract_lane_s": _extract("h", 0xFFFFFFFF),
        "i16x8.extract_lane_u": _extract("H", 0xFFFF),
        "i32x4.extract_lane": _extract("I", 0xFFFFFFFF),
        "i64x2.extract_lane": _extract("Q", 0xFFFFFFFFFFFFFFFF),
        "f32x4.extract_lane": _extract_f32,
        "f64x2.extract_lane": _extract_f64,
        "i8x16.replace_lane": _replace(1),
        "i16x8.replace_lane": _replace(2),
        "i32x4.replace_lane": _replace(4),
        "i64x2.replace_lane": _replace(8),
        "f32x4.replace_lane": _replace_f32,
        "f64x2.replace_lane": _replace_f64,
        "v128.load8x8_s": lanewise("x", "8b", "8h"),
        "v128.load8x8_u": lanewise("x", "8B", "8H"),
        "v128.load16x4_s": lanewise("x", "4h", "4i"),
        "v128.load16x4_u": lanewise("x", "4H", "4I"),
        "v128.load32x2_s": lanewise("x", "2i", "2q"),
        "v128.load32x2_u": lanewise("x", "2I", "2Q"),
        **{f"v128.load{bits}_splat": _load_splat(size) for bits, size in _LANES.items()},
        "v128.load32_zero": lambda read: read + bytes(12),
        "v128.load64_zero": lambda read: read + bytes(8),
        **{f"v128.load{bits}_lane": _load_lane(size) for bits, size in _LANES.items()},
        **{f"v128.store{bits}_lane": _store_lane(size) for bits, size in _LANES.items()},
    }
)
