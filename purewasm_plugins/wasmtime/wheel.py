"""A wheel named `wasmtime` that depends on this package.

With it installed, a package manager finds the requirement `wasmtime` of other packages fulfilled.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile

from purewasm_plugins.wasmtime.interface import NAME, VERSION, check_version, metadata_files

__all__ = ["write_wheel"]

#: The only module. A type checker reads it, too.
_MODULE = '''\
"""The stand-in for wasmtime of purewasm-plugins."""

from purewasm_plugins.wasmtime import *
from purewasm_plugins.wasmtime import __all__ as __all__
from purewasm_plugins.wasmtime.installing import refuse_submodules

refuse_submodules()
'''

_WHEEL = """\
Wheel-Version: 1.0
Generator: purewasm-plugins
Root-Is-Purelib: true
Tag: py3-none-any
"""

#: The least time that a zip archive can hold: the same wheel has the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)

#: Regular files that their owner may write and all may read.
_MODE = 0o100644 << 16


def write_wheel(directory: str | os.PathLike[str], version: str = VERSION) -> str:
    """Write the wheel into a directory, which is made if it is not there.

    The bytes depend on nothing but the versions.

    Args:
        directory: the directory; an older wheel of that name in it is replaced.
        version: the version that the wheel says it is.

    Returns:
        The path of the wheel.

    Raises:
        InvalidOptionError: `version` is no version.
        OSError: it cannot be written.
    """
    check_version(version)
    info = f"{NAME}-{version}.dist-info"
    files = {
        f"{NAME}/__init__.py": _MODULE.encode(),
        f"{NAME}/py.typed": b"",
        f"{info}/WHEEL": _WHEEL.encode(),
    }
    files |= {f"{info}/{name}": text.encode() for name, text in metadata_files(version).items()}
    record = f"{info}/RECORD"
    rows = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[record] = "\n".join([*rows, f"{record},,", ""]).encode()
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f"{NAME}-{version}-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = _MODE
            # Otherwise it depends on the system that writes it.
            entry.create_system = 3
            archive.writestr(entry, data)
    return path


def _digest(data: bytes) -> str:
    """Return a hash as RECORD has it."""
    digest = hashlib.sha256(data).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
