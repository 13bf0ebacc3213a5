"""Snippets of Python that print the same in MicroPython as in CPython."""

from __future__ import annotations

SNIPPETS = {
    "closures": """
def counter():
    n = 0
    def up(by=1):
        nonlocal n
        n += by
        return n
    return up
a, b = counter(), counter()
a(); b(10)
print(a(41), b())
""",
    "exceptions": """
def f(n):
    try:
        if n == 0:
            raise ValueError('low')
        f(n - 1)
    finally:
        print('out', n, end=' ')
try:
    f(3)
except (KeyError, ValueError) as error:
    print(type(error).__name__, error)
""",
    "errors of the interpreter": """
found = []
for f in (lambda: {}['x'], lambda: [][1], lambda: 1 / 0, lambda: None.x, lambda: int('z'),
    lambda: undefined, lambda: 1 + 'a'):
    try:
        f()
    except Exception as error:
        found.append(type(error).__name__)
print(*found)
""",
    "own exceptions": """
class E(Exception):
    def __init__(self, code):
        super().__init__('code %d' % code)
        self.code = code
class M:
    def __enter__(self):
        return self
    def __exit__(self, kind, error, trace):
        print('exit', error.code, end=' ')
        return error.code < 5
for code in (3, 7):
    try:
        with M():
            raise E(code)
    except E as error:
        print('caught', error, end=' ')
print()
""",
    "generators": """
def walk(t):
    if t:
        yield from walk(t[0])
        yield t[1]
        yield from walk(t[2])
def echo():
    x = yield 'ready'
    while True:
        try:
            x = yield x * 2
        except ValueError:
            x = yield 'thrown'
g = echo()
print(list(walk(((None, 1, None), 2, (None, 3, None)))), next(g), g.send(21),
    g.throw(ValueError()), sum(i * i for i in range(10)))
""",
    "big ints": """
f = 1
for i in range(1, 41):
    f *= i
print(f, -7 // 2, -7 % 3, 2 ** 100 - 1, f % 1000000007, (1 << 70) >> 3, hex(0xffffffffffffffff * 3))
""",
    "big ints, divided": """
x = 3 ** 200
print(x // 7 ** 30, x % 10 ** 20, -x // 10 ** 80, x ^ (x >> 7), ~x & 0xffff)
""",
    "sorting": """
words = 'the quick brown fox jumps over the lazy dog'.split()
s, xs = 7, []
for _ in range(60):
    s = (s * 1103515245 + 12345) % 2147483648
    xs.append(s % 1000)
print(sorted(words, key=lambda w: (len(w), w)), sorted(xs)[:5], sorted(xs, reverse=True)[:5],
    max(words), min(xs))
""",
    "json": """
import json
v = json.loads('{"a": [1, -2.5, true, null, "\\\\u00e9\\\\n"], "b": {"c": {}}}')
print(v['a'][1] * 2, v['a'][4] == chr(233) + chr(10), json.dumps([1, 'x', None, False,
    {'k': [2.5]}]))
""",
    "bytes": """
b = bytearray(b'hello')
b[0] = 0x48
b[4] = ord('O')
b.extend(b' wasm')
print(bytes(b), b.find(b'wasm'), bytes([1, 255]), b[1:4], int.from_bytes(b'\\x01\\x02',
    'little'), (513).to_bytes(2, 'big'))
""",
    "typed arrays": """
import array
a = array.array('h', [1, -2, 300])
a.append(-32768)
d = array.array('d', [0.5])
print(list(a), len(bytes(a)), a[1] + a[2], list(bytes(d)))
""",
    "packed data": """
import struct
print(struct.pack('<hIq', -2, 7, -1), struct.unpack('>f', b'\\x3f\\x80\\x00\\x00'),
    struct.calcsize('<bI'))
""",
    "floats": """
print(1 / 3, 1e100, 0.1 + 0.2, float('-inf'), round(2.5), 7.0 // 2, -7.5 % 2, 1e-7, 5e-324 > 0)
""",
    "mathematics": """
import math
print(math.sqrt(2), '%.10f' % math.sin(1), '%.10f' % math.atan2(1, -1), '%.6g' % math.exp(1),
    math.floor(-2.5), math.pi)
""",
    "formats": """
print('%5d|%-5s|%05.2f|%x' % (42, 'ab', 3.14159, 255), '{:>6}|{:^7}|{:<4}|{:+d}'.format('r',
    'mid', 'l', 5), '%r' % 'q\\n')
""",
    "texts": """
t = 'Wasm in Python'
print(t.upper(), t.find('in'), t[-6:], t.split(), t.replace('a', '4'),
    '-'.join(reversed(t.split())), ' x '.strip())
""",
    "unicode": """
t = 'añ😀'
print(len(t.encode()), list(t.encode()), t + '!', 'ñ' in t)
""",
    "dictionaries and sets": """
d = {k: len(k) for k in ('a', 'bb', 'ccc')}
d.update(bb=9)
s = {3, 1, 2} & {2, 3, 4}
print(sorted(d.items()), d.pop('a'), d.get('zz', 0), sorted(s), sorted({1, 2} ^ {2, 3}),
    len({(1, 2): 3}), 'bb' in d)
""",
    "classes": """
class A:
    made = 0
    def __init__(self, n):
        self.n = n
        A.made += 1
    def __add__(self, other):
        return type(self)(self.n + other.n)
    def __repr__(self):
        return '%s(%d)' % (type(self).__name__, self.n)
    def __getitem__(self, i):
        return self.n * i
    @property
    def twice(self):
        return 2 * self.n
class B(A):
    def __init__(self, n):
        super().__init__(n * 10)
print(A(1) + A(2), B(1) + B(2), B(3).twice, A(4)[5], A.made, isinstance(B(0), A))
""",
    "functions": """
def f(a, b=2, *rest, key=None, **more):
    return a, b, rest, key, sorted(more.items())
print(f(1), f(1, 3, 4, 5, key='k', z=1, y=2), f(*[1, 2], **{'key': 3}), (lambda *a: a)(*range(3)))
""",
    "iteration": """
print(list(zip('ab', range(5))), list(enumerate('xy', 1)), list(map(lambda x: x + 1,
    filter(None, [0, 1, 2]))), any([0, 1]), list(range(10, 0, -3)))
""",
    "recursion": """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
print(fib(13))
""",
    "sieve": """
sieve = bytearray(500)
found = []
for i in range(2, 500):
    if not sieve[i]:
        found.append(i)
        for j in range(i * i, 500, i):
            sieve[j] = 1
print(len(found), found[-1])
""",
    "garbage": """
import gc
xs = []
for i in range(600):
    xs = [xs, i] if i % 50 else [i]
gc.collect()
n = 0
while len(xs) == 2:
    n += 1
    xs = xs[0]
print(n)
""",
}
