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
from contextlib import contextmanager, suppress
from pathlib import Path

from hch.datasets.manifest import NAME, Manifest
from hch.errors import UsageError
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
    may not be, where another build is making it, or where it cannot be written. With `force` an
    earlier dataset may be there, which is then gone; no other folder.
    """
    out = _checked(out)
    partial = out.with_name(f".{out.name}.partial")
    try:
        _put_back(out)
        _check_free(out, force=force)
        held = _taken(partial, out)
        try:
            try:
                yield partial
                _finish(partial, out, force=force)
            finally:
                if _is_at(held, partial):
                    _remove(partial)
        finally:
            os.close(held)
    except OSError as error:
        why = error.strerror or error
        raise UsageError(f"{shown(out)} cannot be written: {one_line(str(why), 200)}") from error


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
    return out


def _check_free(out: Path, *, force: bool) -> None:
    """Raises UsageError where something is that may not go."""
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
    if not force:
        raise UsageError(f"--out {shown(out)} would be replaced: add --force, or name another")


def is_dataset(folder: Path) -> bool:
    """Whether a folder has a manifest of ours."""
    try:
        Manifest.read(folder)
    except UsageError:
        return False
    return True


def _put_back(out: Path) -> None:
    """Undo the first of two renames where a build was killed before the second."""
    old = _old(out)
    if not os.path.lexists(out) and not old.is_symlink() and old.is_dir() and is_dataset(old):
        old.rename(out)


def _old(out: Path) -> Path:
    return out.with_name(f".{out.name}.old")


def _taken(partial: Path, out: Path) -> int:
    """The folder to build in, empty and locked; its descriptor.

    Raises UsageError while another build holds it, or where it is none of ours.
    """
    for _ in range(_TRIES):
        with suppress(FileExistsError):
            partial.mkdir()
        try:
            held = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:  # another build has just finished
            continue
        except NotADirectoryError as error:
            raise UsageError(f"{shown(partial)} is in the way: it is no folder") from error
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(held, partial):
                _clear(partial)
                (partial / MARK).touch()
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


def _clear(partial: Path) -> None:
    """Take away what a killed build has left. Raises UsageError for what none has."""
    left = list(partial.iterdir())
    if left and not (partial / MARK).exists() and not is_dataset(partial):
        raise UsageError(f"{shown(partial)} is in the way: hch has not made what is in it")
    for path in sorted(left, key=lambda path: path.name == MARK):  # the mark last
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _remove(folder: Path) -> None:
    """Remove a folder that was being made; what cannot be removed is left for the next build."""
    with suppress(OSError):
        (folder / MARK).touch()
        _clear(folder)
        folder.rmdir()


def _finish(partial: Path, out: Path, *, force: bool) -> None:
    """Make all durable, and put it at its place."""
    (partial / MARK).unlink()
    if not (partial / NAME).is_file():
        raise ValueError(f"a dataset was made without a {NAME}")
    for folder, _, names in os.walk(partial, topdown=False):
        for name in (*names, "."):
            _sync(Path(folder) / name)
    _check_free(out, force=force)
    if out.exists() and any(out.iterdir()):
        _exchange(partial, out)
    else:
        partial.rename(out)
    _sync(out.parent)


def _exchange(partial: Path, out: Path) -> None:
    """Put a folder where another is, which is then where that one was."""
    try:
        _swap(partial, out)
    except OSError as error:
        if error.errno not in _NO_EXCHANGE:
            raise
        old = _old(out)
        out.rename(old)
        partial.rename(out)
        old.rename(partial)


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
