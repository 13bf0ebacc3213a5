"""What the README says works: its Python runs, its commands exist, and CI runs its test command."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys

import pytest

from purewasm_plugins import examples
from tests.conftest import ROOT, need

README = ROOT / "README.md"
CI = ROOT / ".ci" / "run"

#: The address of the repository's files.
FILES = "https://github.com/purewasm/purewasm-plugins/blob/main/"

if not README.is_file():
    pytest.skip("there is no README.md yet", allow_module_level=True)

TEXT = README.read_text("utf-8")


def blocks(*languages: str) -> list[tuple[int, str]]:
    """The fenced blocks of a language: the line each starts on, and its text."""
    return [
        (TEXT.count("\n", 0, match.start(2)), match[2])
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
        if match[1] in languages
    ]


def commands() -> list[str]:
    """Each command of the console blocks, without its prompt and its output."""
    found = []
    for _, text in blocks("console", "sh", "bash"):
        lines = text.splitlines()
        prompts = [line for line in lines if line.startswith("$ ")]
        for line in prompts or lines:
            found += [part.strip() for part in line.removeprefix("$ ").split("&&")]
    return [command for command in found if command]


def test_it_is_read_at_all() -> None:
    assert blocks("pycon", "python")
    assert any(command.startswith("purewasm run ") for command in commands())
    assert any("pip install" in command for command in commands())


def test_the_python_examples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In order, in one namespace, from the root of the repository."""
    monkeypatch.chdir(ROOT)
    namespace: dict[str, object] = {"__name__": "__main__"}
    parser = doctest.DocTestParser()
    for line, text in blocks("pycon", "python"):
        if ">>>" in text:
            test = parser.get_doctest(text, {}, "README.md", str(README), line)
            test.globs = namespace
            report: list[str] = []
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            results = runner.run(test, out=report.append, clear_globs=False)
            assert results.failed == 0, "".join(report)
            assert results.attempted > 0
        else:
            # The empty lines put its line numbers where they are in the file.
            exec(compile("\n" * line + text, str(README), "exec"), namespace)


def test_the_subcommands_exist() -> None:
    """Those of the console blocks, and those in the text."""
    need("click", "rich")
    named = {
        match[1] for match in re.finditer(r"(?:^|[`&]\s*|\$ )purewasm ([a-z]+)", TEXT, re.MULTILINE)
    }
    assert "run" in named
    for name in sorted(named):
        done = subprocess.run(
            [sys.executable, "-m", "purewasm_plugins", name, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"purewasm {name}: {done.stderr}"
        assert "Usage: " in done.stdout


def test_the_first_command_gives_an_answer() -> None:
    """Every `purewasm run` on an example plugin, as it stands there."""
    need("click", "rich")
    ran = 0
    for command in commands():
        arguments = shlex.split(command)
        if arguments[:2] == ["purewasm", "run"] and arguments[2] in examples():
            done = subprocess.run(
                [sys.executable, "-m", "purewasm_plugins", *arguments[1:]],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{command}: {done.stderr}"
            assert done.stdout.strip()
            ran += 1
    assert ran


def test_ci_runs_the_test_command() -> None:
    """Line for line what the README tells a newcomer to type."""
    (line,) = [
        line
        for _, text in blocks("console", "sh", "bash")
        for line in text.splitlines()
        if "python -m pytest" in line
    ]
    script = CI.read_text("utf-8").splitlines()
    for part in line.removeprefix("$ ").split("&&"):
        assert part.strip() in script, f"not a line of .ci/run: {part.strip()}"


def test_links_lead_somewhere() -> None:
    """They are absolute, so that they work on the package index, and name files that exist."""
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)", prose)
    ours = [target.removeprefix(FILES) for target in targets if target.startswith(FILES)]
    assert ours
    assert all("://" in target for target in targets)
    assert not [target for target in ours if not (ROOT / target).exists()]


def test_files_that_are_named_exist() -> None:
    named = set(re.findall(r"\b((?:fixtures|benchmarks|purewasm_plugins|tests)/[\w./-]*\w)", TEXT))
    assert named
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]
