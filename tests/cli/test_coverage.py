"""`purewasm coverage`: text, a page and JSON."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import run_process
from tests.conftest import ROOT

WAT = ROOT / "fixtures" / "wat"
BUGGY = str(WAT / "buggy_shout.wasm")


def test_the_command_coverage(tmp_path: Path) -> None:
    result = run_process("coverage", BUGGY, "shout", "zo", "hello")
    assert result.returncode == 0
    assert "34 of 40 instructions ran (85%); 6 of 8 functions never did." in result.stdout
    assert "        7  0x000f6    i32.lt_u" in result.stdout
    page = tmp_path / "coverage.html"
    assert run_process("coverage", BUGGY, "shout", "zo", "--html", str(page)).returncode == 0
    written = page.read_text("utf-8")
    assert written.startswith("<!doctype html>")
    assert "i32.lt_u" in written
    assert "src=" not in written
    assert "http" not in written
    open_, _, folded = written.partition("6 of 8 functions never ran")
    assert ">capital" in open_
    assert "plugin_name" not in open_
    assert "plugin_name" in folded
    assert folded.count("<details ") == 6
    assert " open" not in folded
    result = run_process("coverage", BUGGY, "shout", "--html", str(tmp_path / "no" / "c.html"))
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    result = run_process("coverage", BUGGY, "shout", "zo", "--json")
    counts = json.loads(result.stdout)
    by_name = {function["name"]: function for function in counts["functions"]}
    assert (counts["ran"], counts["total"], len(by_name)) == (34, 40, 8)
    assert by_name["plugin_name"]["instructions"] == []
    capital = by_name["capital"]
    assert (capital["calls"], capital["ran"], capital["total"]) == (3, 13, 13)
    assert {"offset": 0xF6, "text": "i32.lt_u", "count": 2} in capital["instructions"]
    result = run_process("coverage", BUGGY, "shout", "--json", "--html", str(page))
    assert result.returncode == 2
    result = run_process("coverage", BUGGY, "nothing")
    assert result.returncode == 4
    result = run_process("coverage", str(WAT / "trap_division.wasm"), "0", "x")
    assert result.returncode == 0
    assert "integer divide by zero" in result.stderr
    assert "i32.div_s" in result.stdout
