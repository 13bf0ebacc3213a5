"""The files of the playground's site: complete, exported, and served by the command."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import zipapp
import zipfile
from pathlib import Path

import pytest

from purewasm_plugins import example, examples
from purewasm_plugins.browser.bundled import bundled_plugins
from purewasm_plugins.browser.server import PlaygroundServer
from purewasm_plugins.browser.site import (
    PYODIDE_FILES,
    PYODIDE_URL,
    PYODIDE_VERSION,
    REQUIREMENTS,
    Site,
    SiteError,
    packed_distribution,
)
from purewasm_plugins.browser.texts import TEXTS
from purewasm_plugins.bundled import EXAMPLES
from purewasm_plugins.command import START
from tests.browser.conftest import PYODIDE
from tests.conftest import ROOT, heed_interrupts

PAGE = ROOT / "purewasm_plugins/browser/page"
WAT = ROOT / "fixtures/wat"


def test_the_page_refers_to_nothing_that_is_not_there(site: Site) -> None:
    for name, read in site.files.items():
        if not name.endswith((".js", ".html", ".css")):
            continue
        text = read().decode().replace(site.policy, "")
        referred = re.findall(r'from "\./([^"]+)"|(?:href|src)="([\w./]+\.\w+)"', text)
        for found in {first or second for first, second in referred}:
            assert found in site.files, f"{name} refers to {found}"
        # Pyodide's is the only address outside of the site, in the configuration and the policy.
        addresses = set(re.findall(r"https?://[\w./-]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not addresses, name


def test_the_configuration(site: Site, tmp_path: Path) -> None:
    config = json.loads(site.files["config.json"]())
    assert config["pyodide"] == PYODIDE_URL
    assert config["pyodideFiles"] == PYODIDE_FILES
    assert all(path in site.files for path in config["python"])
    assert next(plugin["file"] for plugin in config["plugins"]) == "echo.wasm"
    assert all(f"plugins/{plugin['file']}" in site.files for plugin in config["plugins"])
    assert [text["name"] for text in config["texts"]] == [text.name for text in TEXTS]
    for name in PYODIDE_FILES:
        (tmp_path / name).write_bytes(b"")
    local = Site(tmp_path)
    config = json.loads(local.files["config.json"]())
    assert config["pyodide"] == "pyodide/"
    assert config["pyodideFiles"] == dict.fromkeys(PYODIDE_FILES, ""), "another release, perhaps"
    assert "pyodide/pyodide.mjs" in local.files
    with pytest.raises(SiteError, match="no copy of Pyodide"):
        Site(PAGE)


@pytest.mark.skipif(not PYODIDE.is_dir(), reason="there is no Pyodide")
def test_the_hashes_are_those_of_the_package() -> None:
    assert PYODIDE_URL.endswith(f"pyodide@{PYODIDE_VERSION}/")
    assert json.loads((PYODIDE / "package.json").read_bytes())["version"] == PYODIDE_VERSION
    for name, integrity in PYODIDE_FILES.items():
        digest = hashlib.sha384((PYODIDE / name).read_bytes()).digest()
        assert integrity == f"sha384-{base64.b64encode(digest).decode()}", name


def test_the_policy(site: Site, tmp_path: Path) -> None:
    policy = dict(directive.split(" ", 1) for directive in site.policy.split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == "'self' blob: 'wasm-unsafe-eval'"
    assert policy["style-src"] == policy["img-src"] == "'self'"
    assert policy["connect-src"].split() == ["'self'", *(PYODIDE_URL + n for n in PYODIDE_FILES)]
    page = site.files["index.html"]().decode()
    assert f'<meta http-equiv="Content-Security-Policy" content="{site.policy}">' in page
    assert page.index("http-equiv") < min(page.index("<link"), page.index("<script"))
    for name in PYODIDE_FILES:
        (tmp_path / name).write_bytes(b"")
    assert "connect-src 'self';" in Site(tmp_path).policy


def test_the_archives_are_enough_to_run_a_plugin(site: Site, tmp_path: Path) -> None:
    for name in ("purewasm_plugins", *REQUIREMENTS):
        with zipfile.ZipFile(io.BytesIO(site.files[f"python/{name}.zip"]())) as archive:
            archive.extractall(tmp_path)
            assert not [entry for entry in archive.namelist() if entry.endswith((".pyc", ".js"))]
    program = (
        "import json, sys; sys.path.insert(0, sys.argv[1])\n"
        "from purewasm_plugins.browser.workbench import Workbench\n"
        "import purewasm_plugins, pywasm\n"
        "bench = Workbench()\n"
        "bench.load(sys.stdin.buffer.read())\n"
        "print(bench.run(0, 'hello')['output'], purewasm_plugins.__file__)\n"
    )
    # -S: without installed packages; -P: without the working directory.
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-E", "-c", program, str(tmp_path)],
        input=(ROOT / "fixtures/wat/echo.wasm").read_bytes(),
        capture_output=True,
        check=False,
    )
    assert done.stdout.decode().split()[0] == "hello", done.stderr.decode()
    assert str(tmp_path) in done.stdout.decode()


def test_the_same_files_make_the_same_archive() -> None:
    assert packed_distribution("pywasm") == packed_distribution("pywasm")
    with pytest.raises(SiteError, match="not installed"):
        packed_distribution("no-such-package")
    with pytest.raises(SiteError, match="not purely Python"):
        packed_distribution("mypy")


def test_exported(site: Site, tmp_path: Path) -> None:
    count = site.export(tmp_path / "new" / "site")
    written = [path for path in (tmp_path / "new" / "site").rglob("*") if path.is_file()]
    assert count == len(written) == len(site.files)
    assert (tmp_path / "new/site/index.html").read_bytes() == site.files["index.html"]()


def test_the_page_offers_only_examples(site: Site) -> None:
    names = [bundled.name for bundled in bundled_plugins()]
    assert len(set(names)) == len(names)
    assert {*names} <= {*examples()}
    assert "buggy_shout" in names
    for bundled in bundled_plugins():
        tools = next(entry.tools for entry in EXAMPLES if entry.name == bundled.name)
        assert bundled.inputs.keys() <= {*tools, START}


IN_AN_ARCHIVE = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from purewasm_plugins.browser.site import Site, SiteError
try:
    files = Site().files
except SiteError as error:
    sys.exit(str(error))
print(json.dumps({name: hashlib.sha256(read()).hexdigest() for name, read in files.items()}))
"""


