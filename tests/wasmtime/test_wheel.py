"""The wheel named wasmtime: its format, and what an installer makes of it."""

from __future__ import annotations

import base64
import csv
import hashlib
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

import purewasm_plugins
from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.wasmtime.interface import VERSION
from purewasm_plugins.wasmtime.wheel import write_wheel

INFO = f"wasmtime-{VERSION}.dist-info"

PROGRAM = """
import sys
sys.path.insert(0, {site!r})
import wasmtime
assert wasmtime.__file__.startswith({site!r}), wasmtime.__file__
import purewasm_plugins.wasmtime as ours
assert wasmtime.__all__ == ours.__all__
assert all(getattr(wasmtime, name) is getattr(ours, name) for name in ours.__all__)
ours.install(prefer="pure")
assert sys.modules["wasmtime"] is wasmtime
from importlib.metadata import version
print(version("wasmtime"))
try:
    import wasmtime.component
except ImportError as error:
    print(error)
"""


def test_its_record_has_the_hash_of_each_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(write_wheel(tmp_path)) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist()}
    rows = {name: rest for name, *rest in csv.reader(files[f"{INFO}/RECORD"].decode().splitlines())}
    assert rows.pop(f"{INFO}/RECORD") == ["", ""]
    assert {*rows} == files.keys() - {f"{INFO}/RECORD"}
    for name, (digest, size) in rows.items():
        hashed = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).decode()
        assert (digest, int(size)) == ("sha256=" + hashed.rstrip("="), len(files[name]))


def test_its_metadata(tmp_path: Path) -> None:
    path = Path(write_wheel(tmp_path / "new" / "directory"))
    assert path.name == f"wasmtime-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path) as wheel:
        metadata = Parser().parsestr(wheel.read(f"{INFO}/METADATA").decode())
        about = Parser().parsestr(wheel.read(f"{INFO}/WHEEL").decode())
    assert (metadata["Name"], metadata["Version"]) == ("wasmtime", VERSION)
    required = f"purewasm-plugins=={purewasm_plugins.__version__}"
    assert metadata.get_all("Requires-Dist") == [required]
    assert (about["Root-Is-Purelib"], about["Tag"]) == ("true", "py3-none-any")


def test_an_older_version(tmp_path: Path) -> None:
    path = Path(write_wheel(tmp_path, "47.0.1"))
    assert path.name == "wasmtime-47.0.1-py3-none-any.whl"
    with zipfile.ZipFile(path) as wheel:
        assert "\nVersion: 47.0.1\n" in wheel.read("wasmtime-47.0.1.dist-info/METADATA").decode()


@pytest.mark.parametrize("version", ["", "../1", "1.x", "1.0\n", "1" * 99, "٤٧", 47])
def test_what_is_no_version(tmp_path: Path, version: Any) -> None:
    with pytest.raises(InvalidOptionError, match="version"):
        write_wheel(tmp_path, version)


def test_the_same_wheel_has_the_same_bytes(tmp_path: Path) -> None:
    first, second = (Path(write_wheel(tmp_path / name)).read_bytes() for name in ("a", "b"))
    assert first == second
    write_wheel(tmp_path / "a")
    assert [*(tmp_path / "a").iterdir()] == [
        tmp_path / "a" / f"wasmtime-{VERSION}-py3-none-any.whl"
    ]


def test_an_installer_takes_it(tmp_path: Path) -> None:
    site = str(tmp_path / "site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", site, write_wheel(tmp_path)], check=True, timeout=120)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(site=site)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    version, words = done.stdout.splitlines() or (done.stderr, "")
    assert version == VERSION
    assert words.endswith("and no components")
