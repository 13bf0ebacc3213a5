"""Directories of the host, which a module cannot leave.

A directory is held open, and each operation takes that open directory and **one name**, and follows
no link: the kernel looks the name up in the directory itself, wherever that was moved meanwhile. So
what another process does to the tree at the same time cannot lead out of it. Nothing is checked by
name and then opened by name: what was opened is asked for its kind.

`paths.py` takes paths apart, and resolves symbolic links; nothing here does.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

# `threading` is slow to import, and this is what it hands out. A file can be dropped, and so be
# closed, while its thread holds the lock: it must be one that can be taken twice.
from _thread import RLock

from purewasm_plugins.errors import GrantError, InvalidOptionError
from purewasm_plugins.support.typed import Any, Callable
from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.files import (
    ENTRIES_PER_UNIT,
    Directory,
    DirectoryEntry,
    File,
    FileStatus,
    FileType,
    Quota,
)
from purewasm_plugins.wasi.grants import DirectoryGrant

__all__ = ["HostDirectory"]

#: Whether directories are used in place: all that it needs is there. Emscripten has the calls, but
#: its file systems do not keep what they promise.
IN_PLACE = (
    sys.platform not in ("emscripten", "wasi")
    and {
        *(os.open, os.stat, os.readlink, os.mkdir, os.symlink, os.link),
        *(os.rename, os.rmdir, os.unlink, os.utime),
    }
    <= os.supports_dir_fd
    and {os.stat, os.link, os.utime} <= os.supports_follow_symlinks
    and {os.scandir, os.utime, os.stat} <= os.supports_fd
    and hasattr(os, "O_NOFOLLOW")
    and hasattr(os, "O_DIRECTORY")
)

if sys.platform == "win32":
    _NO_EFFECT = _DIRECTORY = 0
else:
    #: A FIFO or a device is not waited for, and a terminal does not become that of this process.
    _NO_EFFECT = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    _DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

#: The greatest offset and size that the system knows.
_GREATEST = 2**63 - 1

#: The last time that a module can be told.
_LAST_TIME = 2**64 - 1

#: Bytes that are read without a look at the file's size: Python allocates as many as are asked for.
_SMALL_READ = 64 * 1024

#: Times that a file is looked for, and made, while another process removes and makes it.
_TRIES = 16

#: Directories whose entries are known by number.
_COUNTED = 256

_TYPES = {
    stat.S_IFBLK: FileType.BLOCK_DEVICE,
    stat.S_IFCHR: FileType.CHARACTER_DEVICE,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFREG: FileType.REGULAR_FILE,
    stat.S_IFSOCK: FileType.SOCKET_STREAM,
    stat.S_IFLNK: FileType.SYMBOLIC_LINK,
}


class HostDirectory(DirectoryGrant):
    """A directory of the host that a module may use, and everything below it; nothing beside it.

        >>> from purewasm_plugins import HostDirectory, Wasi
        >>> wasi = Wasi(directories={"/data": HostDirectory(".")})

    No path leads out of it: not by "..", not by symbolic links, not while another process moves and
    replaces what is there. Symbolic links are resolved as if the directory were the root: one whose
    target is absolute, or leads out, cannot be followed. Only regular files and directories can be
    opened. Names that are not UTF-8 are left out where a directory is listed.

    It is used in place where Python can open files relative to a directory (Linux, macOS).
    Elsewhere (Windows, Pyodide) its content is copied when it is first opened, as far as the quotas
    allow; if it may be written, what a call changed is copied back after the call: whole files
    under their names, symbolic links as such, no times. What the host changes meanwhile is not
    seen then, and what both change is the module's.

    Quotas count what is made through this object, by all instances together: the bytes by which
    files grew, less those by which they shrank or were removed; and the names made, less those
    removed. Neither falls below zero. A copied directory counts with all of its content.

    Attributes:
        path: the directory, as it was given. A relative one begins where this process is when the
            object is made, and stays the same directory when the process goes elsewhere.
        read_only: whether nothing in it may be changed.

    Hazards:
        What is mounted below the directory, and what has a hard link in it, is part of it. Do not
        grant one that contains /proc: its files are the memory and the environment of processes.

        A module that may write can fill a disk as far as the quotas allow, can make symbolic links
        with any target, which other programs of the host would follow, and can write files that
        other programs run. Permissions of files are those that this process has.

    Raises:
        InvalidOptionError: the path is neither a str nor a path-like object of one, or cannot be
            a path; `read_only` is no bool. Whether the directory is there turns out when it is
            opened: GrantError.
    """

    def __init__(self, path: str | os.PathLike[str], read_only: bool = True) -> None:
        self.path = _checked_path(path)
        if not isinstance(read_only, bool):
            raise InvalidOptionError("read_only", f"it must be a bool, and is {read_only!r}")
        self.read_only = read_only
        self._place = _absolute(self.path)
        self._usage = _Usage()
        self._copy: DirectoryGrant | None = None

    def __repr__(self) -> str:
        return f"HostDirectory({self.path!r}, read_only={self.read_only})"

    def __reduce__(self) -> tuple[Any, ...]:
        return HostDirectory, (self._place, self.read_only)

    def open(self, quota: Quota) -> Directory:
        """Open it for an instance.

        Args:
            quota: what the instance may use up in it.

        Raises:
            GrantError: it is not there, is no directory, may not be read, or is to be copied and
                is too large.
        """
        try:
            if not IN_PLACE:
                return self._copied().open(quota)
            fd = os.open(self._place, _DIRECTORY)
        except OSError as error:
            raise GrantError(self.path, _reason(error)) from error
        return _HostDirectory(fd, _Access(self._usage, quota, self.read_only))

    def finish(self) -> None:
        """Store what was changed, where the directory is a copy; in place, it is stored already.

        Raises:
            GrantError: it cannot be stored.
        """
        if self._copy is not None:
            self._copy.finish()

    def _copied(self) -> DirectoryGrant:
        from purewasm_plugins.wasi.copied_files import CopiedDirectory

        with self._usage.lock:
            if self._copy is None:
                self._copy = CopiedDirectory(self._place, self.read_only)
            return self._copy


def _reason(error: OSError) -> str:
    """Return why a directory cannot be used, as the end of a sentence that begins with it."""
    if isinstance(error, FileNotFoundError):
        return "is not there"
    if isinstance(error, NotADirectoryError):
        return "is no directory"
    if isinstance(error, PermissionError):
        return "may not be read"
    return f"cannot be opened: {error.strerror}"


def _checked_path(path: object) -> str:
    """Return a path as text, or refuse it."""
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str):
        raise InvalidOptionError("path", f"it must be the path of a directory, and is {path!r}")
    try:
        data = os.fsencode(text)
    except UnicodeEncodeError:
        data = b"\0"
    if not text or b"\0" in data:
        raise InvalidOptionError("path", f"{text!r} cannot be the path of a directory")
    return text


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:
        # This process is in a directory that was removed: the path will lead nowhere.
        return path


class _Usage:
    """What was made in a directory through its grant, by all instances.

    Attributes:
        lock: held while anything is changed, so that what was checked stays true.
        total: bytes by which files grew.
        files: names made.
        opened: how often each file is open, by device and inode.
        counts: by the device and inode of a directory, when it was changed last, and the number of
            its entries then.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.total = 0
        self.files = 0
        self.opened: dict[tuple[int, int], int] = {}
        self.counts: dict[tuple[int, int], tuple[int, int]] = {}

    def add(self, total: int, files: int = 0) -> None:
        """Count bytes and names; negative ones are given back."""
        self.total = max(0, self.total + total)
        self.files = max(0, self.files + files)

    def removed(self, was: os.stat_result) -> None:
        """Give back a name that was removed, and the file's bytes if they are free now.

        Those of a file that is still open are given back when it is closed.
        """
        free = stat.S_ISREG(was.st_mode) and was.st_nlink == 1 and _key(was) not in self.opened
        self.add(-was.st_size if free else 0, -1)

    def open_file(self, key: tuple[int, int]) -> None:
        """Note that a file was opened."""
        with self.lock:
            self.opened[key] = self.opened.get(key, 0) + 1

    def close_file(self, key: tuple[int, int], fd: int) -> None:
        """Note that a file is closed."""
        with self.lock:
            self.opened[key] -= 1
            if not self.opened[key]:
                del self.opened[key]
                status = os.fstat(fd)
                if not status.st_nlink:
                    self.add(-status.st_size)


