"""The walk in the chapter on manifests prints what the chapter shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, need
from tests.documents import Document

CHAPTER = Document(ROOT / "purewasm_plugins" / "plugin" / "MANIFEST.md")

#: The command whose work the tests' own environment has done.
INSTALL = "python -m pip install '.[cli]'"


def steps() -> Iterator[tuple[str, str]]:
    """Yield the commands of the walk, and what each prints. A here-document is of its command."""
    shown = "\n".join(
        block.text for block in CHAPTER.blocks("console") if block.text.startswith("$ ")
    )
    for step in re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]:
        end = step.index("\nEND\n") + 5 if "<<'END'" in step else step.index("\n") + 1
        yield step[:end], step[end:]


@pytest.mark.skipif(
    os.name == "nt" or sys.platform == "emscripten", reason="the walk is one of a POSIX shell"
)
def test_the_walk(tmp_path: Path) -> None:
    need("click", "rich")
    for name, module in (("purewasm", "-m purewasm_plugins "), ("python", "")):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n')
        program.chmod(0o755)
    first, *rest = steps()
    assert first[0].strip() == INSTALL
    assert len(rest) > 8
    # One shell for all of it; a line of its own stands between the outputs.
    script = "\n".join(f"{command}echo '=='" for command, _ in rest)
    done = subprocess.run(
        ["sh"],
        input=script,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=True,
    )
    outputs = done.stdout.split("==\n")[:-1]
    for (command, expected), output in zip(rest, outputs, strict=True):
        pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
        assert re.fullmatch(pattern, output.strip()), f"{command}{output}"
