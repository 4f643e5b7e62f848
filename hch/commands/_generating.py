"""What `hch generate` was asked for, put together: which questions, how often, and of whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hch.commands._asked import check_levels, notices
from hch.commands._examining import Drawn, Examined, check_parts, sheet_of
from hch.commands._settings import check_in_force
from hch.compose import HCH
from hch.evals.questions import check_samples
from hch.examination import Entry, Examination

ENTRIES = (Entry(),)
"""The one answer that each root gets."""


@dataclass(frozen=True, slots=True)
class Wanted(Drawn):
    """The flags that are no fields of `HCH`, as typed; each question is put `samples` times."""

    samples: int


def generating(wanted: Wanted, given: Mapping[str, Any]) -> Examined:
    """The run that flags ask for; `given` are fields of `HCH`.

    Raises UsageError and ConfigError for what cannot be.
    """
    check_samples(wanted.count or 1, wanted.samples)
    hch = HCH(**given)
    check_in_force(hch)
    check_levels(hch)
    sheet = sheet_of(wanted, hch, told=False).sampled(wanted.samples)
    check_parts(hch, len(sheet.questions), ENTRIES)
    examination = Examination(
        source=sheet.source,
        labels=(", ".join(dict.fromkeys(player.spec for player in reversed(hch.players))),),
        expected=sheet.expected,
        kinds=sheet.kinds,
        sample=sheet.seed,
        generated=True,
    )
    return Examined(sheet, hch, ENTRIES, examination, list(notices(hch)))
