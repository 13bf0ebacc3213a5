"""Ten snippets for each guest, each of another kind, which the guest runs in 10 to 100 ms.

Each can run any number of times in one instance, and its output is the same each time.
"""

from __future__ import annotations

#: Their output is what CPython prints.
PYTHON = {
    "calls": """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
print(fib(12))
""",
    "loops": """
total = 0
for i in range(1500):
    if i & 1:
        total = (total * 31 + i) % 1000003
    else:
        total ^= i
print(total)
""",
    "lists": """
sieve = [True] * 600
found = []
for i in range(2, 600):
    if sieve[i]:
        found.append(i)
        for j in range(i * i, 600, i):
            sieve[j] = False
print(len(found), sum(found), found[-3:])
""",
    "dictionaries": """
counts = {}
for i in range(400):
    key = 'k%d' % (i * i % 37)
    counts[key] = counts.get(key, 0) + 1
print(len(counts), sorted(counts.items())[:4])
""",
    "strings": """
text = 'the quick brown fox jumps over the lazy dog '
words = (text * 6).split()
line = ' '.join(''.join(reversed(w)).upper() for w in words)
print(len(line), line.count('O'), line.replace('EHT', 'the').find('the', 50), line[:20])
""",
    "exceptions": """
caught = 0
for i in range(60):
    try:
        if i % 3 == 0:
            raise ValueError(i)
        [][i]
    except ValueError as error:
        caught += error.args[0]
    except IndexError:
        caught += 1
print(caught)
""",
    "json": """
import json
value = {'name': 'purewasm', 'sizes': list(range(12)), 'nested': {'a': [None, True, 2.5]}}
for _ in range(8):
    value = json.loads(json.dumps(value))
print(value['sizes'][-1], value['nested']['a'], value['name'])
""",
    "closures": """
def adder(n):
    def add(x):
        return x + n
    return add
functions = [adder(i) for i in range(20)]
total = 0
for _ in range(15):
    for f in functions:
        total = f(total) & 0xFFFF
print(total, list(map(lambda x: x * total, range(3))))
""",
    "floats": """
x, y = 0.5, 0.25
for i in range(400):
    x = 3.9 * x * (1.0 - x)
    y = (y + x / (i + 1.0)) * 0.5
print('%.6f %.6f' % (x, y))
""",
    "sorting": """
s, xs = 7, []
for _ in range(150):
    s = (s * 1103515245 + 12345) % 2147483648
    xs.append(s % 1000)
ys = sorted(xs, key=lambda x: (x % 10, x))
xs.sort(reverse=True)
print(ys[:5], xs[:5])
""",
}

#: Each with the value of its last expression. A snippet is a block, so that its names are its own.
JAVASCRIPT: dict[str, tuple[str, object]] = {
    "calls": (
        "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) } fib(13)",
        233,
    ),
    "loops": (
        """let total = 0;
        for (let i = 0; i < 3000; i++) {
            if (i & 1) total = (total * 31 + i) % 1000003; else total ^= i;
        }
        total""",
        624003,
    ),
    "arrays": (
        """const sieve = new Array(1000).fill(true), found = [];
        for (let i = 2; i < 1000; i++) {
            if (!sieve[i]) continue;
            found.push(i);
            for (let j = i * i; j < 1000; j += i) sieve[j] = false;
        }
        [found.length, found.reduce((a, b) => a + b), found.slice(-3).join()].join()""",
        "168,76127,983,991,997",
    ),
    "objects": (
        """class Point {
            constructor(x, y) { this.x = x; this.y = y }
            get norm() { return this.x * this.x + this.y * this.y }
            plus(other) { return new Point(this.x + other.x, this.y + other.y) }
        }
        const counts = {};
        let sum = new Point(0, 0);
        for (let i = 0; i < 300; i++) {
            const key = 'k' + (i * i % 37);
            counts[key] = (counts[key] || 0) + 1;
            sum = sum.plus(new Point(i % 7, i % 5));
        }
        [Object.keys(counts).length, counts.k4, sum.norm].join()""",
        "19,17,1164609",
    ),
    "strings": (
        """let text = '';
        for (let i = 0; i < 60; i++) text += 'the quick brown fox ' + i + ' ';
        const words = text.split(' ').map(w => w.split('').reverse().join('').toUpperCase());
        const line = words.join('-');
        [line.length, line.indexOf('XOF-42'), line.slice(40, 60)].join()""",
        "1370,558,F-1-EHT-KCIUQ-NWORB-",
    ),
    "exceptions": (
        """let caught = 0;
        for (let i = 0; i < 200; i++) {
            try {
                if (i % 3 === 0) throw new RangeError(String(i));
                null.x;
            } catch (error) {
                caught += error instanceof RangeError ? Number(error.message) : 1;
            } finally { caught++ }
        }
        caught""",
        6966,
    ),
    "regular expressions and json": (
        r"""const log = Array.from({ length: 25 }, (_, i) =>
            `2024-${1 + i % 12}-0${1 + i % 9} user${i}@example.org "GET /p/${i * i}"`).join('\n');
        const found = [...log.matchAll(/(\d+)-(\d+)-(\d+) (\w+)@[\w.]+ "GET \/p\/(\d+)"/g)]
            .map(m => ({ month: +m[2], user: m[4], page: +m[5] }));
        const again = JSON.parse(JSON.stringify(found));
        [again.length, again[24].user, again.reduce((a, o) => a + o.page, 0)].join()""",
        "25,user24,4900",
    ),
    "closures": (
        """const adders = Array.from({ length: 20 }, (_, n) => x => x + n);
        const counter = () => { let n = 0; return () => ++n };
        const next = counter();
        let total = 0;
        for (let i = 0; i < 30; i++) for (const add of adders) total = add(total) & 0xffff, next();
        [total, next()].join()""",
        "5700,601",
    ),
    "floats": (
        """let x = 0.5, y = 0.25;
        for (let i = 0; i < 1500; i++) {
            x = 3.9 * x * (1.0 - x);
            y = (y + Math.sqrt(x) / (i + 1.0)) * 0.5;
        }
        y.toFixed(9)""",
        "0.000582729",
    ),
    "sorting": (
        """let s = 7; const xs = [];
        for (let i = 0; i < 250; i++) {
            s = (s * 1103515245 + 12345) % 2147483648;
            xs.push(s % 1000);
        }
        const ys = xs.slice().sort((a, b) => a % 10 - b % 10 || a - b);
        xs.sort((a, b) => b - a);
        [ys.slice(0, 4).join(), xs.slice(0, 4).join()].join(';')""",
        "40,80,120,160;976,976,976,968",
    ),
}


def javascript(name: str) -> str:
    """Return the source of a snippet as a block."""
    return f"{{{JAVASCRIPT[name][0]}\n}}"
