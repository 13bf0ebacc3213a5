"""A file system in memory: `MemoryDirectory`, made from a mapping or a zip, and read back as one.

A directory that instances share is one `Tree` behind one lock. An open handle is a node of it, and
the quota of the instance that opened it; sizes and counts are the tree's, so that all instances use
up the same room. Error numbers are those of Linux, and so is which of several comes first.
"""

from __future__ import annotations

import os

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Mapping
from purewasm_plugins.wasi.errno import Errno
from purewasm_plugins.wasi.files import (
    ENTRIES_PER_UNIT,
    Directory,
    DirectoryEntry,
    File,
    FileStatus,
    Quota,
)
from purewasm_plugins.wasi.grants import DirectoryGrant
from purewasm_plugins.wasi.memory_tree import (
    DirectoryNode,
    FileNode,
    LinkNode,
    Node,
    SymbolicLink,
    Tree,
    fail,
    refused,
    shown,
    unreadable,
    unusable,
)

if TYPE_CHECKING:
    from typing import BinaryIO
else:
    # Importing `typing` takes long.
    BinaryIO = Any

__all__ = ["MemoryDirectory", "SymbolicLink"]

#: What a zip may hold unless it is told otherwise: as much as the default `Quotas`.
ZIP_BYTES = 256 * 1024 * 1024
ZIP_FILES = 10_000