class _Access:
    """The use of a directory by one instance: what it may do, and the quotas."""

    def __init__(self, usage: _Usage, quota: Quota, read_only: bool) -> None:
        self.usage = usage
        self._quota = quota
        self._read_only = read_only

    def spend(self, units: int) -> None:
        """Pay for what takes long."""
        self._quota.spend(units)

    def check_change(self) -> None:
        """Refuse any change where nothing may be changed: ROFS."""
        if self._read_only:
            raise ErrnoError(Errno.ROFS)

    def check_growth(self, size: int, new_size: int) -> None:
        """Refuse a size that a file may not have: FBIG or NOSPC."""
        if new_size > _GREATEST:
            raise ErrnoError(Errno.FBIG)
        if new_size > size:
            self._quota.check_file_size(new_size)
            self._quota.check_total_size(self.usage.total + new_size - size)

    def check_new_name(self, fd: int) -> int:
        """Refuse another name in an open directory (NOSPC), or return how many entries it has."""
        self._quota.check_files(self.usage.files + 1)
        return self.check_entry(fd)

    def made(self, fd: int, count: int) -> None:
        """Count a name that was made in an open directory, which had so many entries."""
        self.usage.add(0, 1)
        self.note_entries(fd, count + 1)

    def check_entry(self, fd: int) -> int:
        """Refuse another entry of an open directory (NOSPC), or return how many it has."""
        count = self.known_entries(fd)
        if count is None:
            count = self._count(fd)
            self.note_entries(fd, count)
        self._quota.check_entries(count + 1)
        return count

    def known_entries(self, fd: int) -> int | None:
        """Return the number of entries of an open directory, if it was counted since a change."""
        status = os.fstat(fd)
        changed, count = self.usage.counts.get(_key(status), (None, 0))
        return count if changed == status.st_ctime_ns else None

    def note_entries(self, fd: int, count: int | None) -> None:
        """Note the number of entries of an open directory as it is now; None where it is unknown.

        A change by another process in the same tick of the system's clock is not noticed.
        """
        counts = self.usage.counts
        status = os.fstat(fd)
        counts.pop(_key(status), None)
        if count is not None:
            if len(counts) >= _COUNTED:
                counts.clear()
            counts[_key(status)] = status.st_ctime_ns, count

    def _count(self, fd: int) -> int:
        """Count the entries of a directory, as far as there may be so many."""
        count = 0
        with os.scandir(fd) as entries:
            for _ in entries:
                count += 1
                if not count % ENTRIES_PER_UNIT:
                    self.spend(1)
                    self._quota.check_entries(count)
        return count


