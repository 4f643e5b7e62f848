"""What a run may cost: the cap of a new one, by default or as asked, and that of a resumed one."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from hch.budget import CURRENCIES, UNLIMITED, Price, parse_budget
from hch.errors import ConfigError, UsageError
from hch.protocols import Model
from hch.recording import Recording

PAID_CAP = Price(calls=200, tokens=500_000, microusd=inf, nodes=inf)
"""The cap where a model costs money and no budget is given."""


def cap_of(budget: str | None, models: Sequence[Model]) -> tuple[Price, float | None]:
    """The cap and the seconds of a run by these models; `PAID_CAP` where one costs money.

    Raises UsageError for a budget that is none, ConfigError for a cap in dollars over a model
    without a price.
    """
    if budget is None:
        return (PAID_CAP if any(map(_costs, models)) else UNLIMITED), None
    cap, seconds = parse_budget(budget)
    for model in models:
        if cap.microusd != inf and model.rate is None:
            raise ConfigError(
                f"{model.name} has no known price, so it cannot run under a cap in dollars: "
                "give its price under [prices] in hch.toml, or cap calls or tokens, such as "
                "--budget 100calls,500ktokens"
            )
    _check_patience(models, seconds)
    return cap, seconds


def raised(
    past: Recording, budget: str | None, models: Sequence[Model]
) -> tuple[Price, float | None]:
    """A resumed run's cap and its seconds: in the currencies of the old, not below what is gone.

    Raises UsageError for a budget that may not be.
    """
    if budget is None:
        return past.cap, None
    cap, seconds = parse_budget(budget)
    _check_patience(models, seconds)
    if cap == UNLIMITED and seconds is not None:
        return past.cap, seconds
    for name in CURRENCIES:
        old, new, gone = (getattr(price, name) for price in (past.cap, cap, past.bill))
        if (old == inf) != (new == inf):
            raise UsageError(
                f"the run's cap is in other currencies: of {name} it was {_amount(old)}, "
                f"not {_amount(new)}"
            )
        if new < gone:
            raise UsageError(
                f"{gone} {name} are spent or unknown already: the new cap must not be below"
            )
    return cap, seconds


def check_replies(models: Sequence[Model], answer_tokens: int) -> None:
    """Raises UsageError for a model whose replies may not be so short."""
    for model in models:
        if (least := getattr(model, "least_tokens", 1)) > answer_tokens:
            raise UsageError(
                f"{model.name} wants replies of {least} tokens or more, its thoughts included, and "
                f"{answer_tokens} are allowed: raise --answer-tokens, answer_tokens in hch.toml"
            )


def _costs(model: Model) -> bool:
    """Whether calls of a model are paid for, at a price that is known or not."""
    return model.keyed or (model.rate is not None and not model.rate.free)


def _check_patience(models: Sequence[Model], seconds: float | None) -> None:
    """Raises UsageError for a deadline that a person would have to keep."""
    if seconds is not None and any(model.by_hand for model in models):
        raise UsageError(
            "a person plays, and no deadline applies to people: leave the time out of the budget"
        )


def _amount(n: float) -> str:
    return "without a cap" if n == inf else str(n)
