"""What `hch doctor` finds of packages, endpoints, models and the store."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from hch import __version__, registry
from hch.errors import HchError
from hch.safe_text import one_line
from hch.types import Message, Part, Request, Sampling
from hch.words import count

if TYPE_CHECKING:
    from hch.keeping import Store
    from hch.protocols import Model

State: TypeAlias = Literal["fine", "wrong", "none"]

MARKS: dict[State, str] = {"fine": "✓", "wrong": "✗", "none": "–"}

PATIENCE = 3.0
"""Seconds that a connection may take."""

REPLY = 60.0
"""Seconds that a reply may take."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `figures` are what `said` says in numbers."""

    section: str
    state: State
    name: str
    said: str
    figures: dict[str, Any] = field(default_factory=dict)


def wrong(section: str, name: str, why: object) -> Finding:
    return Finding(section, "wrong", name, one_line(str(why)))


def installed() -> Iterator[Finding]:
    """hch, Python, what hch needs, and its extras."""
    yield Finding("installed", "fine", "hch", f"{__version__}, in {Path(__file__).parents[1]}")
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("installed", "fine", "Python", f"{python}, {sys.executable}")
    try:
        about = metadata("hch")
    except PackageNotFoundError:
        yield wrong("installed", "hch", "not installed as a package: pip install hch")
        return
    needs = about.get_all("Requires-Dist") or []
    users = _users()
    for name in _packages(needs, None):
        found = _version(name)
        said = found or "not installed: pip install --force-reinstall hch"
        if name in users:
            said += f", for {', '.join(users[name])}"
        yield Finding("installed", "fine" if found else "wrong", name, said)
    for extra in (e for e in about.get_all("Provides-Extra") or () if e in users):
        names = _packages(needs, extra)
        absent = [name for name in names if _version(name) is None]
        there = ", ".join(f"{name} {_version(name)}" for name in names)
        said = f"needs {', '.join(absent)}: pip install 'hch[{extra}]'" if absent else there
        said = f"for {', '.join(users[extra])}: {said}"
        yield Finding("installed", "none" if absent else "fine", f"extra {extra}", said)


def _users() -> dict[str, list[str]]:
    """The plugins of this version by what they need: an extra, else what is named as they are."""
    users: dict[str, list[str]] = {}
    for kind in registry.KINDS:
        for name in registry.names(kind):
            try:
                need = getattr(registry.load(kind, name), "EXTRA", name)
            except HchError:
                need = name
            users.setdefault(need, []).append(f"{kind} {name}")
    return users


def _packages(needs: list[str], extra: str | None) -> list[str]:
    """The packages that hch needs, or that one of its extras needs."""
    found = []
    for need in needs:
        name, mark = re.match(r"[\w.-]+", need), re.search(r"extra == ['\"]([^'\"]+)", need)
        if name and (mark[1] if mark else None) == extra:
            found.append(name[0])
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def connected(models: Mapping[str, Model]) -> Iterator[Finding]:
    """Whether each endpoint that is an address can be connected to."""
    import asyncio

    users: dict[str, list[str]] = {}
    for name, model in models.items():
        if urlsplit(model.endpoint).scheme in ("http", "https"):
            users.setdefault(model.endpoint, []).append(name)

    async def all_at_once() -> list[tuple[str | None, int]]:
        return await asyncio.gather(*(reach(url) for url in users))

    for url, (fault, ms) in zip(users, asyncio.run(all_at_once()), strict=True):
        said = f"{fault or 'reachable'}, {ms} ms: {', '.join(users[url])}"
        yield Finding("endpoints", "wrong" if fault else "fine", url, one_line(said), {"ms": ms})


