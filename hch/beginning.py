"""Whether a run that comes from elsewhere can begin so: what it says of its set-up is looked at.

It becomes the arguments of `HCH` where the run is gone on with, and says which servers are asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from socket import inet_aton
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from hch import settings
from hch.errors import UsageError
from hch.events import RunStarted
from hch.examination import Entry, Examination, check_entries
from hch.registry import PlayerSpec, Spec
from hch.steps import recorded
from hch.wire import Chars, Wire, Words

DEAREST = 1e6
"""A dollar a token, in micro-dollars; no model costs more."""

_Positive: TypeAlias = Annotated[int, Field(ge=1)]


class Further(Wire):
    """A further lineup of a run."""

    depth: Annotated[int, Field(ge=0, le=10_000)]
    model: str | None = None
    strategy: str | None = None
    at: dict[str, str] | None = None


class Named(Wire):
    """The words that a run was asked for in, aliases and all."""

    model: str | None = None
    strategy: str | None = None
    at: dict[str, str] = Field({})
    beside: list[Further] = Field([])
    prompts: str | None = None


class Recipe(Wire):
    """What `RunStarted.setup` may hold: it becomes the arguments of `HCH`."""

    depth: Annotated[int, Field(ge=0, le=10_000)] | None = None
    manual: Chars | None = None
    seed: int | None = None
    fanout: _Positive | None = None
    answer_tokens: _Positive | None = None
    cache: bool | None = None
    model: str | None = None
    strategy: str | None = None
    at: dict[str, str] = Field({})
    others: dict[str, str] = Field({})
    beside: list[Further] = Field([])
    task: str | None = None
    named: Named | None = None
    objects: list[str] = Field([])
    document: Chars | None = None


class Root(Wire):
    """A root question, as `hch.run` writes it."""

    text: Words
    context: list[Words]
    instance: str | None
    sample: list[int]


class Roots(Wire):
    """What `RunStarted.roots` may hold."""

    questions: Annotated[list[Root], Field(min_length=1)]
    instances: dict[str, Chars] = Field({})
    entries: Annotated[list[Entry], Field(min_length=1)] = Field([Entry()])
    examination: Examination | None = None


def check_started(event: RunStarted) -> None:
    """Raises ValueError where a run that begins so could not be shown, or gone on with."""
    recipe = validated(Recipe, event.setup, "setup")
    roots = validated(Roots, event.roots, "roots")
    count = len(roots.questions) * len(roots.entries)
    if event.count != count:
        raise ValueError(f"count is {event.count}, and there are {count} roots")
    check_entries(tuple(roots.entries), 1 + len(event.lineups))
    _check_examined(roots, 1 + len(event.lineups))
    task = Spec.parse(recipe.task or "arithmetic").name
    recorded(task, roots.instances)
    meant = [root.instance for root in roots.questions if root.instance is not None]
    if lacking := [named for named in meant if named not in roots.instances]:
        raise ValueError(f"a question is about instance {lacking[0][:8]}, which has no facts here")
    if not event.players or recipe.depth not in (None, len(event.players) - 1):
        raise ValueError(f"{len(event.players)} players do not fit the depth {recipe.depth}")
    depths = [side.depth for side in recipe.beside]
    if recipe.beside and depths != [len(players) - 1 for players in event.lineups]:
        raise ValueError(f"the lineups {depths} do not fit their depths")
    for name, tariff in event.rates.items():
        rates = [] if tariff is None else [tariff, *(long for _, long in tariff.longer)]
        amounts = [n for rate in rates for n in rate.model_dump(exclude={"longer"}).values()]
        if not all(n is None or 0 <= n <= DEAREST for n in amounts):
            raise ValueError(f"the price of {name} is none")
    if not recipe.objects:
        named = recipe.named or Named()
        sides = (recipe, named, *recipe.beside, *named.beside)
        players = [p for side in sides for p in (side.strategy, *(side.at or {}).values())]
        thinking = map(_thinks_with, (*players, *recipe.others.values()))
        _check_servers(*(side.model for side in sides), *event.rates, *thinking)


def _check_examined(roots: Roots, lineups: int) -> None:
    """Raises ValueError for what does not fit the questions and the lineups."""
    if (held := roots.examination) is None:
        return
    asked = len(roots.questions)
    if len(held.expected) != asked or len(held.kinds) != asked or len(held.labels) != lineups:
        raise ValueError(f"the examination does not fit {asked} questions of {lineups} lineups")


def _thinks_with(player: str | None) -> str | None:
    """The model in a player's spec."""
    try:
        return PlayerSpec.parse(player).model if player else None
    except UsageError as error:
        raise ValueError(str(error)) from error


def _check_servers(*models: str | None) -> None:
    """Raises ValueError for a server at an address where none can be but that of a cloud's keys."""
    for model in filter(None, models):
        try:
            url = dict(Spec.parse(model).options).get("base_url", "")
            host = urlsplit(url if "://" in url else f"//{url}").hostname or ""
        except (UsageError, ValueError) as error:
            raise ValueError(f"the model {model!r}: {error}") from error
        if _is_link_local([host, host.partition("%")[0]]):
            raise ValueError(f"the model {model!r} is at an address that serves no models")


def _is_link_local(hosts: Iterable[str]) -> bool:
    for host in hosts:
        try:
            address = ip_address(
                inet_aton(host) if host[:1].isdigit() and ":" not in host else host
            )
        except (ValueError, OSError):
            continue
        if (getattr(address, "ipv4_mapped", None) or address).is_link_local:
            return True
    return False


def validated(kind: type[Any], data: dict[str, Any], what: str) -> Any:
    """Plain data as a model, nothing converted. Raises ValueError, saying where it is wrong."""
    try:
        return kind.model_validate(data, strict=True)
    except ValidationError as error:
        raise ValueError(f"{what}: {reason(error)}") from error


def reason(error: ValidationError) -> str:
    """The first thing that is wrong, and where, in a few words."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    said = settings.reason(first["msg"])
    return f"{where}: {said}" if where else said