class _HostFile:
    """An open regular file of the host; the methods are those of `File`."""

    def __init__(self, fd: int, access: _Access) -> None:
        self._fd = fd
        self._access = access
        self._key: tuple[int, int] | None = None
        self._appends = False

    def __del__(self) -> None:
        self.close()

    def begin(self) -> None:
        """Refuse what is no regular file: ISDIR or ACCES; or note that it is open."""
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            raise ErrnoError(Errno.ISDIR if stat.S_ISDIR(status.st_mode) else Errno.ACCES)
        self._access.usage.open_file(_key(status))
        self._key = _key(status)

    def read(self, offset: int, size: int) -> bytes:
        """See `File`."""
        if offset + size > _GREATEST:
            return b""
        if size > _SMALL_READ:
            left = os.fstat(self._fd).st_size - offset
            size = min(size, max(left, _SMALL_READ))
        return os.pread(self._fd, size, offset)

    def write(self, offset: int, data: bytes) -> int:
        """See `File`."""
        return self._write(offset, data)

    def append(self, data: bytes) -> int:
        """See `File`. Not even another process can write between the end and the data."""
        return self._write(None, data)

    def _write(self, offset: int | None, data: bytes) -> int:
        if not data:
            return 0
        usage = self._access.usage
        with usage.lock:
            self._append_mode(offset is None)
            size = os.fstat(self._fd).st_size
            start = size if offset is None else offset
            self._access.check_growth(size, start + len(data))
            if offset is None:
                written = os.write(self._fd, data)
            else:
                written = os.pwrite(self._fd, data, offset)
            usage.add(max(0, start + written - size))
        return written

    def _append_mode(self, wanted: bool) -> None:
        """Have the system write at the end: while it does, Linux ignores an offset."""
        if wanted == self._appends:
            return
        from fcntl import F_GETFL, F_SETFL, fcntl

        flags = fcntl(self._fd, F_GETFL) & ~os.O_APPEND
        fcntl(self._fd, F_SETFL, flags | (os.O_APPEND if wanted else 0))
        self._appends = wanted

    def resize(self, size: int) -> None:
        """See `File`."""
        usage = self._access.usage
        with usage.lock:
            old_size = os.fstat(self._fd).st_size
            self._access.check_growth(old_size, size)
            os.ftruncate(self._fd, size)
            usage.add(size - old_size)

    def status(self) -> FileStatus:
        """See `File`."""
        return _status(os.fstat(self._fd))

    def set_times(self, accessed: int | None, modified: int | None) -> None:
        """See `File`."""
        self._access.check_change()
        _set_times(os.fstat(self._fd), self._fd, None, accessed, modified)

    def sync(self) -> None:
        """See `File`."""
        os.fsync(self._fd)

    def close(self) -> None:
        """See `File`."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        try:
            if self._key is not None:
                self._access.usage.close_file(self._key, fd)
        finally:
            os.close(fd)


class _HostDirectory:
    """An open directory of the host; the methods are those of `Directory`."""

    def __init__(self, fd: int, access: _Access) -> None:
        self._fd = fd
        self._access = access

    def __del__(self) -> None:
        self.close()

    def duplicate(self) -> Directory:
        """See `Directory`."""
        return _HostDirectory(os.dup(self._fd), self._access)

    def open_directory(self, name: str) -> Directory:
        """See `Directory`."""
        fd = os.open(_encoded(name), _DIRECTORY | _NO_EFFECT, dir_fd=self._fd)
        return _HostDirectory(fd, self._access)

    def open_file(
        self, name: str, *, read: bool, write: bool, create: bool, exclusive: bool, truncate: bool
    ) -> File:
        """See `Directory`."""
        if truncate and not write:
            raise ErrnoError(Errno.INVAL)
        if write:
            self._access.check_change()
        how = (os.O_RDWR if read else os.O_WRONLY) if write else os.O_RDONLY
        # Another instance must not remove the file before it is known to be open.
        with self._access.usage.lock:
            fd = self._open(_encoded(name), how | _NO_EFFECT, create, exclusive)
            file = _HostFile(fd, self._access)
            try:
                file.begin()
                if truncate:
                    file.resize(0)
            except BaseException:
                file.close()
                raise
        return file

    def _open(self, name: bytes, flags: int, create: bool, exclusive: bool) -> int:
        """Open what has a name, or make a file.

        A file is made only where nothing has its name, not even a link that leads nowhere: with
        O_EXCL the system promises so. So it is known which files were made.
        """
        for _ in range(_TRIES):
            if not (create and exclusive):
                try:
                    return os.open(name, flags, dir_fd=self._fd)
                except OSError as error:
                    if error.errno != errno.ENOENT or not create:
                        raise _refusal(error) from error
            try:
                count = self._check_new(name)
                fd = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=self._fd)
            except (FileExistsError, ErrnoError) as error:
                if exclusive or (isinstance(error, ErrnoError) and error.errno != Errno.EXIST):
                    raise
            else:
                self._access.made(self._fd, count)
                return fd
        raise ErrnoError(Errno.AGAIN)

    def read_link(self, name: str) -> str:
        """See `Directory`. ILSEQ for a target that is not UTF-8."""
        target = os.readlink(_encoded(name), dir_fd=self._fd)
        try:
            return target.decode()
        except UnicodeDecodeError:
            raise ErrnoError(Errno.ILSEQ) from None

    def status_of(self, name: str) -> FileStatus:
        """See `Directory`."""
        return _status(self._stat(_encoded(name)))

    def status(self) -> FileStatus:
        """See `Directory`."""
        return _status(os.fstat(self._fd))

    def set_times_of(self, name: str, accessed: int | None, modified: int | None) -> None:
        """See `Directory`."""
        self._access.check_change()
        entry = _encoded(name)
        _set_times(self._stat(entry), entry, self._fd, accessed, modified)

    def set_times(self, accessed: int | None, modified: int | None) -> None:
        """See `Directory`."""
        self._access.check_change()
        _set_times(os.fstat(self._fd), self._fd, None, accessed, modified)

    def make_directory(self, name: str) -> None:
        """See `Directory`."""
        entry = _encoded(name)
        with self._access.usage.lock:
            count = self._check_new(entry)
            os.mkdir(entry, dir_fd=self._fd)
            self._access.made(self._fd, count)

    def make_symbolic_link(self, name: str, target: str) -> None:
        """See `Directory`."""
        entry = _encoded(name)
        text = _encoded_text(target)
        with self._access.usage.lock:
            count = self._check_new(entry)
            os.symlink(text, entry, dir_fd=self._fd)
            self._access.made(self._fd, count)

    def link(self, name: str, into: Directory, new_name: str) -> None:
        """See `Directory`."""
        other = self._same_grant(into)
        entry, new_entry = _encoded(name), _encoded(new_name)
        with self._access.usage.lock:
            self._stat(entry)
            count = other._check_new(new_entry)
            os.link(
                entry,
                new_entry,
                src_dir_fd=self._fd,
                dst_dir_fd=other._fd,
                follow_symlinks=False,
            )
            self._access.made(other._fd, count)

    def rename(self, name: str, into: Directory, new_name: str) -> None:
        """See `Directory`."""
        other = self._same_grant(into)
        entry, new_entry = _encoded(name), _encoded(new_name)
        self._access.check_change()
        usage = self._access.usage
        with usage.lock:
            moved, replaced = self._stat(entry), other._find(new_entry)
            inside = _key(os.fstat(self._fd)) == _key(os.fstat(other._fd))
            if replaced is None and not inside:
                self._access.check_entry(other._fd)
            counts = [self._access.known_entries(one._fd) for one in (self, other)]
            os.rename(entry, new_entry, src_dir_fd=self._fd, dst_dir_fd=other._fd)
            if replaced is not None and _key(replaced) == _key(moved):
                # Two names of one file: both stay, as POSIX has it.
                return
            if replaced is not None:
                usage.removed(replaced)
            gained = 1 if replaced is None else 0
            if inside:
                self._note(counts[0], gained - 1)
            else:
                self._note(counts[0], -1)
                other._note(counts[1], gained)

    def remove_directory(self, name: str) -> None:
        """See `Directory`."""
        self._remove(os.rmdir, _encoded(name), directory=True)

    def remove_file(self, name: str) -> None:
        """See `Directory`."""
        self._remove(os.unlink, _encoded(name), directory=False)

    def entries(self, limit: int) -> list[DirectoryEntry]:
        """See `Directory`. Names that are not UTF-8 are left out, and count for the limit."""
        found = []
        with os.scandir(self._fd) as entries:
            for number, entry in enumerate(entries):
                if number >= limit:
                    raise ErrnoError(Errno.NOMEM)
                if not number % ENTRIES_PER_UNIT:
                    self._access.spend(1)
                try:
                    name = os.fsencode(entry.name).decode()
                    found.append(DirectoryEntry(name, entry.inode(), _type_of(entry)))
                except (UnicodeDecodeError, FileNotFoundError):
                    continue
        return found

    def sync(self) -> None:
        """See `Directory`."""
        os.fsync(self._fd)

    def close(self) -> None:
        """See `Directory`."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _stat(self, name: bytes) -> os.stat_result:
        return os.stat(name, dir_fd=self._fd, follow_symlinks=False)

    def _find(self, name: bytes) -> os.stat_result | None:
        """Return what is known of an entry; None where there is nothing of that name."""
        try:
            return self._stat(name)
        except FileNotFoundError:
            return None

    def _check_new(self, name: bytes) -> int:
        """Refuse a new entry (EXIST, ROFS or NOSPC), or return how many there are.

        The lock of the usage must be held.
        """
        if self._find(name) is not None:
            raise ErrnoError(Errno.EXIST)
        self._access.check_change()
        return self._access.check_new_name(self._fd)

    def _remove(self, remove: Callable[..., None], name: bytes, directory: bool) -> None:
        self._access.check_change()
        with self._access.usage.lock:
            was, count = self._stat(name), self._access.known_entries(self._fd)
            if stat.S_ISDIR(was.st_mode) != directory:
                raise ErrnoError(Errno.NOTDIR if directory else Errno.ISDIR)
            remove(name, dir_fd=self._fd)
            self._access.usage.removed(was)
            self._note(count, -1)

    def _note(self, count: int | None, change: int) -> None:
        """Note how many entries there are after a change, if it is known how many there were."""
        self._access.note_entries(self._fd, None if count is None else count + change)

    def _same_grant(self, other: Directory) -> _HostDirectory:
        """Return the other directory of a link or a move; XDEV where it is of another grant."""
        if not isinstance(other, _HostDirectory) or other._access.usage is not self._access.usage:
            raise ErrnoError(Errno.XDEV)
        return other