async def reach(url: str, patience: float = PATIENCE) -> tuple[str | None, int]:
    """Connect and send nothing: what went wrong, if anything did, and how long it took in ms."""
    import asyncio

    parts = urlsplit(url)
    begun = monotonic()
    fault = None
    try:
        async with asyncio.timeout(patience):
            port = parts.port or (443 if parts.scheme == "https" else 80)
            _, writer = await asyncio.open_connection(parts.hostname, port)
        writer.transport.abort()
    except TimeoutError:
        fault = f"no answer within {patience:g} s"
    except socket.gaierror:
        fault = "unknown host"
    except OSError as error:  # of several addresses asyncio only says the texts of what went wrong
        refused = f"[Errno {errno.ECONNREFUSED}]" in str(error)
        fault = "refused" if refused else error.strerror or str(error)
    return fault, round(1000 * (monotonic() - begun))


def tried(models: Mapping[str, Model]) -> Iterator[Finding]:
    """What each model says when it is asked for one token; a person is not asked."""
    import asyncio

    for name, model in ((n, m) for n, m in models.items() if not m.by_hand):
        begun = monotonic()
        try:
            usage = asyncio.run(_called(model))
        except HchError as error:
            yield wrong("calls", name, error)
        except TimeoutError:
            yield wrong("calls", name, f"no reply within {REPLY:g} s")
        else:
            ms = round(1000 * (monotonic() - begun))
            figures = {"ms": ms, "input": usage.input, "output": usage.output}
            said = f"ok, {ms} ms, {usage.input} tokens in, {usage.output} out"
            yield Finding("calls", "fine", name, said, figures)


async def _called(model: Model) -> Any:
    """Ask for one token. Raises HchError, and TimeoutError where there is no reply in time."""
    import asyncio

    said = "Say: ok"
    message = Message("user", (Part(said),))
    try:
        async with asyncio.timeout(REPLY):
            most = Sampling(max_tokens=getattr(model, "least_tokens", 1))
            reply = await model.complete(Request((message,), most, question=said))
        return reply.usage
    finally:
        await model.close()


def store(kept_in: Store) -> Iterator[Finding]:
    """Where runs are kept, how many they are, and whether what is kept is whole."""
    with closing(kept_in):
        place = kept_in.place
        if place == "memory":
            yield Finding("store", "none", place, "runs are gone when their command ends")
            return
        if "://" not in place:
            try:
                yield _on_disk(Path(place).expanduser())
            except OSError as error:
                yield wrong("store", place, f"it cannot be read: {error.strerror}")
                return
        faults = kept_in.check()
        for fault in faults:
            yield wrong("store", "check", fault)
        if faults:
            return
        try:
            runs = kept_in.runs()
        except HchError as error:
            yield wrong("store", "runs", error)
            return
        unfinished = sum(run.status == "unfinished" for run in runs)
        said = f"{count(len(runs), 'run')}, {unfinished} unfinished, all of it whole"
        figures = {"runs": len(runs), "unfinished": unfinished}
        yield Finding(
            "store", "fine" if runs else "none", "runs", said if runs else "none", figures
        )


def _on_disk(path: Path) -> Finding:
    """The file, and the disk that it is on or would be. Raises OSError where none can be."""
    there = path.is_file()
    folder = next(f for f in (path.absolute().parent, *path.absolute().parents) if f.is_dir())
    sized = [path, path.with_name(f"{path.name}-wal")] if there else []
    size = sum(file.stat().st_size for file in sized if file.exists())
    free = shutil.disk_usage(folder).free
    said = (
        f"{_bytes(size) if there else 'not there yet: the first run makes it'}, {_bytes(free)} free"
    )
    writable = os.access(folder, os.W_OK) and (not there or os.access(path, os.W_OK))
    state: State = "wrong" if not writable else "fine" if there else "none"
    said += "" if writable else "; it cannot be written: see who may, or name another with --store"
    return Finding("store", state, str(path), said, {"bytes": size, "free": free})


def _bytes(n: int) -> str:
    """`812 B`, `1.4 MB`, `23 GB`."""
    size, units = float(n), ["B", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.1f} {units[0]}" if size < 9.95 and units[0] != "B" else f"{size:.0f} {units[0]}"
