"""A granted directory full of traps, what is outside of it, and a process that exchanges things."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

from purewasm_plugins import Wasi
from purewasm_plugins.wasi.host_files import HostDirectory
from tests.wasi.guest import (
    Guest,
    Status,
)

#: It is in each file outside, and in the name of each.
SECRET = b"secret"


class World:
    """A granted directory full of traps, and what is outside of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.granted = path / "granted"
        self.outside = path / "outside"
        self.granted.mkdir()
        inner = self.outside / "secret_directory"
        inner.mkdir(parents=True)
        for directory in (self.outside, inner):
            (directory / "secret").write_bytes(SECRET)
        self._known = [path, self.outside, inner, self.outside / "secret", inner / "secret"]
        for known in self._known:
            # Whoever reads it now sets its time of access.
            os.utime(known, ns=(0, known.stat().st_mtime_ns))
        roots = ["/", "/etc", "/etc/passwd", "/proc", "/dev", "/tmp"]
        # A module sees other numbers of devices: what is on this one is told by the inode.
        self.forbidden = {
            status.st_ino
            for place in [*self._known, *path.parents, *map(Path, roots)]
            if place.exists()
            for status in [place.stat()]
            if status.st_dev == path.stat().st_dev
        }
        self.fill()
        self._before = self._outside()

    def fill(self) -> None:
        """Make what is in the granted directory, in place of what is there."""
        for entry in os.scandir(self.granted):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
        (self.granted / "directory").mkdir()
        (self.granted / "plain").write_bytes(b"plain")
        (self.granted / "directory" / "file").write_bytes(b"file")
        for name, target in self.links().items():
            os.symlink(target, self.granted / name)

    def links(self) -> dict[str, str]:
        """Symbolic links in the granted directory, with their targets."""
        outside = str(self.outside)
        return {
            "absolute": outside,
            "absolute_slash": outside + "/",
            "absolute_file": outside + "/secret",
            "absolute_new": outside + "/made",
            "up": "../outside",
            "up_slash": "../outside/",
            "up_dot": "../outside/.",
            "up_file": "../outside/secret",
            "up_new": "../outside/made",
            "parent": "..",
            "here_parent": "./directory/../..",
            "back_in": "../granted/plain",
            "root": "/",
            "etc": "/etc/passwd",
            "process": "/proc/self/root",
            "descriptors": "/dev/fd",
            "hop": "hop_2",
            "hop_2": "directory/../up",
            "slash": "evil/",
            "evil": outside,
            "slash_2": "slash",
            "self": "self",
            "self_slash": "self_slash/",
            "directory/up": "../../outside",
            "directory/slash": "evil/",
            "directory/evil": outside,
        }

    def _outside(self) -> list[tuple[int, ...]]:
        statuses = [os.lstat(known) for known in self._known]
        return [
            (
                *(status.st_ino, status.st_mode, status.st_nlink, status.st_size),
                *(status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns),
            )
            for status in statuses[1:]
        ]

    def check(self, why: object = "") -> None:
        """What is outside was neither read nor listed nor changed."""
        assert self._outside() == self._before, why

    def check_status(self, status: Status) -> None:
        """A status is not that of anything outside."""
        self.check_inode(status.inode)

    def check_inode(self, inode: int) -> None:
        assert inode not in self.forbidden

    def inside(self) -> dict[str, object]:
        """Everything in the granted directory."""
        found: dict[str, object] = {}
        for where, directories, files in os.walk(self.granted):
            for name in directories + files:
                path = Path(where, name)
                mode = path.lstat().st_mode
                content: object = path.lstat().st_mtime_ns
                if stat.S_ISLNK(mode):
                    content = os.readlink(path)
                elif stat.S_ISREG(mode):
                    content = path.read_bytes()
                found[str(path)] = (mode, content)
        return found


class Swapper:
    """A second process that exchanges two entries of a directory as fast as it can.

    Where there is no second one, it moves the first there and back.
    """

    def __init__(self, first: Path, second: Path) -> None:
        program = [sys.executable, "-I", "-S", "-c", _SWAP, str(first), str(second)]
        self._process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "begun\n"

    def stop(self) -> int:
        """End it, and return how often it has exchanged them."""
        self._process.send_signal(signal.SIGTERM)
        output, _ = self._process.communicate(timeout=60)
        return int(output)


#: Linux can exchange two entries at once; elsewhere there is a moment without the first. It ends
#: with its parent in any case.
_SWAP = """
import ctypes, os, signal, sys
first, second = map(os.fsencode, sys.argv[1:])
parent, ended, count = os.getppid(), [], 0
signal.signal(signal.SIGTERM, lambda *_: ended.append(True))

def exchange():
    os.rename(first, first + b".moved")
    os.rename(second, first)
    os.rename(first + b".moved", second)

def move():
    os.rename(first, second)
    os.rename(second, first)

renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
if not os.path.lexists(second):
    exchange = move
elif renameat2 is not None and renameat2(-100, first, -100, second, 2) == 0:
    exchange = lambda: renameat2(-100, first, -100, second, 2)
print("begun", flush=True)
while not ended and os.getppid() == parent:
    for _ in range(50):
        exchange()
    count += 50
print(count)
"""


def guest_of(world: World, read_only: bool = False, engine: str = "translator") -> Guest:
    grant = HostDirectory(world.granted, read_only)
    return Guest(Wasi(directories={"/": grant}), engine)
