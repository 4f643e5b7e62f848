"""Facts that may come from elsewhere, a file or a recorded run: whether they have their form."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from hch.safe_text import one_line


def fit(form: TypeAdapter[Any], facts: Any) -> None:
    """Raises ValueError with the first place where facts do not have this form."""
    try:
        form.validate_python(facts)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = "".join(f"[{one_line(str(part), 40)}]" for part in first["loc"])
        raise ValueError(f"facts{place}: {one_line(first['msg'], 200)}") from None