def test_a_zipapp_has_the_same_site(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "application"
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "purewasm_plugins", folder / "purewasm_plugins", ignore=unwanted)
    for name in examples():
        shutil.copy(example(name), folder / f"purewasm_plugins/bundled/{name}.wasm")
    for text in TEXTS:
        shutil.copy(WAT / f"{text.name}.wat", folder / "purewasm_plugins/bundled")
    (folder / "__main__.py").touch()

    def inside() -> subprocess.CompletedProcess[str]:
        zipapp.create_archive(folder, tmp_path / "application.pyz")
        # -S: without installed packages.
        archive = str(tmp_path / "application.pyz")
        command = [sys.executable, "-S", "-E", "-c", IN_AN_ARCHIVE, archive]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert "the package pywasm is not installed, or its metadata is not" in inside().stderr
    for file in importlib.metadata.files("pywasm") or ():
        if file.suffix != ".pyc" and ".." not in file.parts:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(file.read_binary())
    done = inside()
    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        name: hashlib.sha256(read()).hexdigest() for name, read in site.files.items()
    }


def purewasm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "purewasm_plugins", "playground", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_exports(tmp_path: Path) -> None:
    done = purewasm("--export", str(tmp_path / "site"))
    assert done.returncode == 0, done.stderr
    assert "any static host" in done.stdout
    assert (tmp_path / "site" / "config.json").is_file()


def test_what_the_command_cannot_do_is_one_line(server: PlaygroundServer, tmp_path: Path) -> None:
    for arguments, message in (
        (("--pyodide", str(tmp_path)), "no copy of Pyodide"),
        (("--no-browser", "--port", str(server.server_port)), "port"),
        (("--export", str(tmp_path / "file" / "site")), "file"),
    ):
        (tmp_path / "file").write_text("in the way")
        done = purewasm(*arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_the_command_serves() -> None:
    command = [sys.executable, "-m", "purewasm_plugins", "playground", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"http://\S+/", line)
        assert address is not None, line
        with urllib.request.urlopen(address[0] + "config.json") as answer:
            assert json.load(answer)["plugins"]
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert errors == ""
