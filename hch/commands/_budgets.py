"""How much more a run should have had, where it stopped or its root was cut for want of it."""

from __future__ import annotations

import re
from math import inf

from hch.budget import CURRENCIES, Bill, Price
from hch.recording import Recording
from hch.trace import Node, Trace
from hch.words import budget

_LACK = re.compile(r"(\d+) (call|token|micro-dollar|node)s? wanted, (\d+) left")
_UNITS = dict(zip(("call", "token", "micro-dollar", "node"), CURRENCIES, strict=True))


def to_go_on(past: Recording | Trace) -> tuple[str, ...]:
    """The flags of a resume that does not stop again where the bill stopped this run."""
    stopped = past.stopped
    if stopped is None or stopped.kind != "BillExhausted" or stopped.reason.endswith(" are over"):
        return ()
    gone = Price(*map(max, past.cap.amounts(), past.bill.amounts()))
    lack = _lack(stopped.reason)
    larger = budget(_enlarged(gone, gone + lack, lack))
    return ("--budget", larger) if larger else ()


def to_pay_again(bill: Bill | None) -> tuple[str, ...]:
    """The flags of a resume that can pay for one more call at least, where this cap cannot."""
    if bill is None or bill.cap.covers(bill.spent + bill.largest):
        return ()
    wanted = bill.spent + bill.largest
    amounts = zip(wanted.amounts(), bill.cap.amounts(), bill.largest.amounts(), strict=True)
    lack = Price(*(more if want > cap else 0 for want, cap, more in amounts))
    larger = budget(_enlarged(bill.cap, wanted, lack))
    return ("--budget", larger) if larger else ()


def to_begin_anew(trace: Trace, root: Node, reason: str) -> str:
    """The cap of a new run whose root has what this one lacked; empty where nothing is capped."""
    started, lack = trace.started, _lack(reason)
    wanted = (root.opened.grant.price() + lack).map(lambda n: -(-n * 10 * started.count // 9))
    return budget(_enlarged(started.cap.price(), wanted, lack))


def _lack(reason: str) -> Price:
    """What a reason says was wanted over what was left."""
    found = {_UNITS[u]: int(wanted) - int(left) for wanted, u, left in _LACK.findall(reason)}
    return Price(**found)


def _enlarged(cap: Price, wanted: Price, lack: Price) -> Price:
    """A cap twice as large, or as is wanted, in what was lacking; in all where that is unknown."""
    amounts = []
    for old, want, short in zip(cap.amounts(), wanted.amounts(), lack.amounts(), strict=True):
        if old == inf or (lack != Price() and not short):
            amounts.append(old)
        else:
            amounts.append(_round_up(int(max(2 * old, want))))
    return Price(*amounts)


def _round_up(n: int) -> int:
    """To two digits."""
    unit = int(10 ** max(0, len(str(n)) - 2))
    return -(-n // unit) * unit
