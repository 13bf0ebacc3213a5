"""Kernels in idiomatic Python, with lists instead of words in a memory.

Only kernels that differ from those of `handwritten`. A WebAssembly program has no lists, so the
translator is not expected to be as fast as these.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from benchmarks.kernels.handwritten import (
    ADD,
    AND,
    BLAKE2B_IV,
    CRC_DATA,
    DROP,
    DUP,
    HALT,
    JUMP,
    JUMP_IF,
    LESS,
    LOAD,
    MASK,
    MASK64,
    MUL,
    PROGRAM,
    PUSH,
    SEARCH_TEXT,
    SHA256_INITIAL,
    SHA256_K,
    SHIFT,
    SIGMA,
    STORE,
    SUB,
    SWAP,
    crc_entry,
    next_random,
    rotate,
)

# --- matmul -----------------------------------------------------------------------------------


def matmul(n: int) -> float:
    size = range(12)
    total = 0.0
    for turn in range(n):
        a = [[(turn & 7) + i * 0.25 - j * 0.125 for j in size] for i in size]
        b = [[1.5 - i * 0.375 + j * 0.0625 for j in size] for i in size]
        product = [[0.0] * 12 for _ in size]
        for i in size:
            for j in size:
                value = 0.0
                for k in size:
                    value += a[i][k] * b[k][j]
                product[i][j] = value
        for i in size:
            for j in size:
                total += product[i][j] * (i + 1.0)
    return total


# --- nbody ------------------------------------------------------------------------------------


class Body:
    __slots__ = ("mass", "vx", "vy", "vz", "x", "y", "z")

    def __init__(self, i: int) -> None:
        self.x = i * 1.5 - 2.0
        self.y = 3.0 - i * 0.75
        self.z = i * i * 0.25
        self.vx = 0.01 * i
        self.vy = 0.02 - 0.005 * i
        self.vz = 0.0
        self.mass = 1.0 + 0.5 * i


def advance(bodies: list[Body], dt: float) -> None:
    for i, p in enumerate(bodies):
        for q in bodies[i + 1 :]:
            dx = p.x - q.x
            dy = p.y - q.y
            dz = p.z - q.z
            squared = dx * dx + dy * dy + dz * dz + 0.01
            force = dt / (squared * math.sqrt(squared))
            p.vx -= dx * q.mass * force
            p.vy -= dy * q.mass * force
            p.vz -= dz * q.mass * force
            q.vx += dx * p.mass * force
            q.vy += dy * p.mass * force
            q.vz += dz * p.mass * force
    for p in bodies:
        p.x += dt * p.vx
        p.y += dt * p.vy
        p.z += dt * p.vz


def nbody(n: int) -> float:
    total = 0.0
    for _ in range(n):
        bodies = [Body(i) for i in range(5)]
        for _ in range(10):
            advance(bodies, 0.01)
        for p in bodies:
            total += p.x + p.y + p.z
    return total


# --- sha256 -----------------------------------------------------------------------------------


def sha256_block(state: list[int], block: bytearray) -> None:
    w = [int.from_bytes(block[i : i + 4], "big") for i in range(0, 64, 4)]
    for t in range(16, 64):
        x, y = w[t - 15], w[t - 2]
        s0 = rotate(x, 7) ^ rotate(x, 18) ^ x >> 3
        s1 = rotate(y, 17) ^ rotate(y, 19) ^ y >> 10
        w.append(s1 + w[t - 7] + s0 + w[t - 16] & MASK)
    a, b, c, d, e, f, g, h = state
    for t in range(64):
        s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
        t1 = h + s1 + (e & f ^ ~e & g) + SHA256_K[t] + w[t]
        t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = t1 + t2 & MASK, a, b, c, d + t1 & MASK, e, f, g
    for i, value in enumerate((a, b, c, d, e, f, g, h)):
        state[i] = state[i] + value & MASK


def sha256(n: int) -> int:
    total = 0
    for _ in range(n):
        message = bytearray(256 + 64)
        for i in range(256):
            message[i] = i * 7 & 255
        message[256] = 0x80
        message[-2:] = (256 * 8).to_bytes(2, "big")
        state = SHA256_INITIAL[:]
        for start in range(0, len(message), 64):
            sha256_block(state, message[start : start + 64])
        for word in state:
            total = total * 31 + word & MASK
    return total


# --- blake2b ----------------------------------------------------------------------------------


def mix(v: list[int], a: int, b: int, c: int, d: int, x: int, y: int) -> None:
    v[a] = v[a] + v[b] + x & MASK64
    t = v[d] ^ v[a]
    v[d] = (t >> 32 | t << 32) & MASK64
    v[c] = v[c] + v[d] & MASK64
    t = v[b] ^ v[c]
    v[b] = (t >> 24 | t << 40) & MASK64
    v[a] = v[a] + v[b] + y & MASK64
    t = v[d] ^ v[a]
    v[d] = (t >> 16 | t << 48) & MASK64
    v[c] = v[c] + v[d] & MASK64
    t = v[b] ^ v[c]
    v[b] = (t >> 63 | t << 1) & MASK64


def compress(h: list[int], m: list[int], length: int, last: bool) -> None:
    v = h + BLAKE2B_IV
    v[12] ^= length
    if last:
        v[14] ^= MASK64
    for turn in range(12):
        s = SIGMA[turn % 10]
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]])
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]])
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]])
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]])
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]])
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]])
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]])
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]])
    for i in range(8):
        h[i] ^= v[i] ^ v[i + 8]


def blake2b(n: int) -> int:
    total = 0
    for _ in range(n):
        message = [(i + 1) * 0x9E3779B97F4A7C15 & MASK64 for i in range(64)]
        h = BLAKE2B_IV[:]
        h[0] ^= 0x01010040
        for start in range(0, 64, 16):
            compress(h, message[start : start + 16], start * 8 + 128, start == 48)
        total = total * 31 + h[0] & MASK64
    return total


# --- crc32 ------------------------------------------------------------------------------------


CRC_TABLE = [crc_entry(i) for i in range(256)]


def crc32(n: int) -> int:
    crc = 0
    for _ in range(n):
        crc ^= MASK
        for byte in CRC_DATA:
            crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
        crc ^= MASK
    return crc


# --- levenshtein ------------------------------------------------------------------------------


def distance(first: bytearray, second: bytearray) -> int:
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first):
        diagonal = row[0]
        row[0] = i + 1
        for j, other in enumerate(second):
            best = diagonal + (letter != other)
            diagonal = row[j + 1]
            if diagonal + 1 < best:
                best = diagonal + 1
            if row[j] + 1 < best:
                best = row[j] + 1
            row[j + 1] = best
    return row[-1]


def levenshtein(n: int) -> int:
    total = 0
    state = 1
    first = bytearray(40)
    second = bytearray(48)
    for _ in range(n):
        for letters in (first, second):
            for i in range(len(letters)):
                state = next_random(state)
                letters[i] = 97 + (state >> 8) % 4
        total = total * 31 + distance(first, second) & MASK
    return total


# --- quicksort --------------------------------------------------------------------------------


def sort(numbers: list[int], low: int, high: int) -> None:
    pivot = numbers[(low + high) // 2]
    i, j = low, high
    while i <= j:
        while numbers[i] < pivot:
            i += 1
        while numbers[j] > pivot:
            j -= 1
        if i <= j:
            numbers[i], numbers[j] = numbers[j], numbers[i]
            i += 1
            j -= 1
    if low < j:
        sort(numbers, low, j)
    if i < high:
        sort(numbers, i, high)


def quicksort(n: int) -> int:
    total = 0
    state = 1
    numbers = [0] * 200
    for _ in range(n):
        for i in range(200):
            state = next_random(state)
            numbers[i] = (state >> 8) - 0x800000
        sort(numbers, 0, 199)
        for number in numbers[::8]:
            total = total * 31 + number & MASK
    return total


# --- interpreter ------------------------------------------------------------------------------


def execute(program: bytearray) -> int:
    stack = [0] * 16
    variables = [0] * 4
    at = top = 0
    while True:
        operation = program[at]
        at += 1
        if operation == PUSH:
            stack[top] = program[at]
            top += 1
            at += 1
        elif operation == LOAD:
            stack[top] = variables[program[at]]
            top += 1
            at += 1
        elif operation == STORE:
            top -= 1
            variables[program[at]] = stack[top]
            at += 1
        elif operation == ADD:
            top -= 1
            stack[top - 1] = stack[top - 1] + stack[top] & MASK
        elif operation == SUB:
            top -= 1
            stack[top - 1] = stack[top - 1] - stack[top] & MASK
        elif operation == MUL:
            top -= 1
            stack[top - 1] = stack[top - 1] * stack[top] & MASK
        elif operation == AND:
            top -= 1
            stack[top - 1] &= stack[top]
        elif operation == SHIFT:
            top -= 1
            stack[top - 1] >>= stack[top] & 31
        elif operation == LESS:
            top -= 1
            stack[top - 1] = 1 if stack[top - 1] < stack[top] else 0
        elif operation == JUMP:
            at = program[at]
        elif operation == JUMP_IF:
            top -= 1
            at = program[at] if stack[top] else at + 1
        elif operation == DUP:
            stack[top] = stack[top - 1]
            top += 1
        elif operation == SWAP:
            stack[top - 1], stack[top - 2] = stack[top - 2], stack[top - 1]
        elif operation == DROP:
            top -= 1
        elif operation == HALT:
            return stack[top - 1]


def interpreter(n: int) -> int:
    total = 0
    for _ in range(n):
        total = total * 31 + execute(PROGRAM) & MASK
    return total


# --- string_search ----------------------------------------------------------------------------


def search(text: bytearray, pattern: bytearray) -> int:
    length = len(pattern)
    skip = [length] * 256
    for i in range(length - 1):
        skip[pattern[i]] = length - 1 - i
    at = 0
    while at <= len(text) - length:
        i = length
        while i > 0 and text[at + i - 1] == pattern[i - 1]:
            i -= 1
        if i == 0:
            return at
        at += skip[text[at + length - 1]]
    return len(text)


def string_search(n: int) -> int:
    total = 0
    for _ in range(n):
        for place in range(100, 700, 100):
            pattern = SEARCH_TEXT[place : place + 6]
            if place & 4:
                pattern[2] = ord("z")
            total = total * 31 + search(SEARCH_TEXT, pattern) & MASK
    return total


#: By the name of the kernel's files.
IDIOMATIC: dict[str, Callable[[int], int | float]] = {
    function.__name__: function
    for function in (
        matmul,
        nbody,
        sha256,
        blake2b,
        crc32,
        levenshtein,
        quicksort,
        interpreter,
        string_search,
    )
}
