"""Runs the scripts of the suite: their assertions about modules, and those about execution."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from purewasm_plugins.engine import instantiate
from purewasm_plugins.errors import (
    DecodeError,
    LinkError,
    TextError,
    Trap,
    ValidationError,
    WasmError,
)
from purewasm_plugins.runtime.instance import Function, Global, Instance
from purewasm_plugins.wasm import load
from purewasm_plugins.wasm.text.assembler import assemble
from purewasm_plugins.wast import spectest

from . import values
from .suite import Script, script

#: The assertions about modules, which need no engine, and what each must be refused with.
REFUSALS: dict[str, tuple[type[WasmError], ...]] = {
    "assert_malformed": (DecodeError, TextError),
    "assert_invalid": (ValidationError,),
}


@dataclass
class Report:
    """How the assertions of one script, or of many, went.

    Attributes:
        counts: by type of command and outcome: "passed", "failed", "known" or "skipped".
        failures: what is wrong, by "file:line".
        worded: how many refusals start with the suite's wording, and how many do not.
        misworded: those that do not, for reading.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    worded: Counter[bool] = field(default_factory=Counter)
    misworded: list[str] = field(default_factory=list)


@functools.cache
def check_modules(name: str) -> Report:
    """Check the assertions of a script about modules."""
    tests = script(name)
    report = Report()
    for command in tests.commands:
        kind = command["type"]
        if "filename" not in command:
            continue
        data = tests.module(command)
        try:
            load(assemble(data) if command.get("module_type") == "text" else data)
        except WasmError as error:
            failure = _refusal(report, tests, command, error)
        except Exception as error:
            failure = f"{kind}: {error!r}"
        else:
            failure = f"{kind}: accepted, not {command['text']}" if kind in REFUSALS else None
        report.counts[kind, "failed" if failure else "passed"] += 1
        if failure:
            report.failures[tests.where(command)] = failure
    return report


def _refusal(
    report: Report, tests: Script, command: dict[str, Any], error: WasmError
) -> str | None:
    """Return the fault in refusing a module, or None; the report records the wording."""
    kind = command["type"]
    expected = REFUSALS.get(kind)
    if expected is None:
        return f"{kind}: refused: {error}"
    if not isinstance(error, expected):
        return f"{kind}: expected {command['text']}, got {error!r}"
    worded = str(error).startswith(command["text"])
    report.worded[worded] += 1
    if not worded:
        report.misworded.append(f"{tests.where(command)}: expected {command['text']}, got {error}")
    return None


def check_execution(name: str, engine: str, known: Mapping[str, str]) -> Report:
    """Check the assertions of a script about execution.

    Args:
        name: the script's.
        engine: the name of the engine to run it with.
        known: failures that are known, by "file:line".
    """
    tests = script(name)
    report = Report()
    world = World(tests, engine)
    seen = set()
    for command in tests.commands:
        kind = command["type"]
        if kind in REFUSALS:
            continue
        where = tests.where(command)
        try:
            failure = world.run(command)
        except Exception as error:
            failure = f"{error!r}"
        if failure and where in known:
            seen.add(where)
            report.counts[kind, "known"] += 1
            continue
        report.counts[kind, "failed" if failure else "passed"] += 1
        if failure:
            report.failures[where] = f"{kind}: {failure}"
    for where in known:
        if where.partition(":")[0] == tests.name and where not in seen:
            report.failures[where] = "is listed among the known failures, and does not fail"
    return report


class World:
    """The modules that a script has instantiated."""

    def __init__(self, tests: Script, engine: str) -> None:
        self._script = tests
        self._engine = engine
        self._imports: dict[str, Mapping[str, Any]] = {"spectest": spectest()}
        self._named: dict[str | None, Instance] = {}

    def run(self, command: dict[str, Any]) -> str | None:
        """Carry out one command.

        Returns:
            What is wrong, or None.
        """
        match command["type"]:
            case "module":
                instance = self._instantiate(command)
                self._named[None] = instance
                if "name" in command:
                    self._named[command["name"]] = instance
            case "register":
                instance = self._named[command.get("name")]
                self._imports[command["as"]] = instance.exports
            case "action":
                self._act(command["action"])
            case "assert_return":
                return self._assert_return(command)
            case "assert_trap" | "assert_exhaustion":
                return _expect(Trap, command, lambda: self._act(command["action"]))
            case "assert_unlinkable":
                return _expect(LinkError, command, lambda: self._instantiate(command))
            case "assert_uninstantiable":
                return _expect(Trap, command, lambda: self._instantiate(command))
            case other:
                raise NotImplementedError(other)
        return None

    def _instantiate(self, command: dict[str, Any]) -> Instance:
        return instantiate(self._script.module(command), self._imports, engine=self._engine)

    def _act(self, action: dict[str, Any]) -> list[Any]:
        exported = self._named[action.get("module")].exports[action["field"]]
        if action["type"] == "get":
            if not isinstance(exported, Global):
                raise TypeError(f"{action['field']} is {exported!r}")
            return [exported.value]
        if not isinstance(exported, Function):
            raise TypeError(f"{action['field']} is {exported!r}")
        result = exported(*map(values.argument, action["args"]))
        match len(exported.type.results):
            case 0:
                return []
            case 1:
                return [result]
            case _:
                return list(result)

    def _assert_return(self, command: dict[str, Any]) -> str | None:
        expected = command["expected"]
        actual = self._act(command["action"])
        if len(actual) == len(expected) and all(map(values.matches, expected, actual)):
            return None
        types = [value["type"] for value in expected]
        shown = ", ".join(map(values.show, types, actual))
        wanted = ", ".join(str(value.get("value")) for value in expected)
        return f"{command['action']['field']}: expected {wanted}, got {shown}"


def _expect(kind: type[WasmError], command: dict[str, Any], do: Callable[[], object]) -> str | None:
    text = command["text"]
    try:
        result = do()
    except kind as error:
        # The suite may say more, such as which element it is that is uninitialized.
        worded = text in str(error) or (
            isinstance(error, Trap) and text.startswith(error.reason.value)
        )
        return None if worded else f"expected {text}, got {error!r}"
    return f"expected {text}, got {result!r}"
