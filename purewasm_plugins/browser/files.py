"""The files that the modules of the page share, as the page shows and changes them.

Paths are relative to the root, without "/" at the end. Symbolic links are shown, not followed.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from purewasm_plugins.errors import GrantError, PluginError
from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.files import Directory, FileStatus, FileType
from purewasm_plugins.wasi.grants import Quotas, Wasi
from purewasm_plugins.wasi.memory_files import MemoryDirectory
from purewasm_plugins.wasi.state import WasiState

Answer = dict[str, Any]

#: The most entries of a directory.
_ENTRIES = 10_000

#: What modules may use up. A copy of all files is kept outside of the worker, so there are fewer
#: bytes than elsewhere.
QUOTAS = Quotas(total_bytes=64 * 1024 * 1024, files=10_000, directory_entries=_ENTRIES)

#: The most entries and directories inside each other that are listed, the bytes of a file that are
#: shown, and the characters of a link's target.
MOST_ROWS, MOST_DEPTH, MOST_BYTES, MOST_TARGET = 2_000, 32, 64 * 1024, 200

_KINDS = {FileType.DIRECTORY: "directory", FileType.SYMBOLIC_LINK: "link"}

_WORDS = {
    Errno.NOENT: "there is no such file",
    Errno.NOTDIR: "a part of the path is no directory",
    Errno.ISDIR: "there is a directory of that name",
    Errno.LOOP: "there is a symbolic link of that name",
    Errno.NAMETOOLONG: "a name is too long",
    Errno.FBIG: "the file is too large",
    Errno.NOSPC: "there is no room for it: the page keeps 10,000 files of 64 MiB in all",
}


class Files:
    """The files, in one directory that is granted to each module as "/".

    Attributes:
        directory: the directory.
    """

    def __init__(self) -> None:
        self.directory = MemoryDirectory()
        self._quota = WasiState(Wasi(clock="host", quotas=QUOTAS))
        #: The copy that the page has.
        self._kept = self._copy()
        self._methods: Mapping[str, Callable[..., Answer]] = {
            "list": self.list,
            "add": self.add,
            "remove": self.remove,
            "clear": self.clear,
            "read": self.read,
            "take": self.take,
            "zip": self.zip,
            "restore": self.restore,
        }

    def handle(self, do: str, **params: Any) -> Answer:
        """Answer one request.

        Args:
            do: the name of a method of this class.
            params: the arguments of the method.

        Returns:
            What the method returns. The value of "attached" is bytes.

        Raises:
            PluginError: the request is not possible.
        """
        try:
            return self._methods[do](**params)
        except ErrnoError as error:
            words = _WORDS.get(error.errno, f"error {error.errno.name}")
            raise PluginError(f"{params.get('path') or 'the files'}: {words}") from None

    def list(self) -> Answer:
        """List all files, and attach a copy of them if they have changed since the last one.

        Returns:
            "rows": depth, name, kind, bytes and target of each entry; a directory comes before
            what is in it. "more": entries that are left out. "files", "bytes": sums.
        """
        rows: list[Any] = []
        files = total = more = 0
        for depth, name, status, directory in self._walk():
            kind = _KINDS.get(status.type, "file")
            if kind == "file":
                files, total = files + 1, total + status.size
            if len(rows) >= MOST_ROWS:
                more += 1
                continue
            target = directory.read_link(name)[:MOST_TARGET] if kind == "link" else None
            rows.append((depth, name, kind, status.size, target))
        answer = {"rows": rows, "more": more, "files": files, "bytes": total}
        copy = self._copy()
        if copy is not None and copy != self._kept:
            self._kept = answer["attached"] = copy
        return answer

    def add(self, path: str, data: bytes = b"") -> Answer:
        """Add a file, in place of one of that name, and the directories above it.

        Args:
            path: its path.
            data: its content.
        """
        *above, name = _names(path)
        directory = self._root()
        for part in above:
            directory = _open_or_make(directory, part)
        file = directory.open_file(
            name, read=False, write=True, create=True, exclusive=False, truncate=False
        )
        try:
            file.write(0, data)
            file.resize(len(data))
        except ErrnoError:
            if not file.status().size:
                directory.remove_file(name)
            raise
        finally:
            file.close()
        return {}

    def remove(self, path: str) -> Answer:
        """Remove a file, a link, or a directory with all that is in it."""
        directory, name = self._find(path)
        _remove(directory, name)
        return {}

    def clear(self) -> Answer:
        """Remove everything."""
        root = self._root()
        for entry in root.entries(_ENTRIES):
            _remove(root, entry.name)
        return {}

    def read(self, path: str) -> Answer:
        """Return the beginning of a file as text; None where it is no text."""
        data, size = self._content(path, MOST_BYTES)
        cut = size > len(data)
        try:
            text: str | None = data.decode()
        except UnicodeDecodeError as error:
            # The last character may have been cut off.
            whole = cut and error.start > len(data) - 4
            text = data[: error.start].decode() if whole else None
        if text is not None and "\0" in text:
            text = None
        return {"text": text, "size": size, "cut": cut}

    def take(self, path: str) -> Answer:
        """Attach the content of a file."""
        return {"attached": self._content(path, None)[0]}

    def zip(self) -> Answer:
        """Attach all files as a zip."""
        return {"attached": self.directory.to_zip()}

    def restore(self, data: bytes) -> Answer:
        """Take the files of a copy that `list` attached, in the worker before this one."""
        self.directory = pickle.loads(data)
        self._kept = self._copy()
        return {}

    def _copy(self) -> bytes | None:
        """Return a copy of everything; None where the paths are too long together."""
        try:
            return pickle.dumps(self.directory)
        except GrantError:
            return None

    def _root(self) -> Directory:
        return self.directory.open(self._quota)

    def _find(self, path: str) -> tuple[Directory, str]:
        """Return the directory that an entry is in, and its name."""
        *above, name = _names(path)
        directory = self._root()
        for part in above:
            directory = directory.open_directory(part)
        return directory, name

    def _content(self, path: str, most: int | None) -> tuple[bytes, int]:
        """Return up to so many bytes of a file, and its size."""
        directory, name = self._find(path)
        file = directory.open_file(
            name, read=True, write=False, create=False, exclusive=False, truncate=False
        )
        try:
            size = file.status().size
            return file.read(0, size if most is None else most), size
        finally:
            file.close()

    def _walk(self) -> Iterator[tuple[int, str, FileStatus, Directory]]:
        """Yield each entry with its depth and its directory, in the order of the names."""
        pending = [(self._root(), _sorted_names(self._root()))]
        while pending:
            directory, names = pending[-1]
            name = next(names, None)
            if name is None:
                pending.pop()
                continue
            status = directory.status_of(name)
            yield len(pending) - 1, name, status, directory
            if status.type is FileType.DIRECTORY and len(pending) < MOST_DEPTH:
                inner = directory.open_directory(name)
                pending.append((inner, _sorted_names(inner)))


def _names(path: str) -> list[str]:
    """Return the names in a path.

    Raises:
        PluginError: it is none that `MemoryDirectory` takes.
    """
    names = path.split("/")
    if any(name in ("", ".", "..") or "\0" in name for name in names):
        raise PluginError(f"“{path}” is no path of a file")
    return names


def _sorted_names(directory: Directory) -> Iterator[str]:
    return iter(sorted(entry.name for entry in directory.entries(_ENTRIES)))


def _open_or_make(directory: Directory, name: str) -> Directory:
    """Open a directory in another, which is made where there is nothing of that name."""
    try:
        return directory.open_directory(name)
    except ErrnoError as error:
        if error.errno is not Errno.NOENT:
            raise
    directory.make_directory(name)
    return directory.open_directory(name)


def _remove(directory: Directory, name: str) -> None:
    """Remove an entry with all that is in it, however deep that is."""
    pending = [(directory, name)]
    while pending:
        directory, name = pending[-1]
        if directory.status_of(name).type is not FileType.DIRECTORY:
            directory.remove_file(name)
            pending.pop()
            continue
        inner = directory.open_directory(name)
        entries = inner.entries(_ENTRIES)
        if entries:
            pending += [(inner, entry.name) for entry in entries]
        else:
            directory.remove_directory(name)
            pending.pop()
