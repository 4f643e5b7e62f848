"""The folder of a dataset: made beside its place, and renamed when it is whole.

What is made is `.NAME.partial` beside `NAME`, locked while somebody makes it. Over an earlier
dataset it is put by one exchange of the two names (Linux), so that a process killed at any moment
leaves the old dataset or the new one there. Where the system has no such exchange, the old one is
renamed to `.NAME.old` first; killed between the two renames, it is put back by the next build.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from hch.datasets.manifest import NAME, Manifest
from hch.errors import UsageError
from hch.failpoints import Failpoint, armed
from hch.safe_text import one_line

MARK = ".hch-partial"
"""The file by which a folder is known to be one that a build has left."""

LONGEST = 200
"""The most bytes of a dataset's name."""

_TRIES = 10
_AT_CWD, _EXCHANGE = -100, 2
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


@contextmanager
def building(out: Path, *, force: bool = False) -> Iterator[Path]:
    """An empty folder to make a dataset in, which is at `out` when the `with` ends well.

    After any error nothing of it is left, and `out` is as it was. Raises UsageError where `out`
    may not be, where another build is making it, or where it cannot be written: an OSError in the
    `with` is told so if it names a file of the folder. With `force` an earlier dataset may be
    there, which is then gone; no other folder.
    """
    place = _Place(_checked(out), armed())
    with ExitStack() as held:
        with _told(place.out):
            place.put_back()
            place.check_free(force=force)
            held.enter_context(_locked(place.partial, place.out))
            place.begin()
        try:
            with _told(place.out, place.partial):
                yield place.partial
            with _told(place.out):
                place.finish(force=force)
        except BaseException:
            place.give_up()
            raise


@contextmanager
def _told(out: Path, within: Path | None = None) -> Iterator[None]:
    """Any OSError, or only one that names a file `within`, is told of the place in a line."""
    try:
        yield
    except OSError as error:
        named = Path(os.fsdecode(error.filename or b""))
        if within is not None and not named.is_relative_to(within):
            raise
        why = one_line(str(error.strerror or error), 200)
        raise UsageError(f"{shown(out)} cannot be written: {why}") from error


def give_up(out: Path) -> None:
    """Remove what this process was making, whoever waits for it; it ends at once."""
    _Place(_checked(out), None).give_up()


def shown(path: Path) -> str:
    """A folder's name in a message."""
    return one_line(str(path))


def _checked(out: Path) -> Path:
    """The place in full. Raises UsageError for what is no name of a folder to be."""
    text = str(out)
    if not text.isprintable() or one_line(text) != text:
        raise UsageError(f"--out {one_line(text)}: name a folder in plain UTF-8")
    out = Path(os.path.abspath(out))  # noqa: PTH100 - Path's own follows links
    if not out.name or len(os.fsencode(out.name)) > LONGEST:
        raise UsageError(f"--out {one_line(text, 300)}: name a folder that can be made")
    if not out.parent.is_dir():
        raise UsageError(f"--out {shown(out)}: there is no folder {shown(out.parent)}")
    for outer in out.parent.resolve(), *out.parent.resolve().parents:
        if is_dataset(outer):
            raise UsageError(
                f"--out {shown(out)} is within the dataset {shown(outer)}: name a folder beside it"
            )
    return out


def _foreign(folder: Path) -> str | None:
    """A file in the folder of a dataset that its manifest does not name; None where none is."""
    known = {NAME, MARK, *(entry.path for entry in Manifest.read(folder).files)}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name not in known and (path.is_symlink() or not path.is_dir()):
            return name
    return None


def is_dataset(folder: Path) -> bool:
    """Whether a folder has a manifest of ours."""
    try:
        Manifest.read(folder)
    except UsageError:
        return False
    return True


