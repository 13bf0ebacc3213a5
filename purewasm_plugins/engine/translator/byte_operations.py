"""What generated code calls to do many iterations of a loop at once; see `skips`.

The functions that count say how many iterations in a row meet a condition: no more than there are
bytes for before the end of the memory, where the loop traps, and no more than `WINDOW`, so that the
work of one call is bounded.
"""

from __future__ import annotations

from purewasm_plugins.support.typed import Callable

__all__ = ["FUNCTIONS", "WINDOW"]

#: The most bytes or iterations of one call. Those that look for a byte take three microseconds.
WINDOW = 1 << 16

#: The fewest iterations that are worth a call.
_FEW = 8

#: A function that pays for iterations, and returns for how many it could.
Grant = Callable[[int], int]


def count_until(memory: bytearray, address: int, step: int, count: int, stop: int) -> int:
    """Count the iterations, of `count`, none of whose bytes has the value `stop`.

    No byte has a value above 255; what is below zero is no known value.
    """
    if stop < 0:
        return 0
    size = abs(step)
    length = min(count, WINDOW // size) * size
    if step < 0:
        end = address + size
        if end > len(memory):
            return 0
        start = max(end - length, end % size)
        found = memory.rfind(stop, start, end) if stop < 256 else -1
        return (end - (found + 1 if found >= 0 else start)) // size
    end = min(address + length, len(memory))
    found = memory.find(stop, address, end) if stop < 256 else -1
    return ((found if found >= 0 else end) - address) // size


def repeated_byte(word: int) -> int:
    """Return the byte that a word of 32 bits repeats, or -1."""
    return word & 0xFF if word == (word & 0xFF) * 0x01010101 else -1


def count_equal(memory: bytearray, left: int, right: int, step: int, count: int) -> int:
    """Count the iterations, of `count`, whose bytes are equal to others."""
    length = min(count * step, WINDOW, len(memory) - left, len(memory) - right)
    done, size = 0, 64
    # A loop that ends early must not pay for the whole window.
    while done < length:
        size = min(4 * size, length - done)
        a = memory[left + done : left + done + size]
        b = memory[right + done : right + done + size]
        if a != b:
            return (done + _common(a, b)) // step
        done += size
    return done // step


def _common(a: bytearray, b: bytearray) -> int:
    """Return how many bytes of two different strings of one length are equal at their start."""
    done = 0
    while len(a) > 1:
        half = len(a) // 2
        if a[:half] == b[:half]:
            done += half
            a, b = a[half:], b[half:]
        else:
            a, b = a[:half], b[:half]
    return done


def pattern(value: int, size: int, step: int) -> bytes:
    """Return the bytes of an integer of some size, as often as an iteration stores it."""
    return value.to_bytes(size, "little") * (step // size)


def fill_iterations(
    memory: bytearray, grant: Grant, address: int, step: int, pattern: bytes, count: int
) -> int:
    """Do at most `count` iterations that store a pattern, and return how many.

    Args:
        memory: the memory.
        grant: pays for the iterations.
        address: of the first byte that the first of them stores.
        step: the length of the pattern, negative where addresses fall.
        pattern: what an iteration stores.
        count: how many iterations are wanted.
    """
    size = len(pattern)
    count = grant(min(count, WINDOW, _room(memory, address, step)))
    if step < 0:
        address -= (count - 1) * size
    if count:
        memory[address : address + count * size] = pattern * count
    return count


def copy_iterations(
    memory: bytearray,
    grant: Grant,
    destination: int,
    source: int,
    step: int,
    unit: int,
    count: int,
) -> int:
    """Do at most `count` iterations that copy bytes, and return how many.

    Args:
        memory: the memory.
        grant: pays for the iterations.
        destination: the address of the first byte that the first of them stores.
        source: that of the first byte that it loads.
        step: how many bytes an iteration copies, negative where addresses fall.
        unit: how many of them are loaded before one of them is stored.
        count: how many iterations are wanted.
    """
    size = abs(step)
    ahead = destination - source if step > 0 else source - destination
    count = min(count, WINDOW, _room(memory, destination, step), _room(memory, source, step))
    if 0 < ahead < count * size:
        # What is stored is loaded again, by a later iteration.
        count = ahead // size if ahead >= unit else 0
        if count < _FEW:
            return 0
    count = grant(count)
    if step < 0:
        destination -= (count - 1) * size
        source -= (count - 1) * size
    if count:
        length = count * size
        memory[destination : destination + length] = memory[source : source + length]
    return count


def _room(memory: bytearray, address: int, step: int) -> int:
    """Return how many iterations there is room for before an address leaves the memory."""
    if step > 0:
        return (len(memory) - address) // step
    return address // -step + 1 if address - step <= len(memory) else 0


#: The functions by the names that generated code has for them.
FUNCTIONS = {
    "min": min,
    **{
        function.__name__: function
        for function in (
            count_until,
            count_equal,
            repeated_byte,
            pattern,
            fill_iterations,
            copy_iterations,
        )
    },
}
