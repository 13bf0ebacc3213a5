"""`purewasm disassemble` and `translate`: modules and single functions."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from click.testing import Result

Command = Callable[..., Result]
Fail = Callable[..., tuple[int, str]]
PathOf = Callable[[str], str]


def test_disassemble(command: Command, path: PathOf, wat: Callable[[str], bytes]) -> None:
    result = command("disassemble", path("trap_unreachable"))
    assert result.exit_code == 0
    assert result.stdout.startswith("(module")
    assert wat(result.stdout)


@pytest.mark.parametrize("name", ["innermost", "$innermost", "0"])
def test_one_function(command: Command, path: PathOf, name: str) -> None:
    result = command("disassemble", path("trap_unreachable"), "--function", name)
    assert result.exit_code == 0
    assert result.stdout.startswith("(func $innermost")
    assert "unreachable" in result.stdout
    result = command("translate", path("trap_unreachable"), "--function", name)
    assert result.exit_code == 0
    assert result.stdout.startswith("def f0")
    assert result.stdout.count("def ") == 1


def test_an_exported_name(command: Command, path: PathOf) -> None:
    result = command("disassemble", path("echo"), "--function", "plugin_tool_execute", "--offsets")
    assert "local.get" in result.stdout
    assert re.search(r"^\(;@[0-9a-f]+;\)", result.stdout, re.M)


def test_translate_a_module(command: Command, path: PathOf) -> None:
    result = command("translate", path("hello"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count("def f") == 7
    compile(result.stdout, "translated", "exec")
    assert re.search(
        r"# 0x[0-9a-f]+$", command("translate", path("hello"), "--offsets").stdout, re.M
    )


@pytest.mark.parametrize("name", ["disassemble", "translate"])
@pytest.mark.parametrize(
    ("plugin", "function", "message"),
    [
        ("echo", "nope", "there is no function nope"),
        ("echo", "99", "there is no function 99; there are 7"),
        ("echo", "-1", "there is no function -1"),
        ("echo", "", "there is no function "),
        ("imports_host", "0", "function 0 is imported"),
    ],
)
def test_functions_that_are_not_there(
    failure: Fail, path: PathOf, name: str, plugin: str, function: str, message: str
) -> None:
    status, line = failure(name, path(plugin), "--function", function)
    assert status == 2
    assert message in line


def test_a_module_that_is_not_valid_is_refused(failure: Fail, path: PathOf) -> None:
    for name in ("disassemble", "translate"):
        status, line = failure(name, path("invalid"))
        assert status == 3
        assert "type mismatch" in line
