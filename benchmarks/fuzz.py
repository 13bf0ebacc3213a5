"""Fuzzes the loader and the engines for some time: `python -m benchmarks.fuzz`.

The modules are mutants, and valid modules of our generators and of wasm-smith. A broken module must
end in a `DecodeError` or a `ValidationError` within a bounded time, and wasmtime must agree. A
valid module must be equal to the module that its text gives, and each of its exports must have the
same effects on every engine as on wasmtime: results, traps, memory, globals and tables. A mutant of
a text must end in a `TextError`, or in the bytes that wasmtime makes of it where that does not
refuse it. A module that breaks a rule is saved, and the command fails.
"""

from __future__ import annotations

import argparse
import faulthandler
import functools
import platform
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random, SystemRandom
from typing import NamedTuple

import wasmtime

from benchmarks import smith
from purewasm_plugins.engine.translator import Translator
from purewasm_plugins.errors import DecodeError, TextError
from purewasm_plugins.wasm import decode
from purewasm_plugins.wasm.text.assembler import assemble
from purewasm_plugins.wasm.text.printer import disassemble
from tests.differential.comparison import compare
from tests.random_modules.byte_loops import random_byte_loops
from tests.random_modules.modules import random_module
from tests.random_modules.mutator import mutated
from tests.random_modules.texts import mutated_text
from tests.wasm.essence import essence
from tests.wasm.wasmtime_verdict import outcome

ROOT = Path(__file__).parents[1]

#: The largest module that is mutated: larger ones take too long.
MAX_SIZE = 40_000

#: The seconds that loading may take for each byte of a module, and the least bound.
SECONDS_PER_BYTE, SECONDS = 20e-6, 0.5

#: The seconds after which a process that does not react is ended; its module stays in the folder.
HANG = 180

#: The stream for the stack of such a process; `sys.stderr` may be replaced.
STANDARD_ERROR = 2

#: The most bytes by which the process may grow while one module runs.
GROWTH = 512 << 20

#: The functions that make modules, by name.
SOURCES = ("broken", "generated", "loops", "smith", "text")


class Wrong(Exception):
    """A defect of the loader or an engine; the text describes it."""


@functools.cache
def corpus() -> list[bytes]:
    """Return the modules of the repository."""
    paths = sorted((ROOT / "fixtures").rglob("*.wasm")) + sorted(ROOT.glob("benchmarks/**/*.wasm"))
    return [path.read_bytes() for path in paths if path.stat().st_size <= MAX_SIZE]


def generated(random: Random) -> bytes:
    """Make a valid module with our generator."""
    return random_module(
        random,
        functions=random.randint(2, 6),
        size=random.choice((5, 40, 150)),
        canonical_nans=True,
    )


def loops(random: Random) -> bytes:
    """Make a valid module of loops over bytes."""
    return bytes(wasmtime.wat2wasm(random_byte_loops(random)))


def broken(random: Random) -> bytes:
    """Make a mutant of a module of the repository or of a random one."""
    original = generated(random) if random.random() < 0.5 else random.choice(corpus())
    return mutated(random, original, random.choice(corpus()))


def check_loading(data: bytes) -> str:
    """Load a module that may be anything, and write a valid one as text and back.

    Returns:
        "valid", "malformed" or "invalid".

    Raises:
        Wrong, AssertionError: a defect.
    """
    begin = time.process_time()
    found = outcome(data)
    seconds = time.process_time() - begin
    if seconds > max(SECONDS, len(data) * SECONDS_PER_BYTE):
        raise Wrong(f"it took {seconds:.1f} s for {len(data)} bytes")
    if found == "valid":
        module = decode(data)
        printed = "\n".join(disassemble(module))
        for again in (bytes(wasmtime.wat2wasm(printed)), assemble(printed)):
            if essence(decode(again)) != essence(module):
                raise Wrong("its text is another module")
    return found


def text(random: Random) -> bytes:
    """Make a text that may be a module."""
    return mutated_text(random).encode()


def check_text(data: bytes) -> str:
    """Assemble a text that may be anything, and compare the module with wasmtime's.

    Returns:
        "refused", "refused by wasmtime", "beyond core 2.0", or "the same module".

    Raises:
        Wrong: a defect.
    """
    try:
        ours = assemble(data)
    except TextError:
        return "refused"
    try:
        theirs = bytes(wasmtime.wat2wasm(data.decode()))
    except wasmtime.WasmtimeError:
        return "refused by wasmtime"
    try:
        same = sections(ours) == sections(theirs)
    except DecodeError:
        return "beyond core 2.0"
    if not same:
        raise Wrong("it is another module for wasmtime")
    return "the same module"


def sections(data: bytes) -> list[tuple[str, bytes]]:
    """Return the sections of a module without custom ones, which wasmtime fills differently."""
    found = decode(data).sections
    return [(one.name, data[slice(*one.content)]) for one in found if one.name != "custom"]