class MemoryDirectory(DirectoryGrant):
    """A directory in memory that a module may be granted.

    Each instance that gets it sees what the others have changed. It lasts as long as the object,
    and a copy, or what is unpickled, is a directory of its own with the same files.

        >>> scratch = MemoryDirectory({"notes/today.txt": "hello", "empty/": b""})
        >>> scratch.files()
        {'notes/today.txt': b'hello', 'empty/': b''}

    Attributes:
        read_only: whether nothing in it may be changed by a module.
    """

    read_only: bool

    def __init__(
        self,
        content: Mapping[str, bytes | str | SymbolicLink] | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        """Make a directory.

        Args:
            content: relative paths such as "a/b.txt", each with the bytes of the file, its text
                (it becomes UTF-8) or a `SymbolicLink`. The directories above are made. A path that
                ends with "/" is a directory, with the value b"". All times are 1970.
            read_only: whether nothing in it may be changed by a module.

        Raises:
            InvalidOptionError: a path is absolute, or has an empty component, "." or "..", U+0000,
                a lone surrogate or a name of more than 255 bytes; or it is a file and a directory
                at once; or a value has another type.
        """
        if not isinstance(read_only, bool):
            expected = f"it must be a bool, and is a {type(read_only).__name__}"
            raise InvalidOptionError("read_only", expected)
        if content is None:
            content = {}
        if not isinstance(content, Mapping):
            given = type(content).__name__
            raise refused(f"the content must be a mapping of paths to bytes, and is a {given}")
        self.read_only = read_only
        self._tree = Tree()
        for path, value in content.items():
            self._tree.add(path, self._tree.make(path, value))

    @classmethod
    def from_zip(
        cls,
        source: bytes | str | os.PathLike[str] | BinaryIO,
        *,
        read_only: bool = False,
        limit_bytes: int = ZIP_BYTES,
        limit_files: int = ZIP_FILES,
    ) -> MemoryDirectory:
        """Make a directory of what is in a zip.

        Symbolic links become links here; times and permissions are dropped.

        Args:
            source: the bytes of the zip, the path of its file, or an open binary file.
            read_only: whether nothing in it may be changed by a module.
            limit_bytes: the most bytes of all files together, counted while they are unpacked.
            limit_files: the most files, links and directories.

        Raises:
            InvalidOptionError: it cannot be read, is no zip or is damaged; it holds more than a
                limit allows, an encrypted file, one that is compressed by another method than
                deflate, a path that `MemoryDirectory` refuses or one with a backslash.
        """
        from purewasm_plugins.wasi.zip_files import unpack

        made = cls(read_only=read_only)
        tree = made._tree
        _check_limit("limit_bytes", limit_bytes)
        _check_limit("limit_files", limit_files)
        for path, data, is_link in unpack(source, limit_bytes, limit_files):
            tree.add(path, tree.make(path, _link(path, data) if is_link else data))
            if tree.names > limit_files:
                raise refused(f"the zip holds more than {limit_files} files and directories")
        return made

    def files(self) -> dict[str, bytes | SymbolicLink]:
        """Read everything back, in the form that the constructor takes.

        Returns:
            The path of each file and symbolic link, and of each empty directory with "/" at its
            end. A file with several names (hard links) is there under each of them, and the same
            bytes object under all.

        Raises:
            GrantError: all paths have more than 64 MiB together.
        """
        with self._tree.lock:
            return {path: node.content() for path, node in self._tree.walk()}

    def to_zip(self, *, limit_bytes: int = ZIP_BYTES) -> bytes:
        """Pack everything into a zip; equal content gives equal bytes.

        Args:
            limit_bytes: the most bytes of all files together. One with several names counts for
                each, for a zip has no hard links.

        Raises:
            InvalidOptionError: the limit is negative or no int.
            GrantError: there are more bytes, or a name has a backslash, which some programs that
                unpack take for "/"; and as `files`.
        """
        from purewasm_plugins.wasi.zip_files import pack

        _check_limit("limit_bytes", limit_bytes)
        files = self.files()
        size = sum(len(value) for value in files.values() if isinstance(value, bytes))
        if size > limit_bytes:
            raise unreadable(f"has more than {limit_bytes} bytes, the limit of a zip")
        for path in files:
            if "\\" in path:
                raise unreadable(f"has a file that no zip can hold: {shown(path)}")
        return pack(
            (path, value.target.encode(), True)
            if isinstance(value, SymbolicLink)
            else (path, value, False)
            for path, value in files.items()
        )

    def open(self, quota: Quota) -> Directory:
        """See `DirectoryGrant`."""
        return _OpenDirectory(self._tree, self._tree.root, quota, self.read_only)

    def finish(self) -> None:
        """See `DirectoryGrant`: nothing is to be stored."""

    def __repr__(self) -> str:
        with self._tree.lock:
            counts = f"{self._tree.names} files and directories, {self._tree.size} bytes"
        return f"<MemoryDirectory: {counts}{', read-only' if self.read_only else ''}>"

    def __getstate__(self) -> Any:
        """Return what is pickled: flat, for a tree may be deeper than Python can recurse."""
        with self._tree.lock:
            found = [(path, node.inode, node.content()) for path, node in self._tree.walk()]
        paths = [(path, inode) for path, inode, _ in found]
        return self.read_only, paths, {inode: content for _, inode, content in found}

    def __setstate__(self, state: Any) -> None:
        self.read_only, paths, contents = state
        self._tree = Tree()
        nodes: dict[int, Node] = {}
        for path, inode in paths:
            if inode not in nodes:
                nodes[inode] = self._tree.make(path, contents[inode])
            self._tree.add(path, nodes[inode])


class _OpenDirectory:
    """An open directory of a tree; see `Directory`."""

    def __init__(self, tree: Tree, node: DirectoryNode, quota: Quota, read_only: bool) -> None:
        self._tree = tree
        self._node = node
        self._quota = quota
        self._read_only = read_only

    def duplicate(self) -> Directory:
        """See `Directory`."""
        return _OpenDirectory(self._tree, self._node, self._quota, self._read_only)

    def open_directory(self, name: str) -> Directory:
        """See `Directory`."""
        with self._tree.lock:
            node = self._node.get(name)
        if not isinstance(node, DirectoryNode):
            # Of a symbolic link, too: as Linux has it for O_DIRECTORY with O_NOFOLLOW.
            fail(Errno.NOTDIR)
        return _OpenDirectory(self._tree, node, self._quota, self._read_only)

    def open_file(
        self, name: str, *, read: bool, write: bool, create: bool, exclusive: bool, truncate: bool
    ) -> File:
        """See `Directory`."""
        tree, quota = self._tree, self._quota
        with tree.lock:
            node = self._node.find(name)
            if node is None:
                if not create:
                    fail(Errno.NOENT)
                now = self._begin_change()
                node = FileNode(tree.number(), now)
                self._add(name, node, now)
            elif create and exclusive:
                fail(Errno.EXIST)
            if not isinstance(node, FileNode):
                fail(Errno.ISDIR if isinstance(node, DirectoryNode) else Errno.LOOP)
            if self._read_only and (write or truncate):
                fail(Errno.ROFS)
            if truncate:
                tree.resize(node, 0, quota)
                node.note_change(quota.now())
            return _OpenFile(tree, node, quota, self._read_only)

    def read_link(self, name: str) -> str:
        """See `Directory`."""
        with self._tree.lock:
            node = self._node.get(name)
        if not isinstance(node, LinkNode):
            fail(Errno.INVAL)
        return node.target

    def status_of(self, name: str) -> FileStatus:
        """See `Directory`."""
        with self._tree.lock:
            return self._node.get(name).status(self._tree.device)

    def status(self) -> FileStatus:
        """See `Directory`."""
        with self._tree.lock:
            return self._node.status(self._tree.device)

    def set_times_of(self, name: str, accessed: int | None, modified: int | None) -> None:
        """See `Directory`."""
        with self._tree.lock:
            node = self._node.get(name)
            node.set_times(accessed, modified, self._begin_change())

    def set_times(self, accessed: int | None, modified: int | None) -> None:
        """See `Directory`."""
        with self._tree.lock:
            self._node.set_times(accessed, modified, self._begin_change())

    def make_directory(self, name: str) -> None:
        """See `Directory`."""
        with self._tree.lock:
            self._node.check_free(name)
            now = self._begin_change()
            self._add(name, DirectoryNode(self._tree.number(), now), now)

    def make_symbolic_link(self, name: str, target: str) -> None:
        """See `Directory`."""
        if not target:
            fail(Errno.NOENT)
        if unusable(target) is not None:
            fail(Errno.INVAL)
        with self._tree.lock:
            self._node.check_free(name)
            now = self._begin_change()
            node = LinkNode(self._tree.number(), now, target)
            self._quota.check_total_size(self._tree.size + node.size)
            self._add(name, node, now)

    def link(self, name: str, into: Directory, new_name: str) -> None:
        """See `Directory`."""
        other = self._same_tree(into)
        with self._tree.lock:
            node = self._node.get(name)
            other._node.check_free(new_name)
            if isinstance(node, DirectoryNode):
                fail(Errno.PERM)
            now = other._begin_change()
            other._add(new_name, node, now)
            node.changed = now

    def rename(self, name: str, into: Directory, new_name: str) -> None:
        """See `Directory`."""
        tree, source, other = self._tree, self._node, self._same_tree(into)
        target = other._node
        with tree.lock:
            node = source.get(name)
            replaced = target.find(new_name)
            if isinstance(node, DirectoryNode) and node.holds(target):
                fail(Errno.INVAL)
            if isinstance(replaced, DirectoryNode) and replaced.holds(source):
                fail(Errno.NOTEMPTY)
            if replaced is node:
                return
            now = self._begin_change()
            if replaced is not None:
                _check_replacement(node, replaced)
                tree.remove(target, new_name, now)
            elif target is not source:
                other._quota.check_entries(len(target.entries) + 1)
            tree.attach(target, new_name, node)
            tree.detach(source, name)
            node.changed = now
            source.note_change(now)
            target.note_change(now)

    def remove_directory(self, name: str) -> None:
        """See `Directory`."""
        with self._tree.lock:
            node = self._node.get(name)
            if not isinstance(node, DirectoryNode):
                fail(Errno.NOTDIR)
            if node.entries:
                fail(Errno.NOTEMPTY)
            self._remove(name)

    def remove_file(self, name: str) -> None:
        """See `Directory`."""
        with self._tree.lock:
            if isinstance(self._node.get(name), DirectoryNode):
                fail(Errno.ISDIR)
            self._remove(name)

    def entries(self, limit: int) -> list[DirectoryEntry]:
        """See `Directory`."""
        with self._tree.lock:
            entries = self._node.entries
            if len(entries) > limit:
                fail(Errno.NOMEM)
            self._quota.spend(len(entries) // ENTRIES_PER_UNIT)
            return [DirectoryEntry(name, node.inode, node.type) for name, node in entries.items()]

    def sync(self) -> None:
        """See `Directory`."""

    def close(self) -> None:
        """See `Directory`."""

    def _begin_change(self) -> int:
        """Return the time of a change: ROFS where nothing may be changed."""
        if self._read_only:
            fail(Errno.ROFS)
        return self._quota.now()

    def _add(self, name: str, node: Node, now: int) -> None:
        """Make an entry if there is room for one more."""
        self._quota.check_files(self._tree.names + 1)
        self._quota.check_entries(len(self._node.entries) + 1)
        self._tree.attach(self._node, name, node)
        self._node.note_change(now)

    def _remove(self, name: str) -> None:
        now = self._begin_change()
        self._tree.remove(self._node, name, now)
        self._node.note_change(now)

    def _same_tree(self, into: Directory) -> _OpenDirectory:
        """Return a handle of the same tree; XDEV for any other."""
        if not isinstance(into, _OpenDirectory) or into._tree is not self._tree:
            fail(Errno.XDEV)
        return into


class _OpenFile:
    """An open regular file of a tree; see `File`."""

    def __init__(self, tree: Tree, node: FileNode, quota: Quota, read_only: bool) -> None:
        self._tree = tree
        self._node = node
        self._quota = quota
        self._read_only = read_only

    def read(self, offset: int, size: int) -> bytes:
        """See `File`."""
        # A slice of a bytearray would be a copy, to be copied once more.
        with self._tree.lock, memoryview(self._node.data) as view:
            return bytes(view[offset : offset + size])

    def write(self, offset: int, data: bytes) -> int:
        """See `File`."""
        with self._tree.lock:
            return self._put(offset, data)

    def append(self, data: bytes) -> int:
        """See `File`."""
        with self._tree.lock:
            return self._put(self._node.size, data)

    def resize(self, size: int) -> None:
        """See `File`."""
        with self._tree.lock:
            self._check_writable()
            self._tree.resize(self._node, size, self._quota)
            self._node.note_change(self._quota.now())

    def status(self) -> FileStatus:
        """See `File`."""
        with self._tree.lock:
            return self._node.status(self._tree.device)

    def set_times(self, accessed: int | None, modified: int | None) -> None:
        """See `File`."""
        with self._tree.lock:
            self._check_writable()
            self._node.set_times(accessed, modified, self._quota.now())

    def sync(self) -> None:
        """See `File`."""

    def close(self) -> None:
        """See `File`."""
        # A file that was removed is freed with its last handle, and then its bytes count no longer.
        self._node = FileNode(0, 0)

    def _check_writable(self) -> None:
        if self._read_only:
            fail(Errno.ROFS)

    def _put(self, offset: int, data: bytes) -> int:
        self._check_writable()
        if not data:
            return 0
        self._tree.write(self._node, offset, data, self._quota)
        self._node.note_change(self._quota.now())
        return len(data)


def _check_replacement(node: Node, replaced: Node) -> None:
    """Refuse to put a file in place of one of another kind, or of a directory with entries."""
    if not isinstance(replaced, DirectoryNode):
        if isinstance(node, DirectoryNode):
            fail(Errno.NOTDIR)
    elif not isinstance(node, DirectoryNode):
        fail(Errno.ISDIR)
    elif replaced.entries:
        fail(Errno.NOTEMPTY)


def _link(path: str, target: bytes) -> SymbolicLink:
    """Return the symbolic link that a zip has at a path."""
    try:
        return SymbolicLink(target.decode())
    except UnicodeDecodeError:
        raise refused(f"the symbolic link {shown(path)} has a target that is no UTF-8") from None


def _check_limit(name: str, value: object) -> None:
    if not isinstance(value, int) or value < 0:
        raise InvalidOptionError(name, f"it must be an int from 0 on, and is {value!r}")
