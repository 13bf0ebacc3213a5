"""Broken modules: a few bytes of a valid one changed, moved, or taken from another one."""

from __future__ import annotations

from random import Random

#: Bytes that mean something: instructions, and integers that are too large or too long.
_TOKENS = (
    b"\x0b",
    b"\x05",
    b"\x02\x40",
    b"\x03\x40",
    b"\x04\x40",
    b"\x00",
    b"\x1a",
    b"\x1b",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x00",
    b"\xff\xff\xff\xff\x7f",
    b"\x80" * 11,
    b"\xfc\x08",
    b"\xfd\x0c",
    b"\xd2\x00",
    b"\xd0\x70",
)


def mutated(random: Random, data: bytes, other: bytes = b"") -> bytes:
    """Change, move or replace a few bytes of a module, some by bytes of another one."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = random.randrange(len(changed) + 1)
        until = min(len(changed), at + random.choice((1, 1, 2, 4, 16, 64)))
        match random.randrange(8):
            case 0 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case 1 if at < len(changed):
                changed[at] = random.randrange(256)
            case 2 if at < len(changed):
                changed[at] = (changed[at] + random.choice((-1, 1))) % 256
            case 3:
                del changed[at:until]
            case 4:
                changed[at:at] = random.choice(_TOKENS)
            case 5:
                changed[at:until] = random.choice(_TOKENS)
            case 6 if other:
                start = random.randrange(len(other))
                changed[at:until] = other[start : start + random.choice((1, 4, 16, 64))]
            case 7:
                target = random.randrange(len(changed) + 1)
                changed[target:target] = changed[at:until]
    return bytes(changed)
