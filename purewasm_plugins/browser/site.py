"""The files of the playground's site: what a server sends, and what an export writes.

The archives of this package and of pywasm are made when they are first read, from the installed
files, whether those lie in a folder or in a ZIP archive (a zipapp). Pyodide comes from its public
address unless a copy is given.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from importlib.resources import files as resources
from importlib.resources.abc import Traversable
from pathlib import Path

import purewasm_plugins
from purewasm_plugins.browser.bundled import bundled_plugins
from purewasm_plugins.browser.texts import example_texts
from purewasm_plugins.errors import PureWasmError

#: The release of Pyodide that the page is tested with, and its public address: the files of the npm
#: package, which never change.
PYODIDE_VERSION = "314.0.7"
PYODIDE_URL = f"https://cdn.jsdelivr.net/npm/pyodide@{PYODIDE_VERSION}/"

#: The files of Pyodide that the page needs, with their hashes: the browser refuses a file from the
#: public address that has another hash. `PYODIDE_SIZE` is the sum of their bytes, roughly.
PYODIDE_FILES = {
    "pyodide.mjs": ("sha384-Lp79fMwxa4n2BLtugpUAoQMlbxIdg8iCUiP1r3h7nJLkQjwlXT1JzZTeHVL+f4Dg"),
    "pyodide.asm.mjs": ("sha384-/2281iaC0Iimw0B3Kagy1DBfZcJG3W4KYW+EmOqhsdY3fR9BJ88FE2Zt6y0KQKpa"),
    "pyodide.asm.wasm": ("sha384-y++qrQ72KPA1fTjLIuGMP+jppgGxjbLCgfdb0zMrnNnQVhxRUXTOTF6rTxNzllSu"),
    "pyodide-lock.json": (
        "sha384-o8SQQvpVlZnOl04+3dFTJipKxul9GbViVusA379wlOrfHSgxbzt0yPiqCTxOiYES"
    ),
    "python_stdlib.zip": (
        "sha384-xW3A5jmenkrPXbsgrIaB1FCJh9OuLT7FRMagsJMgtlhVc19k/mSy3+7nMaF/d767"
    ),
}
PYODIDE_SIZE = 13_500_000

#: The distributions that run in the page beside this package.
REQUIREMENTS = ("pywasm",)

_PACKAGE = "purewasm_plugins"

#: The parts of this package that are not used inside the page: folders, files, and suffixes.
_LEFT_OUT = ("browser/page", "cli", "mcp", "wasmtime", "__main__.py")
_SUFFIXES_LEFT_OUT = (".wasm", ".wat", ".md", ".pyc")


#: The place of the policy in the page.
_POLICY_MARK = b"{policy}"


class SiteError(PureWasmError):
    """Raised where a file of the site is missing."""


class Site:
    """The files of a playground.

    Attributes:
        pyodide: the directory of a copy of Pyodide, or None for its public address.
    """

    def __init__(self, pyodide: Path | None = None) -> None:
        """Check the copy of Pyodide, where one is given.

        Raises:
            SiteError: `pyodide` is no copy of Pyodide.
        """
        self.pyodide = pyodide
        if pyodide is not None:
            missing = [name for name in PYODIDE_FILES if not (pyodide / name).is_file()]
            if missing:
                raise SiteError(f"{pyodide} is no copy of Pyodide: it has no {', '.join(missing)}")

    @cached_property
    def files(self) -> Mapping[str, Callable[[], bytes]]:
        """Path in the site -> the function that reads or makes the file.

        Raises:
            SiteError: the page or a package that runs in it is not installed completely.
        """
        found: dict[str, Callable[[], bytes]] = {}
        for name, file in files_under(page()):
            if not name.startswith("."):
                found[name] = file.read_bytes
        if "index.html" not in found:
            raise SiteError("this copy of the package is without the page's files (browser/page)")
        found["index.html"] = self._index
        for bundled in bundled_plugins():
            found[f"plugins/{bundled.file}"] = bundled.read
        for name in self._archives:
            found[f"python/{name}.zip"] = lambda name=name: self._archives[name]  # type: ignore[misc]
        if self.pyodide is not None:
            for name in PYODIDE_FILES:
                found[f"pyodide/{name}"] = (self.pyodide / name).read_bytes
        found["config.json"] = self._config
        return found

    @property
    def policy(self) -> str:
        """The page's content security policy, which its worker inherits.

        Scripts and connections are the site's own, and Pyodide's files at their public address. A
        script from a `blob:` is one that was fetched as data, so that its hash could be checked.
        """
        pyodide = () if self.pyodide else (PYODIDE_URL + name for name in PYODIDE_FILES)
        directives = {
            "default-src": ("'none'",),
            "base-uri": ("'none'",),
            "form-action": ("'none'",),
            "connect-src": ("'self'", *pyodide),
            "img-src": ("'self'",),
            "script-src": ("'self'", "blob:", "'wasm-unsafe-eval'"),
            "style-src": ("'self'",),
            "worker-src": ("'self'", "blob:"),
        }
        return "; ".join(f"{name} {' '.join(sources)}" for name, sources in directives.items())

    def export(self, directory: Path) -> int:
        """Write every file under a directory, which any static host can serve.

        Returns:
            How many files there are.

        Raises:
            OSError: one cannot be written.
        """
        for name, read in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(read())
        return len(self.files)

    @cached_property
    def _archives(self) -> Mapping[str, bytes]:
        archives = {"purewasm_plugins": _packed(_package_files())}
        for requirement in REQUIREMENTS:
            archives[requirement] = packed_distribution(requirement)
        return archives

    def _index(self) -> bytes:
        return (page() / "index.html").read_bytes().replace(_POLICY_MARK, self.policy.encode())

    def _config(self) -> bytes:
        files = PYODIDE_FILES if self.pyodide is None else dict.fromkeys(PYODIDE_FILES, "")
        config = {
            "version": purewasm_plugins.__version__,
            "pyodide": PYODIDE_URL if self.pyodide is None else "pyodide/",
            "pyodideFiles": files,
            "pyodideSize": PYODIDE_SIZE,
            "python": [f"python/{name}.zip" for name in self._archives],
            "plugins": [bundled.described() for bundled in bundled_plugins()],
            "texts": [text.described() for text in example_texts()],
        }
        return json.dumps(config, ensure_ascii=False, indent=1).encode()


def page() -> Traversable:
    """Return the folder of the page's own files: HTML, CSS and JavaScript."""
    return resources(_PACKAGE) / "browser" / "page"


