"""Throws broken and valid modules at the loader for a while: `python -m benchmarks.fuzz`.

Everything that comes in must end as a valid module or in a `DecodeError` or a `ValidationError`,
soon; wasmtime must agree which it is; and what is valid must come back the same from its text. What
does not is saved, and the command fails.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import wasmtime

from purewasm_plugins.wasm import decode
from purewasm_plugins.wasm.text import disassemble
from tests.generators import mutated, random_module
from tests.wasm.comparison import essence, outcome

ROOT = Path(__file__).parents[1]

#: Larger ones take so long that little would come of them.
MAX_SIZE = 40_000

#: Seconds that a module may take for each byte it has, and at least.
SECONDS_PER_BYTE, SECONDS = 20e-6, 0.5


def corpus() -> list[bytes]:
    """The modules of the repository."""
    paths = sorted((ROOT / "fixtures").rglob("*.wasm")) + sorted(ROOT.glob("benchmarks/**/*.wasm"))
    return [path.read_bytes() for path in paths if path.stat().st_size <= MAX_SIZE]


def valid(random: Random, modules: list[bytes]) -> tuple[str, bytes]:
    """A valid module."""
    return "valid", random_module(
        random, functions=random.randint(2, 6), size=random.choice((5, 40))
    )


def broken(random: Random, modules: list[bytes]) -> tuple[str, bytes]:
    """A module with something changed in it, one of ours or a random one."""
    if random.random() < 0.5:
        return "broken", mutated(random, valid(random, [])[1], random.choice(modules))
    return "broken", mutated(random, random.choice(modules), random.choice(modules))


def check(kind: str, data: bytes) -> str:
    """Put one module to the test.

    Returns:
        What became of it.

    Raises:
        AssertionError: something is wrong.
    """
    begin = time.perf_counter()
    found = outcome(data)
    seconds = time.perf_counter() - begin
    if seconds > max(SECONDS, len(data) * SECONDS_PER_BYTE):
        raise AssertionError(f"it took {seconds:.1f} s for {len(data)} bytes")
    if kind == "valid" and found != "valid":
        raise AssertionError(f"a module made to be valid is {found}")
    if found == "valid":
        module = decode(data)
        again = decode(wasmtime.wat2wasm("\n".join(disassemble(module))))
        if essence(again) != essence(module):
            raise AssertionError("its text is another module")
    return found


def run(minutes: float, seed: int, report: Callable[[str], None]) -> tuple[Counter[str], list[int]]:
    """Fuzz for some time.

    Returns:
        How often there was what outcome, and the numbers of the modules that went wrong.
    """
    modules = corpus()
    counts: Counter[str] = Counter()
    failures: list[int] = []
    until = time.monotonic() + minutes * 60
    number = 0
    while time.monotonic() < until:
        random = Random(f"{seed}/{number}")
        make = valid if number % 4 == 0 else broken
        kind, data = make(random, modules)
        try:
            counts[f"{kind} module: {check(kind, data)}"] += 1
        except Exception as error:
            counts["wrong"] += 1
            failures.append(number)
            path = Path(f"fuzz-{seed}-{number}.wasm")
            path.write_bytes(data)
            report(f"{path}: {type(error).__name__}: {str(error)[:500]}")
        number += 1
    return counts, failures


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same modules")
    arguments = parser.parse_args()
    counts, failures = run(arguments.minutes, arguments.seed, print)
    print(f"{sum(counts.values()):,} modules, seed {arguments.seed}:")
    for what, count in sorted(counts.items()):
        print(f"{count:10,}  {what}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
