"""Integers of any size from and to decimal digits; Python's `int` and `str` stop at a limit."""

from __future__ import annotations

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact, localcontext
from typing import TypeVar

N = TypeVar("N", int, Decimal)

_CHUNK = 640  # digits that Python converts whatever its limit is set to


def read_integer(text: str) -> int:
    """The value of decimal digits, with or without a minus."""
    digits = text.removeprefix("-")
    ends = range(len(digits), 0, -_CHUNK)
    base: int = 10**_CHUNK
    value = _joined([int(digits[max(0, end - _CHUNK) : end]) for end in ends], base)
    return value if digits == text else -value


def write_integer(value: int) -> str:
    """The decimal digits of an integer, with a minus if it is negative."""
    if value.bit_length() <= 2 * _CHUNK:
        return str(value)
    width = 256
    raw = abs(value).to_bytes(value.bit_length() // 8 + 1, "little")
    with localcontext(Context(MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[Inexact])):
        starts = range(0, len(raw), width)
        parts = [Decimal(int.from_bytes(raw[at : at + width], "little")) for at in starts]
        return f"{'-' * (value < 0)}{_joined(parts, Decimal(1 << 8 * width)):f}"


def _joined(parts: list[N], base: N) -> N:
    """The number with these digits in this base, least significant first, joined two by two."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        odd = parts[len(parts) // 2 * 2 :]
        parts = [low + high * base for low, high in pairs] + odd
        base *= base
    return parts[0]
