"""The documents are correct: their Python, their commands, their links."""

from __future__ import annotations

import doctest
import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import purewasm_plugins
import purewasm_plugins.wasmtime
from purewasm_plugins import examples
from tests.conftest import ROOT, missing, need
from tests.documents import Document, documents

DOCUMENTS = documents()
WITH_PYTHON = [document for document in DOCUMENTS if document.python()]
README = Document(ROOT / "README.md")
CI = ROOT / ".ci" / "run"

#: The address of the repository's files.
FILES = "https://github.com/purewasm/purewasm-plugins/blob/main/"

#: Runs blocks of Python in order, in one namespace. Those with prompts must print what they show.
RUNNER = """
import doctest, json, sys

path, blocks = json.load(sys.stdin)
namespace = {"__name__": "__main__"}
for line, _, text in blocks:
    if ">>>" in text:
        test = doctest.DocTestParser().get_doctest(text, {}, path, path, line)
        test.globs = namespace
        results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, clear_globs=False)
        if results.failed or not results.attempted:
            sys.exit(1)
    else:
        # The empty lines put its line numbers where they are in the document.
        exec(compile("\\n" * line + text, path, "exec"), namespace)
"""


def run(*command: str, cwd: Path = ROOT, input: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program, and return what it printed."""
    return subprocess.run(
        command, cwd=cwd, input=input, capture_output=True, text=True, timeout=300, check=False
    )


def purewasm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a new process."""
    need("click", "rich")
    return run(sys.executable, "-m", "purewasm_plugins", *arguments)


def test_documents_are_found() -> None:
    assert README in WITH_PYTHON
    assert Document(ROOT / "purewasm_plugins" / "plugin" / "ABI.md") in DOCUMENTS
    assert Document(ROOT / ".github" / "CONTRIBUTING.md") in DOCUMENTS
    assert any(command.startswith("purewasm run ") for command in README.commands())
    assert any("pip install" in command for command in README.commands())


@pytest.mark.parametrize("document", WITH_PYTHON, ids=str)
def test_python_runs(document: Document, tmp_path: Path) -> None:
    """In an empty directory, with the package as it is installed."""
    given = json.dumps([str(document), document.python()])
    done = run(sys.executable, "-c", RUNNER, cwd=tmp_path, input=given)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory with the Python of each document as a file."""
    for document in WITH_PYTHON:
        name = re.sub(r"\W", "_", str(document).removesuffix(".md"))
        (tmp_path / f"{name}.py").write_text(document.program(), "utf-8")
    return tmp_path


def check_types_with_mypy(directory: Path) -> None:
    """Check the files of a directory, which use the installed package."""
    need("mypy")
    options = ["--strict", "--cache-dir", str(ROOT / ".mypy_cache" / "programs")]
    done = run(sys.executable, "-m", "mypy", *options, ".", cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr


def check_types_with_pyright(directory: Path, mode: str) -> None:
    """Check the files of a directory, which use the installed package."""
    need("pyright")
    if shutil.which("node") is None:
        missing("there is no Node", "apt-get install nodejs")
    configuration = {"typeCheckingMode": mode, "reportUnusedExpression": False}
    (directory / "pyrightconfig.json").write_text(json.dumps(configuration))
    done = run(
        *(sys.executable, "-m", "pyright", "--pythonpath", sys.executable),
        *("--project", str(directory)),
        cwd=directory,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_python_type_checks_with_mypy(programs: Path) -> None:
    check_types_with_mypy(programs)


def test_python_type_checks_with_pyright(programs: Path) -> None:
    check_types_with_pyright(programs, "standard")


@pytest.fixture
def user_program(tmp_path: Path) -> Path:
    """A directory with a user's program, and with another one that names all that is public."""
    shutil.copy(ROOT / "tests" / "user_program.py", tmp_path)
    lines = ["import purewasm_plugins", "import purewasm_plugins.wasmtime", ""]
    for module in (purewasm_plugins, purewasm_plugins.wasmtime):
        lines += [f"print({module.__name__}.{name})" for name in module.__all__]
    (tmp_path / "every_name.py").write_text("\n".join([*lines, ""]))
    return tmp_path


@pytest.mark.parametrize("name", ["user_program.py", "every_name.py"])
def test_a_user_program_runs(user_program: Path, name: str) -> None:
    done = run(sys.executable, name, cwd=user_program)
    assert done.returncode == 0, done.stderr


def test_a_user_program_type_checks_with_mypy(user_program: Path) -> None:
    check_types_with_mypy(user_program)


def test_a_user_program_type_checks_with_pyright(user_program: Path) -> None:
    check_types_with_pyright(user_program, "strict")


def modules_with_examples() -> list[str]:
    """Return the modules of the package whose docstrings have examples."""
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "purewasm_plugins").rglob("*.py"))
        if re.search(r"^ *>>> ", path.read_text("utf-8"), re.MULTILINE)
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_in_docstrings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0
    assert results.attempted > 0


def test_subcommands_exist() -> None:
    """Those in the shell blocks, and those in the text."""
    named = {
        match[1]
        for document in DOCUMENTS
        for match in re.finditer(
            r"(?:^|[`&]\s*|\$ )purewasm ([a-z][a-z-]*)", document.text, re.MULTILINE
        )
    }
    assert "run" in named
    for name in sorted(named):
        done = purewasm(name, "--help")
        assert done.returncode == 0, f"purewasm {name}: {done.stderr}"
        assert "Usage: " in done.stdout


def test_run_commands_give_an_answer() -> None:
    """Every `purewasm run` on an example plugin."""
    ran = 0
    for document in DOCUMENTS:
        for command in document.commands():
            if not command.startswith("purewasm run "):
                continue
            _, *arguments = shlex.split(command)
            if arguments[1] in examples() and "|" not in arguments and "<" not in arguments:
                done = purewasm(*arguments)
                assert done.returncode == 0, f"{document}: {command}: {done.stderr}"
                assert done.stdout.strip()
                ran += 1
    assert ran


def test_ci_runs_the_test_command() -> None:
    """The commands of the README, line by line."""
    if not CI.is_file():
        pytest.skip("not a checkout: there is no .ci/run")
    (line,) = [
        line
        for block in README.blocks("console")
        for line in block.text.splitlines()
        if "python -m pytest" in line
    ]
    script = CI.read_text("utf-8").splitlines()
    for part in line.removeprefix("$ ").split("&&"):
        assert part.strip() in script, f"not a line of .ci/run: {part.strip()}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Document) -> None:
    """Links to the repository's files name files that exist, and so do relative ones."""
    targets = re.findall(r"\]\(([^)#\s]+)", document.prose)
    wrong = [
        target
        for target in targets
        if (target.startswith(FILES) and not (ROOT / target.removeprefix(FILES)).exists())
        or ("://" not in target and not (document.path.parent / target).exists())
    ]
    assert not wrong


def test_links_of_the_readme_work_on_the_package_index() -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", README.prose)
    assert any(target.startswith(FILES) for target in targets)
    assert all("://" in target for target in targets)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_files_that_are_named_exist(document: Document) -> None:
    pattern = r"(?<![\w/.])((?:fixtures|benchmarks|purewasm_plugins|tests)/[\w./-]*\w)"
    named = {*re.findall(pattern, document.text)}
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]
