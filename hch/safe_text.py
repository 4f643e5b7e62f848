"""Model text made safe to display: nothing in it can move the cursor, hide or reorder.

C0 controls (but newline and tab), DEL, C1, bidirectional marks, zero-width and tag characters,
invisible format controls of scripts, variation selectors, line and paragraph separators, and lone
surrogates become visible. The store
keeps the text as it was. What comes out still is no markup: never hand it to a parser of markup.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def safe_text(text: str) -> str:
    """The text, every unsafe character shown as `\\x1b` or `\\u202e`; a Windows newline is one."""
    return _UNSAFE.sub(_visible, text.replace("\r\n", "\n"))


def one_line(text: str, width: int | None = None) -> str:
    """Safe text on one line, white space folded, cut to `width` characters with an ellipsis."""
    if width is None:
        return " ".join(safe_text(text).split())
    seen = 8 * width + 64
    line = " ".join(safe_text(text[:seen]).split())
    if len(line) <= width and not text[seen:].strip():
        return line
    return (line[: max(0, width - 1)] + "…")[:width]


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