def files_under(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield each file under a folder with its path from there, in the order of the names."""
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from files_under(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry


def packed_distribution(name: str) -> bytes:
    """Return an installed, purely Python distribution as a ZIP archive of its files.

    Raises:
        SiteError: it is not installed, or has files that only one platform can use.
    """
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise SiteError(
            f"the package {name} is not installed, or its metadata is not (the folder"
            f" {name}-….dist-info, from which the page's copy is made)"
        ) from None
    entries: dict[str, Callable[[], bytes]] = {}
    for file in distribution.files or ():
        if file.parts[0] == ".." or file.suffix == ".pyc" or file.name in _OF_INSTALLERS:
            continue
        if file.suffix in (".so", ".pyd", ".dylib"):
            raise SiteError(f"the package {name} is not purely Python: it has {file}")
        entries[file.as_posix()] = file.read_binary
    if not entries:
        raise SiteError(f"the package {name} does not say which files it has")
    return _packed(entries.items())


#: Files of a distribution that concern the machine it is installed on.
_OF_INSTALLERS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def _package_files() -> Iterator[tuple[str, Callable[[], bytes]]]:
    for name, file in files_under(resources(_PACKAGE)):
        left_out = any(name == out or name.startswith(out + "/") for out in _LEFT_OUT)
        if not left_out and not name.endswith(_SUFFIXES_LEFT_OUT):
            yield f"{_PACKAGE}/{name}", file.read_bytes


def _packed(entries: Iterable[tuple[str, Callable[[], bytes]]]) -> bytes:
    """Return a ZIP archive; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, read in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, read())
    return buffer.getvalue()
