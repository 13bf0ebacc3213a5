"""The example in the chapter on debugging has the output that the chapter shows."""

from __future__ import annotations

import shlex
import subprocess
import sys

from tests.conftest import ROOT, need
from tests.documents import Document

CHAPTER = Document(ROOT / "purewasm_plugins" / "debugger" / "DEBUGGING.md")
PROMPT = "(debug) "


def test_the_walk() -> None:
    """Run the commands of all blocks in one session: their output has the other lines, in order."""
    need("click", "rich")
    shown = [
        line
        for block in CHAPTER.blocks("console", "")
        if PROMPT in block.text
        for line in block.text.splitlines()
    ]
    (start,) = [line for line in shown if line.startswith("$ ")]
    shown.remove(start)
    commands = [line.removeprefix(PROMPT) for line in shown if line.startswith(PROMPT)]
    assert len(commands) > 5
    done = subprocess.run(
        [sys.executable, "-m", "purewasm_plugins", *shlex.split(start)[2:]],
        input="\n".join(commands),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = iter(done.stdout.splitlines())
    for line in shown:
        assert line in printed, f"not printed, or not in this order: {line}"
