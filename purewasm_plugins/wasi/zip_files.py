"""Zips, unpacked whatever they claim, and packed so that equal files give equal bytes."""

from __future__ import annotations

import stat
import zipfile
import zlib
from io import BytesIO

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.support.typed import TYPE_CHECKING, Iterable, Iterator

if TYPE_CHECKING:
    import os
    from typing import BinaryIO

__all__ = ["pack", "unpack"]

#: The most bytes of a symbolic link's target, as on Linux.
_LONGEST_TARGET = 4096

#: The bit of an entry's flags that says that it is encrypted.
_ENCRYPTED = 0x1


def unpack(
    source: bytes | str | os.PathLike[str] | BinaryIO, limit_bytes: int, limit_files: int
) -> Iterator[tuple[str, bytes, bool]]:
    """Yield the path of each entry of a zip, its bytes, and whether it is a symbolic link.

    Paths may be anything but have no backslash. One that ends with "/" is a directory.

    Raises:
        InvalidOptionError: it is no zip, is damaged, or has what is refused.
    """
    is_path = isinstance(source, str) or hasattr(source, "__fspath__")
    if not isinstance(source, bytes) and not is_path and not hasattr(source, "seek"):
        what = "bytes, a path or an open binary file"
        raise _refused(f"must be {what}, and is a {type(source).__name__}")
    try:
        with zipfile.ZipFile(BytesIO(source) if isinstance(source, bytes) else source) as archive:
            entries = archive.infolist()
            if len(entries) > limit_files:
                raise _refused(f"holds more than {limit_files} entries")
            left = limit_bytes
            for entry in entries:
                data = _unpack_one(archive, entry, left)
                if len(data) > left:
                    raise _refused(f"holds more than {limit_bytes} bytes when it is unpacked")
                left -= len(data)
                yield entry.orig_filename, data, _kind(entry) == stat.S_IFLNK
    except InvalidOptionError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise _refused(f"cannot be read: {error}") from error


def _unpack_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int) -> bytes:
    """Return the bytes of an entry, or one more than are left, so that it can be refused."""
    path = entry.orig_filename
    if "\\" in path:
        raise _refused(f"has a path with a backslash: {path[:100]!r}")
    if entry.flag_bits & _ENCRYPTED:
        raise _refused(f"has an encrypted file: {path[:100]!r}")
    kind = _kind(entry)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        what = "is neither a file, a directory nor a symbolic link"
        raise _refused(f"has an entry that {what}: {path[:100]!r}")
    # The others may take memory that has nothing to do with the sizes.
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refused(f"has a file that is not compressed by deflate: {path[:100]!r}")
    is_link = kind == stat.S_IFLNK
    with archive.open(entry) as file:
        data = file.read(1 + min(left, _LONGEST_TARGET) if is_link else left + 1)
    if is_link and len(data) > _LONGEST_TARGET:
        raise _refused(f"has a symbolic link with a target that is too long: {path[:100]!r}")
    return data


def _kind(entry: zipfile.ZipInfo) -> int:
    """Return the kind of file that an entry is, as Unix has it in a mode; 0 if it is not known."""
    return stat.S_IFMT(entry.external_attr >> 16)


def pack(files: Iterable[tuple[str, bytes, bool]]) -> bytes:
    """Return a zip of files; they are what `unpack` yields."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data, is_link in files:
            # It has the time 1980-01-01.
            entry = zipfile.ZipInfo(path)
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            if is_link:
                mode = stat.S_IFLNK | 0o777
            else:
                mode = stat.S_IFDIR | 0o755 if path[-1:] == "/" else stat.S_IFREG | 0o644
            entry.external_attr = mode << 16
            archive.writestr(entry, data)
    return packed.getvalue()


def _refused(details: str) -> InvalidOptionError:
    return InvalidOptionError("directories", f"the zip {details}")
