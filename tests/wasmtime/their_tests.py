"""Run wasmtime-py's own tests on the stand-in.

    git clone --depth 1 --branch 46.0.1 https://github.com/bytecodealliance/wasmtime-py
    python tests/wasmtime/their_tests.py wasmtime-py

This is a program, and no part of the test suite.
"""

from __future__ import annotations

import os
import sys

import pytest

import purewasm_plugins.wasmtime

#: The tests that cannot pass, by the reason.
LEFT_OUT = {
    "there are no components": ["tests/component"],
    "custom sizes of pages are a proposal": [
        "tests/test_memory.py::TestMemory::test_page_size_custom"
    ],
    "there is no shared memory": [
        f"tests/test_shared_memory.py::TestSharedMemory::{name}"
        for name in ("test_grow", "test_new")
    ],
    "tags are for exceptions, which are a part of WebAssembly 3.0": [
        f"tests/test_tag.py::TestTag::{name}"
        for name in ("test_eq", "test_new", "test_tag_export", "test_tag_import", "test_type")
    ],
}


def main() -> int:
    """Run the tests of the clone that the command line names, and return the exit status."""
    os.chdir(sys.argv[1])
    # Their package would be found before it.
    purewasm_plugins.wasmtime.install(prefer="pure")
    skipped = []
    for reason, tests in LEFT_OUT.items():
        print(f"left out, as {reason}: {', '.join(tests)}")
        skipped += [f"--deselect={test}" for test in tests]
    # Without their options, which have mypy check the package.
    return pytest.main(["-q", "-o", "addopts=", "--ignore=tests/component", *skipped, "tests"])


if __name__ == "__main__":
    sys.exit(main())
