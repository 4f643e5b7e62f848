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
from hch.stores._index import shown

_TRIES = 10
_PAUSE = 0.01


class RunLocks:
    """One locked file for each live run, in a folder of their own.

    Whoever holds a lock removes its file before letting go, and whoever got one makes sure that
    the file is still the one of that name. A file that a killed process left is not locked; it
    goes with the next holder of its name.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._folder = store.with_name(f"{store.name}.locks")

    @contextmanager
    def hold(self, run: str) -> Iterator[None]:
        """Raises StoreError while somebody holds the same lock, or where none can be made."""
        place = self._place(run)
        try:
            held = self._take(place)
        except OSError as error:
            raise StoreError(
                f"cannot lock run {shown(run)} in the store {self._store}: {error.strerror}; "
                f"see whether {self._folder.name} can be made beside it, "
                "or choose another place with --store"
            ) from error
        if held is None:
            raise StoreError(
                f"run {shown(run)} is in use by {_owner(place)}: wait until that has ended"
            )
        try:
            yield
        finally:
            with suppress(OSError):  # a file that stays is not locked
                place.unlink(missing_ok=True)
            os.close(held)
            with suppress(OSError):
                self._folder.rmdir()

    def held(self, run: str) -> bool:
        """Whether somebody holds the lock of that run now."""
        try:
            return _locked(self._place(run))
        except OSError as error:
            raise StoreError(
                f"the store {self._store}: cannot see whether run {shown(run)} is alive: "
                f"{error.strerror}; see whether {self._folder.name} beside it can be read"
            ) from error

    def _place(self, run: str) -> Path:
        return self._folder / sha256(run.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def _take(self, place: Path) -> int | None:
        """The locked file's descriptor. A few tries, since `held` holds a lock for an instant."""
        missing: list[FileNotFoundError] = []
        for _ in range(_TRIES):
            with suppress(FileExistsError):
                self._folder.mkdir(parents=True)
            try:
                descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
            except FileNotFoundError as error:  # the folder went
                missing.append(error)
                sleep(_PAUSE)
                continue
            with suppress(FileNotFoundError):  # the file went
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
        if len(missing) == _TRIES:
            raise missing[-1]
        return None


def _locked(place: Path) -> bool:
    try:
        probe = os.open(place, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(probe)
    return False


def _owner(place: Path) -> str:
    try:
        owner = int(place.read_text())
    except (OSError, ValueError):
        return "another process"
    return "this process" if owner == os.getpid() else f"another process (pid {owner})"
