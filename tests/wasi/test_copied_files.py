"""Directories of the host that are copied in and out, as where Python cannot use them in place."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from purewasm_plugins.errors import GrantError
from purewasm_plugins.wasi import copied_files, host_files
from purewasm_plugins.wasi.copied_files import CopiedDirectory, name_problem
from purewasm_plugins.wasi.errno import Errno
from purewasm_plugins.wasi.files import Directory, FileType
from purewasm_plugins.wasi.host_files import HostDirectory
from tests.wasi.test_host_files import Limits, names, open_file, refusal, write_new

_FIFOS = pytest.mark.skipif(sys.platform in ("emscripten", "win32"), reason="there are no FIFOs")


@pytest.fixture(autouse=True)
def _copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_files, "IN_PLACE", False)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory that must stay as it is."""
    made = tmp_path / "outside"
    made.mkdir()
    (made / "secret").write_bytes(b"secret")
    before = os.stat(made)
    yield made
    assert (made / "secret").read_bytes() == b"secret"
    assert os.listdir(made) == ["secret"]
    assert os.stat(made).st_mtime_ns == before.st_mtime_ns


@pytest.fixture
def granted(tmp_path: Path, outside: Path) -> Path:
    path = tmp_path / "granted"
    (path / "a" / "b").mkdir(parents=True)
    (path / "a" / "file").write_bytes(b"content")
    (path / "file").write_bytes(b"root")
    (path / "link").symlink_to("a/file")
    (path / "out").symlink_to(outside)
    return path


def snapshot(path: Path) -> dict[str, object]:
    """Everything below a directory: contents, targets, and None for a directory."""
    found: dict[str, object] = {}
    for where, directories, files in os.walk(path):
        for name in directories + files:
            entry = Path(where, name)
            relative = str(entry.relative_to(path))
            if entry.is_symlink():
                found[relative] = os.readlink(entry)
            else:
                found[relative] = None if entry.is_dir() else entry.read_bytes()
    return found


