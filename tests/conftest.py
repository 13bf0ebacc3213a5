"""Fixtures of all tests: the engines, WebAssembly text, and the files of `fixtures`."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import reprlib
import signal
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

# The command keeps translated code in the user's own directory; tests leave that alone.
os.environ["PUREWASM_CACHE"] = ""

from purewasm_plugins import Instance, ResourceLimits, WasmPlugin, instantiate
from purewasm_plugins.engine.translator import Translator

ROOT = Path(__file__).parents[1]

# Deadlines are off: the pywasm engine runs less than a million instructions a second, and shared
# machines are slower still.
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("default", deadline=None, max_examples=40, suppress_health_check=_SLOW)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.register_profile("quick", settings.get_profile("ci"), max_examples=10)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=1000)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--audited", action="store_true", help="check each claim of the translator's while it runs"
    )


#: The command that installs the dependencies of the tests beside pytest and Hypothesis.
SETUP = "pip install -e '.[test]'"

#: The modules that a test cannot do without: their absence is a failure.
_NEVER_MISSING = {"purewasm_plugins", "pywasm", "tests", "benchmarks", *sys.stdlib_module_names}


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip a test file that imports a package that is not installed; where CI is set, fail."""
    report = yield
    missing = re.search(r"ModuleNotFoundError: No module named '(\w+)", str(report.longrepr))
    if missing and missing[1] not in _NEVER_MISSING and not os.environ.get("CI"):
        report.outcome = "skipped"
        reason = f"Skipped: there is no {missing[1]}: run `{SETUP}` first"
        report.longrepr = (str(collector.path), 0, reason)
    return report


def pytest_configure(config: pytest.Config) -> None:
    Translator.audited = config.getoption("--audited")


#: The names of the engines. A test that uses the fixture `engine` runs once on each.
ENGINES = ("translator", "pywasm")


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine; a test that uses it runs once on each."""
    return str(request.param)


@pytest.fixture(scope="session", params=ENGINES)
def other_engine(request: pytest.FixtureRequest) -> str:
    """The engine of a second instance, where two of them work together."""
    return str(request.param)


def heed_interrupts() -> None:
    """For `preexec_fn`: a shell that starts something in the background has it ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


#: Its other limits are those of the standard library.
_BEGINNING = reprlib.Repr()
_BEGINNING.maxother = 1000


def label(value: object) -> str:
    """The text of a parameter, or the beginning of it, for a test's name.

    Without addresses: pytest-xdist's processes must give each test the same name. A parameter may
    be a gigabyte of text.
    """
    text = str(value) if isinstance(value, (str, int)) else _BEGINNING.repr(value)
    return re.sub(r" at 0x[0-9a-f]+", "", text)[:40]


def missing(what: str, setup: str) -> NoReturn:
    """Skip a test, as what it needs is not set up; where CI is set, fail.

    Args:
        what: what is missing, as a sentence.
        setup: the command that sets it up.
    """
    reason = f"{what}: run `{setup}` first"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def need(*modules: str) -> None:
    """Skip a test where one of these modules is not installed; where CI is set, fail."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            missing(f"there is no {module}", SETUP)


#: Why a test is skipped while coverage is measured. Its callbacks are Python functions: handlers of
#: signals run in them, and Python's stack may end in them, at places where neither happens
#: otherwise, such as between a lock and its block.
DISTURBED = (
    "coverage is measured: its callbacks raise where CPython alone does not"
    if sys.version_info >= (3, 12) and sys.monitoring.get_tool(sys.monitoring.COVERAGE_ID)
    else ""
)


@functools.cache
def assemble(text: str) -> bytes:
    """Assemble the text of a module."""
    need("wasmtime")
    import wasmtime

    return bytes(wasmtime.wat2wasm(text))


@pytest.fixture(scope="session")
def wat() -> Callable[[str], bytes]:
    """`wat(text)`: the bytes of a module."""
    return assemble


@pytest.fixture(scope="session")
def start(engine: str) -> Callable[..., Instance]:
    """`start(text, imports=None, **limits)`: an instance of a module's text, on the engine."""

    def start(text: str, imports: Any = None, **limits: Any) -> Instance:
        return instantiate(assemble(text), imports, engine=engine, limits=ResourceLimits(**limits))

    return start


@pytest.fixture(scope="session")
def load(engine: str) -> Callable[..., WasmPlugin]:
    """`load(name or bytes, imports=None, **limits)`: a plugin, on the engine.

    A name is a file of `fixtures/wat` without its suffix, or a path inside `fixtures/plugins`.
    """

    def load(source: str | bytes, imports: Any = None, **limits: Any) -> WasmPlugin:
        data = fixture_bytes(source) if isinstance(source, str) else source
        return WasmPlugin.load_from_bytes(
            data, engine=engine, limits=ResourceLimits(**limits), imports=imports
        )

    return load


@functools.cache
def fixture_bytes(name: str) -> bytes:
    """A fixture's bytes, named as for `load`."""
    folder = ROOT / "fixtures" / ("plugins" if name.endswith(".wasm") else "wat")
    return (folder / name).with_suffix(".wasm").read_bytes()


@pytest.fixture(scope="session")
def fixture_data() -> Callable[[str], bytes]:
    """`fixture_data(name)`: a fixture's bytes, named as for `load`."""
    return fixture_bytes
