"""`Wasi` and `Quotas`: what is refused, in words, and what stands for what."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest

from purewasm_plugins import FixedClock, InvalidOptionError, MemoryDirectory, Quotas, Wasi
from purewasm_plugins.wasi.grants import granted

#: A field, a wrong value, and what the error says.
WRONG: list[tuple[str, Any, str]] = [
    ("args", "one", "Invalid option 'args': it must be a sequence of strings, and is 'one'"),
    ("args", [1], "Invalid option 'args': it must be strings, and is a int"),
    ("args", ["a\0"], "Invalid option 'args': 'a\\x00' holds U+0000"),
    ("args", ["\ud800"], "Invalid option 'args': '\\ud800' holds a lone surrogate"),
    ("env", [], "Invalid option 'env': it must be a mapping of strings to strings, and is a list"),
    ("env", {"A=B": "c"}, "Invalid option 'env': 'A=B' is no name of a variable"),
    ("env", {"": "c"}, "Invalid option 'env': '' is no name of a variable"),
    ("env", {"A": 1}, "Invalid option 'env': it must be strings, and is a int"),
    ("stdin", 1, "Invalid option 'stdin': it must be bytes, an open binary file, a function"),
    ("stdin", "text", "'inherit' or None, and is 'text'"),
    ("stdout", "file.txt", "Invalid option 'stdout': it must be 'capture', 'inherit', 'discard'"),
    ("stderr", None, "an open binary file or a function, and is a NoneType"),
    ("directories", ["/"], "Invalid option 'directories': it must be a mapping of paths"),
    ("directories", {"": MemoryDirectory()}, "the path of a directory is empty"),
    ("directories", {"/": "/tmp"}, "for '/' a MemoryDirectory or a HostDirectory, and is '/tmp'"),
    ("clock", "now", "Invalid option 'clock': it must be 'host' or a FixedClock, and is 'now'"),
    ("random", 1.5, "Invalid option 'random': it must be 'host' or a seed, an int, and is a float"),
    ("random", True, "a seed, an int, and is a bool"),
    ("quotas", 5, "Invalid option 'quotas': it must be Quotas, and is a int"),
]


@pytest.mark.parametrize(("field", "value", "words"), WRONG)
def test_wrong_values(field: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidOptionError) as caught:
        Wasi(**{field: value})
    assert words in str(caught.value)
    assert caught.value.option == field


@pytest.mark.parametrize("value", [-1, 1.5, True, "1"])
def test_wrong_quotas(value: Any) -> None:
    with pytest.raises(ValueError, match="the quota files must be an int from 0 on, or None"):
        Quotas(files=value)


def test_what_no_one_is_harmed_by() -> None:
    harmless = granted(True)
    assert harmless == Wasi(clock="host", random="host")
    assert (harmless.stdout, harmless.directories, harmless.env) == ("capture", {}, {})
    with pytest.raises(InvalidOptionError, match="must be Wasi, True, False or None, and is a int"):
        granted(1)  # type: ignore[arg-type]


def test_grants_are_frozen_and_pickle() -> None:
    wasi = Wasi(
        args=("a",),
        env={"K": "v"},
        stdin=b"in",
        directories={"/": MemoryDirectory({"a": b"b"})},
        clock=FixedClock(5, 7),
        random=3,
        quotas=Quotas(files=None),
    )
    copy = pickle.loads(pickle.dumps(wasi))
    assert (copy.args, copy.env, copy.clock, copy.quotas) == (
        wasi.args,
        wasi.env,
        wasi.clock,
        wasi.quotas,
    )
    with pytest.raises(AttributeError):
        wasi.args = ()  # type: ignore[misc]


def test_open_files_are_streams() -> None:
    assert Wasi(stdin=io.BytesIO(b"x"), stdout=io.BytesIO(), stderr=print).stdin is not None
