"""Accuracy by generation as a figure in a file, drawn by matplotlib (the extra `plot`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hch.errors import ConfigError, UsageError
from hch.ledger import Generation, Ledger

T = TypeVar("T")

KINDS = (".png", ".svg", ".pdf")

_UNDATED = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""What keeps the time out of a file, so that the same figures give the same bytes."""


def ledger_figure(path: str | None) -> Callable[[Ledger], None]:
    """What draws a ledger into that file; nothing where there is none. Raises as `figure` does."""
    return figure(path, lambda drawn, ledger: _draw(drawn.add_subplot(), ledger), (7, 4))


def figure(
    path: str | None, draw: Callable[[Any, T], None], size: tuple[float, float]
) -> Callable[[T], None]:
    """What draws something into that file, so many inches large; nothing where there is none.

    Raises UsageError for a file of another kind or in no folder, ConfigError without matplotlib.
    """
    if path is None:
        return lambda _: None
    file = Path(path)
    if file.suffix.lower() not in KINDS:
        raise UsageError(f"--plot {path}: name a file that ends in {', '.join(KINDS)}")
    if not file.parent.is_dir():
        raise UsageError(f"--plot {path}: there is no folder {file.parent}")
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ConfigError("--plot needs matplotlib: pip install 'hch[plot]'") from error

    def save(what: T) -> None:
        drawn = Figure(figsize=size, layout="constrained")
        draw(drawn, what)
        try:
            with rc_context({"svg.hashsalt": "hch"}):  # else the ids in it are random
                drawn.savefig(file, metadata=_UNDATED.get(file.suffix.lower()))
        except OSError as error:
            raise UsageError(f"--plot {path} cannot be written: {error.strerror}") from error

    return save


def _draw(axes: Any, ledger: Ledger) -> None:
    made = ledger.generations
    rounds = [each.number for each in made]
    for name, values in _series(made).items():
        axes.plot(rounds, values, label=name, marker=".", linewidth=1.5)
    refused = [each for each in made if not each.taken]
    if refused:
        numbers = [each.number for each in refused]
        accuracies = [100 * each.learned.accuracy for each in refused]
        axes.plot(numbers, accuracies, "kx", label="not taken")
    axes.set_xlabel("round")
    axes.set_ylabel("right, %")
    axes.set_ylim(0, 103)
    axes.set_title(ledger.name)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")


def _series(made: Sequence[Generation]) -> dict[str, list[float]]:
    """What is plotted by round, in percent."""
    series = {
        "targets": [100 * each.targets.accuracy for each in made],
        "X": [100 * each.learned.accuracy for each in made],
        "X: held out": [100 * each.held_out[1].accuracy for each in made],
    }
    for name in sorted({name for each in made for name in each.learned.measures}):
        pairs = [each.learned.measures.get(name, (0, 0)) for each in made]
        series[f"X: {name}"] = [100 * right / of if of else 0.0 for right, of in pairs]
    return series