class _Place:
    """Where a dataset is to be, `out`, and where it is made, `partial`, which is locked."""

    def __init__(self, out: Path, failpoint: Failpoint | None) -> None:
        self.out = out
        self.partial = out.with_name(f".{out.name}.partial")
        self._old = out.with_name(f".{out.name}.old")
        self._failpoint = failpoint

    def check_free(self, *, force: bool) -> None:
        """Raises UsageError where something is that may not go."""
        out = self.out
        if out.is_symlink():
            raise UsageError(f"--out {shown(out)} is a link: name the folder itself")
        if not out.exists():
            return
        if not out.is_dir():
            raise UsageError(f"--out {shown(out)} is a file: name a folder")
        if not any(out.iterdir()):
            return
        if not is_dataset(out):
            raise UsageError(
                f"--out {shown(out)} is a folder with something in it that is no dataset of hch: "
                "name another"
            )
        if (foreign := _foreign(out)) is not None:
            raise UsageError(
                f"--out {shown(out)} has {one_line(foreign, 80)}, which is no file of that "
                "dataset, and would be lost: move it, or name another folder"
            )
        if not force:
            raise UsageError(f"--out {shown(out)} would be replaced: add --force, or name another")

    def put_back(self) -> None:
        """Undo the first of two renames where a build was killed before the second."""
        old = self._old
        if not os.path.lexists(self.out) and not old.is_symlink() and is_dataset(old):
            old.rename(self.out)

    def begin(self) -> None:
        """Take away what a killed build has left. Raises UsageError for what none has."""
        mark = self.partial / MARK
        if any(self.partial.iterdir()) and not mark.exists() and not is_dataset(self.partial):
            raise UsageError(f"{shown(self.partial)} is in the way: hch has not made what is in it")
        mark.touch()
        self._empty()
        self._step()

    def finish(self, *, force: bool) -> None:
        """Make all durable, and put it at its place."""
        if not (self.partial / NAME).is_file():
            raise ValueError(f"a dataset was made without a {NAME}")
        (self.partial / MARK).unlink()
        self._step()
        for folder, _, names in os.walk(self.partial, topdown=False):
            for name in (*names, "."):
                _sync(Path(folder) / name)
        self._step()
        self.check_free(force=force)
        if self.out.exists() and any(self.out.iterdir()):
            with _locked(self.out, self.out):
                self._exchange()
                _sync(self.out.parent)
                self._step()
                self.give_up()
        else:
            self.partial.rename(self.out)
            self._step()
            _sync(self.out.parent)

    def give_up(self) -> None:
        """Remove what is in the way; what cannot be removed is left for the next build."""
        with suppress(OSError):
            (self.partial / MARK).touch()
            self._empty()
            (self.partial / MARK).unlink()
            self.partial.rmdir()

    def _empty(self) -> None:
        """Remove all but the mark."""
        for path in sorted(self.partial.iterdir()):
            self._step()
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != MARK:
                path.unlink()

    def _exchange(self) -> None:
        """Put what was made where another is, which is then where that was."""
        try:
            _swap(self.partial, self.out)
        except OSError as error:
            if error.errno not in _NO_EXCHANGE:
                raise
            self.out.rename(self._old)
            self.partial.rename(self.out)
            self._old.rename(self.partial)

    def _step(self) -> None:
        if self._failpoint is not None:
            self._failpoint.reach("place")


@contextmanager
def _locked(folder: Path, out: Path) -> Iterator[None]:
    """Hold a folder, which is made where there is none; the lock stays with it, whatever its name.

    Raises UsageError while another build holds it.
    """
    held = _taken(folder, out)
    try:
        yield
    finally:
        os.close(held)


def _taken(folder: Path, out: Path) -> int:
    for _ in range(_TRIES):
        with suppress(FileExistsError):
            folder.mkdir()
        try:
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:  # another build has just finished
            continue
        except NotADirectoryError as error:
            raise UsageError(f"{shown(folder)} is in the way: it is no folder") from error
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(held, folder):
                return held
        except BlockingIOError as error:
            os.close(held)
            raise UsageError(f"{shown(out)} is being built by another process") from error
        except BaseException:
            os.close(held)
            raise
        os.close(held)
    raise UsageError(f"{shown(out)} is being built by another process")


def _is_at(held: int, path: Path) -> bool:
    """Whether the folder that is held is the one of that name."""
    try:
        return os.path.samestat(os.fstat(held), path.lstat())
    except FileNotFoundError:
        return False


def _swap(first: Path, second: Path) -> None:
    """Linux's renameat2 with RENAME_EXCHANGE. Raises OSError, ENOSYS where there is none."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    names = os.fsencode(first), os.fsencode(second)
    if call(_AT_CWD, names[0], _AT_CWD, names[1], _EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