def _key(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _encoded(name: str) -> bytes:
    """Return a name as the system gets it. Only one name is: no path, and no "..".

    `paths.py` passes no other; this is the second lock of the jail.
    """
    if name in ("", ".", "..") or "/" in name:
        raise ErrnoError(Errno.INVAL)
    return _encoded_text(name)


def _encoded_text(text: str) -> bytes:
    """Return a name or the target of a link as UTF-8, whatever the encoding of Python."""
    if not text or "\0" in text:
        raise ErrnoError(Errno.INVAL)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ErrnoError(Errno.ILSEQ) from None


def _refusal(error: OSError) -> ErrnoError | OSError:
    """Return the error for a file that the system did not open.

    Some systems say EMLINK for a symbolic link. The others stand for sockets, for FIFOs that have
    no reader, and for devices that are not there.
    """
    if error.errno == errno.EMLINK:
        return ErrnoError(Errno.LOOP)
    if error.errno in (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP):
        return ErrnoError(Errno.ACCES)
    return error


def _type_of(entry: os.DirEntry[str]) -> FileType:
    """Return the kind of an entry; most directories tell it without a look at the file."""
    if entry.is_symlink():
        return FileType.SYMBOLIC_LINK
    if entry.is_dir(follow_symlinks=False):
        return FileType.DIRECTORY
    if entry.is_file(follow_symlinks=False):
        return FileType.REGULAR_FILE
    mode = entry.stat(follow_symlinks=False).st_mode
    return _TYPES.get(stat.S_IFMT(mode), FileType.UNKNOWN)


def _status(of: os.stat_result) -> FileStatus:
    return FileStatus(
        of.st_dev,
        of.st_ino,
        _TYPES.get(stat.S_IFMT(of.st_mode), FileType.UNKNOWN),
        of.st_nlink,
        of.st_size,
        *(
            min(max(time, 0), _LAST_TIME)
            for time in (of.st_atime_ns, of.st_mtime_ns, of.st_ctime_ns)
        ),
    )


def _set_times(
    now: os.stat_result,
    entry: bytes | int,
    directory: int | None,
    accessed: int | None,
    modified: int | None,
) -> None:
    """Set the times of an entry of a directory, or of an open file; None leaves one as it is now.

    Python cannot have the system leave one.
    """
    times = (
        now.st_atime_ns if accessed is None else accessed,
        now.st_mtime_ns if modified is None else modified,
    )
    try:
        if isinstance(entry, int):
            os.utime(entry, ns=times)
        else:
            os.utime(entry, ns=times, dir_fd=directory, follow_symlinks=False)
    except OverflowError:
        raise ErrnoError(Errno.OVERFLOW) from None