def check(source: str, data: bytes) -> str:
    """Test one module.

    Returns:
        The outcome.

    Raises:
        Wrong, AssertionError: a defect.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = check_text(data) if source == "text" else check_loading(data)
    if source not in ("broken", "text"):
        if found != "valid":
            raise Wrong(f"a module made to be valid is {found}")
        difference, calls = compare(data)
        if difference:
            raise Wrong(str(difference))
        found = "valid, the same on every engine" if calls else "valid, no call to compare"
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if sys.platform != "darwin":
        growth *= 1024
    if growth > GROWTH:
        raise Wrong(f"it took {growth >> 20} MB of memory")
    return found


class Task(NamedTuple):
    """The work of one process.

    Attributes:
        seed: the seed; with a number it determines a module.
        first, step: the number of its first module, and the distance to the next.
        seconds, modules: the process ends after this time, or at this number.
        sources: the makers of its modules, some of `SOURCES`.
            folder: the folder for the modules with defects.
        audited: whether each claim of the translator's is checked while it runs.
    """

    seed: int
    first: int = 0
    step: int = 1
    seconds: float | None = None
    modules: int | None = None
    sources: tuple[str, ...] = SOURCES
    folder: Path = Path()
    audited: bool = False


def run(task: Task, report: Callable[[str], None] = print) -> tuple[Counter[str], list[Path]]:
    """Fuzz for some time.

    Returns:
        The number of each outcome, and the modules with defects.
    """
    Translator.audited = task.audited
    counts: Counter[str] = Counter()
    failures: list[Path] = []
    until = None if task.seconds is None else time.monotonic() + task.seconds
    number = task.first
    # The next module is made while this one runs.
    upcoming: tuple[int, smith.Smith] | None = None
    while not (task.modules is not None and number >= task.modules):
        if until is not None and time.monotonic() >= until:
            break
        random = Random(f"{task.seed}/{number}")
        source = task.sources[number // task.step % len(task.sources)]
        data: bytes | None
        if source == "smith":
            made = upcoming[1] if upcoming and upcoming[0] == number else smith.Smith(random)
            data = made.module()
            following = number + task.step * len(task.sources)
            upcoming = following, smith.Smith(Random(f"{task.seed}/{following}"))
        else:
            makers = {"broken": broken, "generated": generated, "loops": loops, "text": text}
            data = makers[source](random)
        suffix = "wat" if source == "text" else "wasm"
        path = task.folder / f"fuzz-{task.seed}-{number}.{suffix}"
        number += task.step
        if data is None:
            counts["smith: its choices led to no module"] += 1
            continue
        # The file remains if the process ends here.
        path.write_bytes(data)
        faulthandler.dump_traceback_later(HANG, exit=True, file=STANDARD_ERROR)
        try:
            counts[f"{source}: {check(source, data)}"] += 1
            path.unlink()
        except Exception as error:
            counts[f"{source}: wrong"] += 1
            failures.append(path)
            report(f"{path}: {type(error).__name__}: {str(error)[:500]}")
        finally:
            faulthandler.cancel_dump_traceback_later()
    if upcoming is not None:
        upcoming[1].module()
    return counts, failures


def shrink(
    path: Path, report: Callable[[str], None] = print, attempts: int = smith.ATTEMPTS
) -> bool:
    """Shrink a module that engines differ on, with the same kind of difference.

    The result is written beside the module, as `.shrunk.wasm` and as `.shrunk.wat`.

    Returns:
        Whether the engines differ on it.
    """
    data = path.read_bytes()
    difference, _ = compare(data)
    if difference is None:
        report(f"{path}: the same on every engine")
        return False
    report(f"{path}: {difference}")
    kind = difference.kind

    def interesting(data: bytes) -> bool:
        try:
            found, _ = compare(data)
        except ValueError:
            return False
        return found is not None and found.kind == kind

    small = smith.shrunk(data, interesting, attempts)
    found, _ = compare(small)
    result = path.with_suffix(".shrunk.wasm")
    result.write_bytes(small)
    result.with_suffix(".wat").write_text(f";; {found}\n{smith.text(small)}")
    report(f"{result}: {len(small)} bytes: {found}")
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--minutes", type=float, help="10 where no number of modules is given")
    parser.add_argument("--modules", type=int, help="the number of modules")
    parser.add_argument("--seed", type=int, help="the same seed makes the same modules")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--folder", type=Path, default=Path(), help="for modules with defects")
    parser.add_argument(
        "--audited", action="store_true", help="check each claim of the translator's"
    )
    parser.add_argument("--compare", type=Path, metavar="FILE", help="only compare this module")
    parser.add_argument("--shrink", type=Path, metavar="FILE", help="make this module smaller")
    options = parser.parse_args(arguments)
    Translator.audited = options.audited
    if options.shrink:
        return int(shrink(options.shrink))
    if options.compare:
        difference, calls = compare(options.compare.read_bytes())
        print(difference or f"the same on every engine, {calls} calls")
        return int(difference is not None)
    minutes = options.minutes
    if minutes is None and options.modules is None:
        minutes = 10.0
    seed = SystemRandom().getrandbits(32) if options.seed is None else options.seed
    tasks = [
        Task(
            seed,
            job,
            options.jobs,
            minutes and minutes * 60,
            options.modules,
            tuple(options.sources),
            options.folder,
            options.audited,
        )
        for job in range(options.jobs)
    ]
    print(f"Python {platform.python_version()}, seed {seed}", flush=True)
    show = functools.partial(print, flush=True)
    if len(tasks) == 1:
        results = [run(tasks[0], show)]
    else:
        # Not by fork: wasmtime has its own threads.
        with ProcessPoolExecutor(len(tasks), mp_context=get_context("spawn")) as pool:
            results = list(pool.map(run, tasks))
    counts = sum((counts for counts, _ in results), Counter[str]())
    print(f"{sum(counts.values()):,} modules:")
    for what, count in sorted(counts.items()):
        print(f"{count:10,}  {what}")
    return int(any(failures for _, failures in results))


if __name__ == "__main__":
    sys.exit(main())
