"""What texts that are the same have in common, the words of a text, and marks of texts.

A normal form is Unicode's NFKC_Casefold (Unicode Standard Annex 31) with white space as single
blanks: capitals, widths, ligatures and characters that nobody sees make no difference. Punctuation
stays, since `2 - 3` is not `2 + 3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from unicodedata import category, combining, normalize

_UNSEEN = re.compile(  # Default_Ignorable_Code_Point
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]+"
)
_ALONE = (  # scripts that put no blanks between words: Thai to Khmer, kana, ideographs
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_ASCII = re.compile(r"[a-z0-9]+|[^\s]")
_MARKS = range(0x300, 0x20000)
"""Where there are marks: beyond are ideographs, and what nobody sees."""

_RUN = 30
"""The most marks in a row that are put into order together (Unicode Standard Annex 15, 13.1)."""

_JOINER = "\u034f"


def normal(text: str) -> str:
    """The normal form of a text: equal for texts that are the same, and its own normal form.

    Takes any text, lone surrogates included, in time linear in its length.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    folded = _composed(_UNSEEN.sub("", _composed(text)).casefold())
    return " ".join(_UNSEEN.sub("", folded).split())


def words(text: str) -> Iterator[str]:
    """The words of a text's normal form: runs of letters and digits, and every other sign alone.

    Marks belong to the letter before them. Of scripts that put no blanks between words, each
    character is a word.
    """
    form = normal(text)
    return (found[0] for found in (_ASCII if form.isascii() else _word()).finditer(form))


def mark(text: str) -> bytes:
    """Eight bytes of a hash of the normal form: equal for texts that are the same."""
    return blake2b(normal(text).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _composed(text: str) -> str:
    """NFKC, but that a long run of marks is cut: to put one into order takes quadratic time."""
    return normalize("NFKC", _long_run().sub(lambda run: run[0] + _JOINER, text))


@cache
def _long_run() -> re.Pattern[str]:
    marks = [c for c in map(chr, _MARKS) if _is_mark(c)]
    return re.compile(f"[{''.join(marks)}]{{{_RUN}}}")


def _is_mark(character: str) -> bool:
    """Whether it, or what it stands for, is put into order among the marks before it."""
    return any(map(combining, normalize("NFKD", character)[:1]))


@cache
def _word() -> re.Pattern[str]:
    marks = "".join(c for c in map(chr, _MARKS) if category(c)[0] == "M")
    letters, marks = rf"[^\W_{_ALONE}]", f"[{marks}]"
    return re.compile(rf"[{_ALONE}]{marks}*|{letters}+(?:{marks}+{letters}*)*|[^\s]")
