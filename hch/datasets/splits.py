"""Which split a group of texts is in: by its own text and a seed, whatever else there is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from hashlib import blake2b

from hch.datasets.normal import normal
from hch.errors import UsageError

_NAME = re.compile("(?!all$)[a-z][a-z0-9_]{0,31}")
_OFF = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Splits:
    """Names with the share of the groups that each gets; the first is the one trained on."""

    shares: tuple[tuple[str, Decimal], ...]

    @classmethod
    def parse(cls, text: str) -> Splits:
        """`train=0.9,test=0.1` or `train=90%,test=10%`: shares above 0 that sum to 1.

        Raises UsageError, saying what is wrong.
        """
        shares = [_share(text, item) for item in text.split(",")]
        folded = [name.casefold() for name, _ in shares]
        if again := next((name for name in folded if folded.count(name) > 1), None):
            raise UsageError(f"splits {text!r} name {again!r} twice, capitals aside")
        if "train" in folded[1:]:
            raise UsageError(f"splits {text!r}: the first is trained on, so name train first")
        total = sum((share for _, share in shares), Decimal(0))
        if abs(total - 1) > _OFF:
            raise UsageError(f"splits {text!r} sum to {_written(total)}: let it be 1")
        return cls(tuple(shares))

    def __str__(self) -> str:
        return ",".join(f"{name}={_written(share)}" for name, share in self.shares)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.shares)

    def side(self, group: str, seed: int) -> str:
        """The split of a group: by a hash of its normal form under that seed, and nothing else."""
        data = normal(group).encode("utf-8", "surrogatepass")
        drawn = blake2b(data, digest_size=8, key=_sixteen(seed), person=b"split").digest()
        left = Fraction(int.from_bytes(drawn), 2**64)
        for name, share in self.shares:
            left -= Fraction(share)
            if left < 0:
                return name
        return self.names[-1]


def _share(text: str, item: str) -> tuple[str, Decimal]:
    name, equals, amount = (part.strip() for part in item.partition("="))
    if not equals or not _NAME.fullmatch(name):
        raise UsageError(
            f"{item!r} in splits {text!r} is none: write NAME=SHARE, such as train=0.9,test=0.1, "
            "the name at most 32 small letters, digits and _, beginning with a letter; not all"
        )
    try:
        share = Decimal(amount.removesuffix("%")) / (100 if amount.endswith("%") else 1)
    except InvalidOperation:
        share = Decimal(0)
    if not (share.is_finite() and _OFF <= share <= 1):
        raise UsageError(
            f"{item!r} in splits {text!r}: write a share above 0 and at most 1, "
            "or in percent, such as 80%"
        )
    return name, share


def _written(share: Decimal) -> str:
    return f"{share.normalize():f}"


def _sixteen(seed: int) -> bytes:
    """Sixteen bytes of a seed, whatever its size."""
    return blake2b(str(seed).encode(), digest_size=16).digest()
