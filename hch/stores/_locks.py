"""Locks that mark runs as alive; the kernel lets go of them when their process ends, however."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from time import sleep

from hch.errors import StoreError

_TRIES = 10
_PAUSE = 0.01


class RunLocks:
    """One locked file for each live run, in a folder of their own.

    Whoever holds a lock removes its file before letting go, and whoever got one makes sure that
    the file is still the one of that name. A file that a killed process left is not locked; it
    goes with the next holder of its name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, run: str) -> Iterator[None]:
        """Raises StoreError while somebody holds the same lock, in whatever process."""
        place = self._place(run)
        try:
            held = self._take(place)
        except OSError as error:
            raise StoreError(f"cannot lock run {run} by {place}: {error.strerror}") from error
        if held is None:
            raise StoreError(f"run {run} is in use by {_owner(place)}: wait until that has ended")
        try:
            yield
        finally:
            place.unlink(missing_ok=True)
            os.close(held)
            with suppress(OSError):
                self._folder.rmdir()

    def held(self, run: str) -> bool:
        """Whether somebody holds the lock of that run now."""
        try:
            probe = os.open(self._place(run), os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"cannot see whether run {run} is alive: {error}") from error
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(probe)
        return False

    def _place(self, run: str) -> Path:
        return self._folder / sha256(run.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def _take(self, place: Path) -> int | None:
        """The locked file's descriptor. A few tries, since `held` holds a lock for an instant."""
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):  # the folder went, or the file did
                with suppress(FileExistsError):
                    self._folder.mkdir(parents=True)
                descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.path.samestat(os.fstat(descriptor), place.stat()):
                        os.truncate(descriptor, 0)
                        os.write(descriptor, f"{os.getpid()}\n".encode())
                        return descriptor
                except BlockingIOError:
                    sleep(_PAUSE)
                except BaseException:
                    os.close(descriptor)
                    raise
                os.close(descriptor)
        return None


def _owner(place: Path) -> str:
    try:
        owner = int(place.read_text())
    except (OSError, ValueError):
        return "another process"
    return "this process" if owner == os.getpid() else f"another process (pid {owner})"
