"""Answers from a table that the store keeps, such as `hch iterate` makes: one look, no thinking.

`table:NAME` is the text `table/NAME` of the store's shelf. The model's own name always says which
table of that name it is, by the first 12 digits of its sha256, and so does the record of a run: a
run that was started with another is not gone on with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from hch.errors import ConfigError
from hch.models._usage import usage_of
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import canonical
from hch.tables import Table
from hch.types import Completion, Request

UNKNOWN = "CANNOT ANSWER: the table has no answer to it"
"""What is said to a question that has no row."""

DIGITS = 12


class TableModel:
    """A table that is asked one question at a time; a `Model` that is free."""

    endpoint = "table"
    keyed = False
    by_hand = False
    at_once: int | None = None

    def __init__(self, name: str, table: Table) -> None:
        self.name = spec_of(name, table)
        self.rate: Rate | None = Rate()
        self._table = table

    async def complete(self, request: Request) -> Completion:
        """What the table says to the request's question, whatever else is in the request."""
        found = self._table.find(request.instance, request.question, request.seed)
        text = UNKNOWN if found is None else found
        raw = text.encode("utf-8", "surrogatepass")
        return Completion(text, usage=usage_of(request, text), raw=raw)

    async def close(self) -> None:
        """Nothing to let go of."""


def on_shelf(name: str) -> str:
    """Where a store has the table of that name."""
    return f"table/{name}"


def spec_of(name: str, table: Table) -> str:
    """The spec of just this table."""
    return canonical("table", name, {"sha": table.digest[:DIGITS]})


def found(name: str, shelf: Callable[[str], str | None], sha: str | None) -> Table:
    """The table of that name on a shelf, its digest beginning so.

    Raises ConfigError where there is none, or another, or one that cannot be read.
    """
    text = shelf(on_shelf(name))
    if text is None:
        raise ConfigError(
            f"there is no table {name!r} in the store: hch iterate makes tables, and --store says "
            "which store is meant"
        )
    try:
        table = Table.read(text)
    except ValueError as error:
        raise ConfigError(f"the table {name!r} cannot be read: {error}") from error
    if sha is not None and sha != (now := table.digest[:DIGITS]):
        raise ConfigError(
            f"the table {name!r} is not the one that is meant: its sha is {now}, and not {sha}; "
            "leave sha= out to take it as it is, or bring the other one back"
        )
    return table


def build(
    arg: str,
    *,
    shelf: Callable[[str], str | None],
    sha: Annotated[str, Field(pattern=f"^[0-9a-f]{{{DIGITS}}}$")] | None = None,
) -> Model:
    """The table of that name; `sha` says which. Raises ConfigError."""
    return TableModel(arg, found(arg, shelf, sha))
