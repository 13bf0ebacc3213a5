"""The kernels as a Python programmer would write them, with the results that the C ones give.

Same algorithms, same wrap-around, and what the C ones keep in memory is in a bytearray here, words
as views of one. Integers come back unsigned. This is what the translator is measured against;
`idiomatic` has what changes when a list will do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

MASK = 0xFFFFFFFF
MASK64 = 0xFFFFFFFFFFFFFFFF
FNV_BASIS = 2166136261


def checksum(hash: int, data: bytearray, size: int) -> int:
    for i in range(size):
        hash = (hash ^ data[i]) * 16777619 & MASK
    return hash


def array(format: Literal["i", "I", "Q"], count: int) -> memoryview[int]:
    """That many zeros in a memory, of 32 or, for Q, 64 bits."""
    return memoryview(bytearray(count * (8 if format == "Q" else 4))).cast(format)


def floats(count: int) -> memoryview[float]:
    return memoryview(bytearray(count * 8)).cast("d")


def next_random(state: int) -> int:
    """The next state; the number is its upper 24 bits."""
    return state * 1664525 + 1013904223 & MASK


# --- fib --------------------------------------------------------------------------------------


def fib_of(n: int) -> int:
    return n if n < 2 else fib_of(n - 1) + fib_of(n - 2) & MASK


def fib(n: int) -> int:
    total = 0
    for _ in range(n):
        total = total + fib_of(15) & MASK
    return total


# --- sieve ------------------------------------------------------------------------------------

SIEVE_SIZE = 2048
composite = bytearray(SIEVE_SIZE)


def sieve(n: int) -> int:
    count = 0
    for _ in range(n):
        for i in range(SIEVE_SIZE):
            composite[i] = 0
        for i in range(2, SIEVE_SIZE):
            if not composite[i]:
                count += 1
                for j in range(i * i, SIEVE_SIZE, i):
                    composite[j] = 1
    return count & MASK


# --- matmul -----------------------------------------------------------------------------------


SIZE = 12
a, b, product = (floats(SIZE * SIZE) for _ in range(3))


def matmul(n: int) -> float:
    total = 0.0
    for turn in range(n):
        for i in range(SIZE):
            for j in range(SIZE):
                a[i * SIZE + j] = (turn & 7) + i * 0.25 - j * 0.125
                b[i * SIZE + j] = 1.5 - i * 0.375 + j * 0.0625
        for i in range(SIZE):
            for j in range(SIZE):
                value = 0.0
                for k in range(SIZE):
                    value += a[i * SIZE + k] * b[k * SIZE + j]
                product[i * SIZE + j] = value
        for i in range(SIZE):
            for j in range(SIZE):
                total += product[i * SIZE + j] * (i + 1.0)
    return total


# --- nbody ------------------------------------------------------------------------------------


BODIES = 5
x, y, z, vx, vy, vz, mass = (floats(BODIES) for _ in range(7))


def start() -> None:
    for i in range(BODIES):
        x[i] = i * 1.5 - 2.0
        y[i] = 3.0 - i * 0.75
        z[i] = i * i * 0.25
        vx[i] = 0.01 * i
        vy[i] = 0.02 - 0.005 * i
        vz[i] = 0.0
        mass[i] = 1.0 + 0.5 * i


def advance(dt: float) -> None:
    for i in range(BODIES):
        for j in range(i + 1, BODIES):
            dx = x[i] - x[j]
            dy = y[i] - y[j]
            dz = z[i] - z[j]
            squared = dx * dx + dy * dy + dz * dz + 0.01
            force = dt / (squared * math.sqrt(squared))
            vx[i] -= dx * mass[j] * force
            vy[i] -= dy * mass[j] * force
            vz[i] -= dz * mass[j] * force
            vx[j] += dx * mass[i] * force
            vy[j] += dy * mass[i] * force
            vz[j] += dz * mass[i] * force
    for i in range(BODIES):
        x[i] += dt * vx[i]
        y[i] += dt * vy[i]
        z[i] += dt * vz[i]


def nbody(n: int) -> float:
    total = 0.0
    for _ in range(n):
        start()
        for _ in range(10):
            advance(0.01)
        for i in range(BODIES):
            total += x[i] + y[i] + z[i]
    return total


# --- mandelbrot -------------------------------------------------------------------------------


def mandelbrot(n: int) -> int:
    total = 0
    for _ in range(n):
        for row in range(16):
            for column in range(16):
                cr = column * (3.0 / 16) - 2.25
                ci = row * (2.5 / 16) - 1.25
                zr = zi = 0.0
                i = 0
                while i < 50 and zr * zr + zi * zi <= 4.0:
                    zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
                    i += 1
                total += i
    return total & MASK


# --- sha256 -----------------------------------------------------------------------------------


def fractions_of_roots(root: int, count: int, bits: int) -> list[int]:
    """The first bits after the point of the square or cube roots of the first primes."""
    primes = [p for p in range(2, 400) if all(p % q for q in range(2, math.isqrt(p) + 1))]
    answers = []
    for prime in primes[:count]:
        low, high = 0, prime << bits
        while high - low > 1:
            middle = (low + high) // 2
            if middle**root <= prime << bits * root:
                low = middle
            else:
                high = middle
        answers.append(low & (1 << bits) - 1)
    return answers


SHA256_K = fractions_of_roots(3, 64, 32)
SHA256_INITIAL = fractions_of_roots(2, 8, 32)


def rotate(x: int, count: int) -> int:
    return (x >> count | x << 32 - count) & MASK


message = bytearray(256 + 64)
state = array("I", 8)
w = array("I", 64)


def sha256_block(start: int) -> None:
    for t in range(16):
        at = start + 4 * t
        w[t] = int.from_bytes(message[at : at + 4], "big")
    for t in range(16, 64):
        early, late = w[t - 15], w[t - 2]
        s0 = rotate(early, 7) ^ rotate(early, 18) ^ early >> 3
        s1 = rotate(late, 17) ^ rotate(late, 19) ^ late >> 10
        w[t] = s1 + w[t - 7] + s0 + w[t - 16] & MASK
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
        for i in range(256):
            message[i] = i * 7 & 255
        message[256] = 0x80
        message[257:] = bytes(61) + (256 * 8).to_bytes(2, "big")
        for i in range(8):
            state[i] = SHA256_INITIAL[i]
        for start in range(0, len(message), 64):
            sha256_block(start)
        for word in state:
            total = total * 31 + word & MASK
    return total


# --- blake2b ----------------------------------------------------------------------------------

BLAKE2B_IV = fractions_of_roots(2, 8, 64)
SIGMA = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
]


words = array("Q", 64)
hash_words = array("Q", 8)
v = array("Q", 16)


def mix(a: int, b: int, c: int, d: int, x: int, y: int) -> None:
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


def compress(m: memoryview[int], length: int, last: bool) -> None:
    for i in range(8):
        v[i] = hash_words[i]
        v[i + 8] = BLAKE2B_IV[i]
    v[12] ^= length
    if last:
        v[14] ^= MASK64
    for turn in range(12):
        s = SIGMA[turn % 10]
        mix(0, 4, 8, 12, m[s[0]], m[s[1]])
        mix(1, 5, 9, 13, m[s[2]], m[s[3]])
        mix(2, 6, 10, 14, m[s[4]], m[s[5]])
        mix(3, 7, 11, 15, m[s[6]], m[s[7]])
        mix(0, 5, 10, 15, m[s[8]], m[s[9]])
        mix(1, 6, 11, 12, m[s[10]], m[s[11]])
        mix(2, 7, 8, 13, m[s[12]], m[s[13]])
        mix(3, 4, 9, 14, m[s[14]], m[s[15]])
    for i in range(8):
        hash_words[i] ^= v[i] ^ v[i + 8]


def blake2b(n: int) -> int:
    total = 0
    for _ in range(n):
        for i in range(64):
            words[i] = (i + 1) * 0x9E3779B97F4A7C15 & MASK64
        for i in range(8):
            hash_words[i] = BLAKE2B_IV[i]
        hash_words[0] ^= 0x01010040
        for start in range(0, 64, 16):
            compress(words[start : start + 16], start * 8 + 128, start == 48)
        total = total * 31 + hash_words[0] & MASK64
    return total


# --- crc32 ------------------------------------------------------------------------------------


def crc_entry(value: int) -> int:
    for _ in range(8):
        value = 0xEDB88320 ^ value >> 1 if value & 1 else value >> 1
    return value


CRC_TABLE = array("I", 256)
for i in range(256):
    CRC_TABLE[i] = crc_entry(i)
CRC_DATA = bytearray(i * 31 >> 2 & 255 for i in range(1024))


def crc32(n: int) -> int:
    crc = 0
    for _ in range(n):
        crc ^= MASK
        for byte in CRC_DATA:
            crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
        crc ^= MASK
    return crc


# --- levenshtein ------------------------------------------------------------------------------


row = array("I", 49)


def distance(first: bytearray, second: bytearray) -> int:
    for j in range(len(second) + 1):
        row[j] = j
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
    return row[len(second)]


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


numbers = array("i", 200)


def sort(low: int, high: int) -> None:
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
        sort(low, j)
    if i < high:
        sort(i, high)


def quicksort(n: int) -> int:
    total = 0
    state = 1
    for _ in range(n):
        for i in range(200):
            state = next_random(state)
            numbers[i] = (state >> 8) - 0x800000
        sort(0, 199)
        for number in numbers[::8]:
            total = total * 31 + number & MASK
    return total


# --- json_format ------------------------------------------------------------------------------

JSON_TEXT = bytearray(
    b'{"name":"purewasm","tags":["wasm","python","plugin host"],"size":20480,'
    b'"ok":true,"none":null,"empty":{},"list":[],"nested":{"depth":{"of":[1,2.5,-3e8,'
    b'{"quote":"say \\"hi\\"","path":"a\\\\b"}]}},"text":"brackets [ ] { } , : inside"}'
)
QUOTE, BACKSLASH, COMMA, COLON, SPACE, NEWLINE = b'"\\,: \n'
OPENING, CLOSING = b"{[", b"}]"


def format_json(text: bytearray, output: bytearray) -> int:
    at = depth = i = 0
    in_string = False
    while i < len(text):
        c = text[i]
        if in_string:
            output[at] = c
            at += 1
            if c == BACKSLASH:
                i += 1
                output[at] = text[i]
                at += 1
            elif c == QUOTE:
                in_string = False
        elif c == QUOTE:
            output[at] = c
            at += 1
            in_string = True
        elif c in OPENING:
            output[at] = c
            at += 1
            if text[i + 1] == c + 2:
                i += 1
                output[at] = text[i]
                at += 1
            else:
                depth += 1
                at = indent(output, at, depth)
        elif c in CLOSING:
            depth -= 1
            at = indent(output, at, depth)
            output[at] = c
            at += 1
        elif c == COMMA:
            output[at] = c
            at = indent(output, at + 1, depth)
        elif c == COLON:
            output[at] = c
            output[at + 1] = SPACE
            at += 2
        else:
            output[at] = c
            at += 1
        i += 1
    return at


def indent(output: bytearray, at: int, depth: int) -> int:
    output[at] = NEWLINE
    at += 1
    for _ in range(2 * depth):
        output[at] = SPACE
        at += 1
    return at


def json_format(n: int) -> int:
    hash = FNV_BASIS
    output = bytearray(2048)
    for _ in range(n):
        hash = checksum(hash, output, format_json(JSON_TEXT, output))
    return hash


# --- markdown ---------------------------------------------------------------------------------

MARKDOWN_TEXT = bytearray(
    b"# PureWasm & friends\n\nA *plugin* host that needs **no** native wheel.\n"
    b"It runs `a < b` too.\n\n## Lists\n\n- one item\n- an *emphasised* one\n"
    b"- see [the page](https://example.org/?a=1&b=2)\n\n"
    b"```\nif (a < b && c > d) {\n    return *p;\n}\n```\n\nLast **bold *and* nested** words.\n"
)
STAR, BACKTICK, HASH, DASH, BRACKET, PARENTHESIS = b"*`#-[("
ESCAPES = {ord("&"): b"&amp;", ord("<"): b"&lt;", ord(">"): b"&gt;", ord('"'): b"&quot;"}


def escape(text: bytearray, start: int, end: int, output: bytearray) -> None:
    for i in range(start, end):
        c = text[i]
        if c in ESCAPES:
            output += ESCAPES[c]
        else:
            output.append(c)


def line_of_text(text: bytearray, i: int, end: int, output: bytearray) -> None:
    bold = emphasis = False
    while i < end:
        c = text[i]
        if c == STAR and text[i + 1] == STAR:
            output += b"</strong>" if bold else b"<strong>"
            bold = not bold
            i += 2
        elif c == STAR:
            output += b"</em>" if emphasis else b"<em>"
            emphasis = not emphasis
            i += 1
        elif c == BACKTICK:
            output += b"<code>"
            close = text.find(b"`", i + 1, end)
            close = end if close < 0 else close
            escape(text, i + 1, close, output)
            output += b"</code>"
            i = close + 1
        elif c == BRACKET:
            middle = text.find(b"]", i, end)
            close = text.find(b")", i, end)
            if middle < 0 or close < 0 or text[middle + 1] != PARENTHESIS:
                output.append(c)
                i += 1
                continue
            output += b'<a href="'
            escape(text, middle + 2, close, output)
            output += b'">'
            escape(text, i + 1, middle, output)
            output += b"</a>"
            i = close + 1
        else:
            escape(text, i, i + 1, output)
            i += 1


def convert_markdown(text: bytearray) -> bytearray:
    output = bytearray()
    closing = {"p": b"</p>\n", "ul": b"</ul>\n", "pre": b"", "": b""}
    block = ""
    start = 0
    while start < len(text):
        end = text.index(b"\n", start)
        if text[start] == text[start + 1] == text[start + 2] == BACKTICK:
            if block == "pre":
                output += b"</code></pre>\n"
                block = ""
            else:
                output += closing[block]
                output += b"<pre><code>"
                block = "pre"
        elif block == "pre":
            escape(text, start, end + 1, output)
        elif start == end:
            output += closing[block]
            block = ""
        elif text[start] == HASH:
            level = 0
            while text[start + level] == HASH:
                level += 1
            output += closing[block]
            block = ""
            output += b"<h%d>" % level
            line_of_text(text, start + level + 1, end, output)
            output += b"</h%d>\n" % level
        elif text[start] == DASH and text[start + 1] == SPACE:
            if block != "ul":
                output += closing[block]
                output += b"<ul>\n"
                block = "ul"
            output += b"<li>"
            line_of_text(text, start + 2, end, output)
            output += b"</li>\n"
        else:
            if block != "p":
                output += closing[block]
                output += b"<p>"
                block = "p"
            else:
                output.append(NEWLINE)
            line_of_text(text, start, end, output)
        start = end + 1
    output += closing[block]
    return output


def markdown(n: int) -> int:
    hash = FNV_BASIS
    for _ in range(n):
        output = convert_markdown(MARKDOWN_TEXT)
        hash = checksum(hash, output, len(output))
    return hash


# --- base64 -----------------------------------------------------------------------------------

DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
VALUES = bytearray(256)
for value, digit in enumerate(DIGITS):
    VALUES[digit] = value


def encode(plain: bytearray, encoded: bytearray) -> None:
    j = 0
    for i in range(0, len(plain), 3):
        group = plain[i] << 16 | plain[i + 1] << 8 | plain[i + 2]
        encoded[j] = DIGITS[group >> 18]
        encoded[j + 1] = DIGITS[group >> 12 & 63]
        encoded[j + 2] = DIGITS[group >> 6 & 63]
        encoded[j + 3] = DIGITS[group & 63]
        j += 4


def decode(encoded: bytearray, decoded: bytearray) -> None:
    j = 0
    for i in range(0, len(decoded), 3):
        group = (
            VALUES[encoded[j]] << 18
            | VALUES[encoded[j + 1]] << 12
            | VALUES[encoded[j + 2]] << 6
            | VALUES[encoded[j + 3]]
        )
        decoded[i] = group >> 16
        decoded[i + 1] = group >> 8 & 255
        decoded[i + 2] = group & 255
        j += 4


def base64(n: int) -> int:
    plain = bytearray(i * 73 >> 1 & 255 for i in range(384))
    encoded = bytearray(512)
    decoded = bytearray(384)
    hash = FNV_BASIS
    for turn in range(n):
        plain[0] = turn & 255
        encode(plain, encoded)
        decode(encoded, decoded)
        hash = checksum(hash, decoded, 16)
        hash = checksum(hash, encoded, 16)
    return hash


# --- interpreter ------------------------------------------------------------------------------

(PUSH, LOAD, STORE, ADD, SUB, MUL, AND, SHIFT, LESS, JUMP, JUMP_IF, DUP, SWAP, DROP, HALT) = range(
    15
)

PROGRAM = bytearray(
    [
        *(PUSH, 0, STORE, 0, PUSH, 2, STORE, 1),
        *(LOAD, 1, STORE, 2),
        *(LOAD, 0, PUSH, 1, ADD, STORE, 0),
        *(LOAD, 2, PUSH, 1, AND, JUMP_IF, 35),
        *(LOAD, 2, PUSH, 1, SHIFT, STORE, 2, JUMP, 45),
        *(LOAD, 2, PUSH, 3, MUL, PUSH, 1, ADD, STORE, 2),
        *(PUSH, 1, LOAD, 2, LESS, JUMP_IF, 12),
        *(LOAD, 1, PUSH, 1, ADD, DUP, STORE, 1),
        *(PUSH, 24, LESS, JUMP_IF, 8),
        *(LOAD, 0, HALT),
    ]
)


stack = array("I", 16)
variables = array("I", 4)


def execute(program: bytearray) -> int:
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


def random_text(size: int) -> bytearray:
    text = bytearray(size)
    state = 7
    for i in range(size):
        state = next_random(state)
        text[i] = 97 + (state >> 8) % 8
    return text


SEARCH_TEXT = random_text(1024)


skip = array("I", 256)


def search(text: bytearray, pattern: bytearray) -> int:
    length = len(pattern)
    for i in range(256):
        skip[i] = length
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


#: Every kernel by the name of its files.
KERNELS: dict[str, Callable[[int], int | float]] = {
    function.__name__: function
    for function in (
        fib,
        sieve,
        matmul,
        nbody,
        mandelbrot,
        sha256,
        blake2b,
        crc32,
        levenshtein,
        quicksort,
        json_format,
        markdown,
        base64,
        interpreter,
        string_search,
    )
}