def status_of_all(path: Path) -> dict[str, tuple[int, ...]]:
    """What changes where anything is written, by path."""
    everything = [path, *path.rglob("*")]
    statuses = {str(entry): entry.lstat() for entry in everything}
    return {
        entry: (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        for entry, status in statuses.items()
    }


def opened(path: Path, read_only: bool = False, **limits: int) -> tuple[HostDirectory, Directory]:
    grant = HostDirectory(path, read_only)
    return grant, grant.open(Limits(**limits))


def test_the_content_is_copied_in(granted: Path) -> None:
    os.utime(granted / "file", ns=(5_000_000_000, 6_000_000_000))
    _, root = opened(granted, read_only=True)
    assert names(root) == {
        "a": FileType.DIRECTORY,
        "file": FileType.REGULAR_FILE,
        "link": FileType.SYMBOLIC_LINK,
        "out": FileType.SYMBOLIC_LINK,
    }
    assert root.read_link("link") == "a/file"
    inner = root.open_directory("a")
    assert names(inner) == {"b": FileType.DIRECTORY, "file": FileType.REGULAR_FILE}
    assert open_file(inner, "file", read=True).read(0, 99) == b"content"
    assert root.status_of("file")[5:7] == (5_000_000_000, 6_000_000_000)


@_FIFOS
def test_other_kinds_and_names_are_left_out(granted: Path) -> None:
    before = names(opened(granted)[1])
    os.mkfifo(granted / "fifo")
    (granted / os.fsdecode(b"\xff")).write_bytes(b"")
    os.symlink(b"\xff", os.fsencode(granted / "link to no UTF-8"))
    grant, root = opened(granted)
    assert names(root) == before
    grant.finish()
    assert stat.S_ISFIFO((granted / "fifo").stat().st_mode)
    # One of its names is not free for the module all the same.
    write_new(root, "fifo", b"x")
    with pytest.raises(
        GrantError, match="cannot be stored: 'fifo': it is no regular file any more"
    ):
        grant.finish()


def test_changes_are_copied_out(granted: Path, outside: Path) -> None:
    grant, root = opened(granted)
    write_new(root, "new", b"1")
    write_new(root, "file", b"ROOT!")
    root.make_directory("made")
    inner = root.open_directory("made")
    inner.make_directory("empty")
    write_new(inner, "file", b"2")
    root.remove_file("link")
    root.make_symbolic_link("link", "made")
    root.rename("a", inner, "moved")
    expected = {
        "file": b"ROOT!",
        "link": "made",
        "made": None,
        "made/empty": None,
        "made/file": b"2",
        "made/moved": None,
        "made/moved/b": None,
        "made/moved/file": b"content",
        "new": b"1",
        "out": str(outside),
    }
    assert snapshot(granted) != expected
    grant.finish()
    assert snapshot(granted) == expected
    # What is a file, a link or a directory can become each of the others.
    root.remove_file("file")
    root.make_directory("file")
    write_new(root.open_directory("file"), "inner", b"3")
    root.remove_file("link")
    write_new(root, "link", b"4")
    inner.remove_directory("empty")
    inner.make_symbolic_link("empty", "x/../y")
    root.remove_file("out")
    root.make_directory("out")
    write_new(root.open_directory("out"), "secret", b"not theirs")
    grant.finish()
    changes = {"file": None, "file/inner": b"3", "link": b"4", "made/empty": "x/../y"}
    changes |= {"out": None, "out/secret": b"not theirs"}
    assert snapshot(granted) == {**expected, **changes}
    root.open_directory("file").remove_file("inner")
    root.remove_directory("file")
    grant.finish()
    assert "file" not in snapshot(granted)


def test_only_what_changed_is_written(granted: Path) -> None:
    grant, root = opened(granted)
    before = status_of_all(granted)
    open_file(root, "file", read=True).read(0, 9)
    write_new(root, "file", b"root")
    write_new(root, "passing")
    root.remove_file("passing")
    grant.finish()
    assert status_of_all(granted) == before
    write_new(root.open_directory("a"), "file", b"CONTENT")
    grant.finish()
    after = status_of_all(granted)
    changed = {path for path in before if after[path] != before[path]}
    assert changed == {str(granted / "a"), str(granted / "a" / "file")}
    grant.finish()
    assert status_of_all(granted) == after


def test_nothing_is_stored_where_it_is_read_only(granted: Path) -> None:
    grant, root = opened(granted, read_only=True)
    before = status_of_all(granted)
    # The functions of WASI would not ask for it.
    write_new(root, "new", b"1")
    grant.finish()
    assert status_of_all(granted) == before


def test_instances_share_the_copy(granted: Path) -> None:
    grant, first = opened(granted)
    write_new(first, "new", b"1")
    second = grant.open(Limits())
    assert open_file(second, "new", read=True).read(0, 9) == b"1"
    assert not (granted / "new").exists()


def test_permissions_stay(granted: Path) -> None:
    (granted / "file").chmod(0o741)
    grant, root = opened(granted)
    write_new(root, "file", b"new")
    write_new(root, "made", b"new")
    mask = os.umask(0o022)
    try:
        grant.finish()
        (granted / "other").write_bytes(b"")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((granted / "file").stat().st_mode) == 0o741
    assert (granted / "made").stat().st_mode == (granted / "other").stat().st_mode


def test_a_file_that_may_not_be_written_is_not_replaced(
    granted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant, root = opened(granted)
    write_new(root, "file", b"new")
    # The tests may run as root, which may write everything.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(GrantError, match="cannot be stored: 'file': it may not be written"):
        grant.finish()
    assert (granted / "file").read_bytes() == b"root"


@pytest.mark.parametrize("failing", ["replace", "chmod", "write"])
def test_nothing_half_written_is_left(
    granted: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant, root = opened(granted)
    write_new(root, "file", b"changed")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if failing == "write":
            patch.setattr(os, "fdopen", _full_disk)
        else:
            patch.setattr(os, failing, fail)
        before = snapshot(granted)
        with pytest.raises(GrantError) as raised:
            grant.finish()
        assert snapshot(granted) == before
    words = "cannot be stored: 'file': No space left on device"
    assert str(raised.value) == f"the directory '{granted}' {words}"
    # It is stored the next time.
    grant.finish()
    assert (granted / "file").read_bytes() == b"changed"


class _full_disk:  # noqa: N801
    def __init__(self, fd: int, mode: str) -> None:
        self._fd = fd

    def __enter__(self) -> _full_disk:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def write(self, content: bytes) -> None:
        os.write(self._fd, content[:3])
        raise OSError(28, "No space left on device")


# The host has changed meanwhile


def test_nothing_is_written_through_what_became_a_link(granted: Path, outside: Path) -> None:
    grant, root = opened(granted)
    inner = root.open_directory("a")
    write_new(inner, "secret", b"1")
    inner.remove_file("file")
    (granted / "a").rename(granted / "moved")
    (granted / "a").symlink_to(outside)
    with pytest.raises(GrantError, match="'a': it is no directory any more"):
        grant.finish()
    assert (granted / "moved" / "file").read_bytes() == b"content"


def test_a_link_in_place_of_a_file_is_not_followed(granted: Path, outside: Path) -> None:
    grant, root = opened(granted)
    write_new(root, "file", b"1")
    (granted / "file").unlink()
    (granted / "file").symlink_to(outside / "secret")
    with pytest.raises(GrantError, match="'file': it is no regular file any more"):
        grant.finish()


def test_what_another_program_removed_or_made(granted: Path) -> None:
    grant, root = opened(granted)
    root.remove_file("file")
    (granted / "file").unlink()
    root.make_directory("made")
    (granted / "made").mkdir()
    write_new(root, "new", b"ours")
    (granted / "new").write_bytes(b"theirs")
    grant.finish()
    assert (granted / "new").read_bytes() == b"ours"
    inner = root.open_directory("a")
    (granted / "a" / "theirs").write_bytes(b"")
    inner.remove_file("file")
    inner.remove_directory("b")
    root.remove_directory("a")
    with pytest.raises(GrantError, match="cannot be stored: 'a': Directory not empty"):
        grant.finish()
    (granted / "a" / "theirs").unlink()
    grant.finish()
    assert not (granted / "a").exists()


def test_the_directory_stays_the_same_when_the_process_moves(
    granted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    grant, root = opened(Path("granted"))
    write_new(root, "new", b"1")
    monkeypatch.chdir("/")
    grant.finish()
    assert (granted / "new").read_bytes() == b"1"


# Bad input


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name, words in (("absent", "is not there"), ("file", "is no directory")):
        grant = HostDirectory(tmp_path / name)
        for _ in range(2):
            with pytest.raises(GrantError) as raised:
                grant.open(Limits())
            assert str(raised.value) == f"the directory '{tmp_path / name}' {words}"
        grant.finish()


@pytest.mark.parametrize(
    "limits", [{"file_size": 6}, {"total_size": 10}, {"files": 4}, {"entries": 3}]
)
def test_too_large_to_be_copied(granted: Path, limits: dict[str, int]) -> None:
    with pytest.raises(GrantError, match="is too large to be copied: the quotas end at '"):
        HostDirectory(granted).open(Limits(**limits))


def test_quotas_hold_in_the_copy(granted: Path) -> None:
    _, root = opened(granted, file_size=7, files=7)
    write_new(root, "new")
    assert refusal(write_new, root, "other") is Errno.NOSPC
    assert refusal(open_file(root, "new", write=True).write, 0, b"12345678") is Errno.FBIG


def test_a_file_that_grows_while_it_is_copied(
    granted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lstat = os.lstat

    def growing(path: str) -> os.stat_result:
        status = lstat(path)
        if path.endswith("file"):
            Path(path).write_bytes(b"0123456789" * 10)
        return status

    monkeypatch.setattr(os, "lstat", growing)
    _, root = opened(granted, file_size=7)
    assert open_file(root, "file", read=True).read(0, 99) == b"0123"


@pytest.mark.parametrize("kind", [pytest.param("fifo", marks=_FIFOS), "link"])
def test_a_file_that_becomes_something_else_while_it_is_copied(
    granted: Path, outside: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lstat = os.lstat

    def changing(path: str) -> os.stat_result:
        status = lstat(path)
        if path == str(granted / "file"):
            os.unlink(path)
            if kind == "fifo":
                os.mkfifo(path)
            else:
                os.symlink(outside / "secret", path)
        return status

    monkeypatch.setattr(os, "lstat", changing)
    with pytest.raises(GrantError, match="cannot be copied: 'file': "):
        opened(granted)


def test_a_path_that_is_too_long(granted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grant, root = opened(granted)
    before = snapshot(granted)
    write_new(root, "new", b"1")
    directory = root
    for _ in range(3000):
        directory.make_directory("d")
        directory = directory.open_directory("d")
    with pytest.raises(GrantError, match=r"'d/d/.*\.\.\.': the path is too long"):
        grant.finish()
    assert snapshot(granted) == before
    monkeypatch.setattr(copied_files, "_LONGEST_PATH", 5)
    with pytest.raises(GrantError, match=r"cannot be copied: 'a/file\.\.\.': the path is too long"):
        opened(granted)


# Windows


@pytest.mark.parametrize(
    "name",
    [
        *(
            "CON",
            "con",
            "NUL",
            "nul.txt",
            "NUL .txt",
            "Aux.tar.gz",
            "COM1",
            "lpt9.x",
            "COM²",
            "PRN",
        ),
        *("CONIN$", "conout$", "C:", "file:stream", "a:", ":", "a\\b", "\\", "..\\x", "a*", "a?"),
        *('"', "<", ">", "|", "a.", "a ", "...", " ", "a\n", "\x1f"),
    ],
)
def test_names_that_windows_would_take_for_something_else(name: str, granted: Path) -> None:
    assert name_problem(name)
    grant = CopiedDirectory(str(granted), read_only=False, windows=True)
    root = grant.open(Limits())
    write_new(root, "before", b"1")
    inner = root.open_directory("a")
    makers: list[Callable[[str], object]] = [
        lambda name: write_new(inner, name, b"1"),
        inner.make_directory,
        lambda name: inner.make_symbolic_link(name, "x"),
    ]
    before = snapshot(granted)
    for make in makers:
        make(name)
        with pytest.raises(GrantError, match="Windows"):
            grant.finish()
        assert snapshot(granted) == before
        inner.rename(name, root, "harmless")
        (root.remove_directory if make == makers[1] else root.remove_file)("harmless")
    grant.finish()
    assert snapshot(granted) == {**before, "before": b"1"}


@pytest.mark.parametrize(
    "name", ["CONSOLE", "con1", "COM", "COM10", "LPT", "x.CON", ".nul", "nul_", "a b", "é", "a.b"]
)
def test_names_that_windows_takes(name: str) -> None:
    assert name_problem(name) is None


def test_names_that_differ_in_case(granted: Path) -> None:
    grant = CopiedDirectory(str(granted), read_only=False, windows=True)
    root = grant.open(Limits())
    write_new(root, "FILE", b"1")
    with pytest.raises(GrantError, match="'FILE': Windows takes it for 'file'"):
        grant.finish()
    assert (granted / "file").read_bytes() == b"root"
    root.remove_file("file")
    root.remove_file("FILE")
    write_new(root, "New", b"1")
    write_new(root, "new", b"1")
    with pytest.raises(GrantError, match="'new': Windows takes it for 'New'"):
        grant.finish()


def test_a_junction_is_left_out(granted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows shows it as a directory that has a tag."""
    lstat = os.lstat

    class Tagged:
        def __init__(self, status: os.stat_result) -> None:
            self._status = status
            self.st_reparse_tag = 0xA000_0003

        def __getattr__(self, name: str) -> object:
            return getattr(self._status, name)

    def tagged(path: str) -> object:
        status = lstat(path)
        return Tagged(status) if path.endswith(("/a", "/link")) else status

    monkeypatch.setattr(os, "lstat", tagged)
    _, root = opened(granted)
    assert names(root).keys() == {"file", "link", "out"}


def test_links_to_directories_are_marked(granted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has two kinds of symbolic links."""
    made: dict[str, bool] = {}

    def symlink(target: str, place: str, target_is_directory: bool) -> None:
        made[target] = target_is_directory

    grant, root = opened(granted)
    inner = root.open_directory("a")
    targets = {"b": True, "../a/b/": True, "..": True, "file": False, "x": False, "../../a": False}
    for number, target in enumerate(targets):
        inner.make_symbolic_link(str(number), target)
    monkeypatch.setattr(os, "symlink", symlink)
    grant.finish()
    assert made == targets
