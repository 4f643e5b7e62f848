"""hch: a simulator of HCH, Humans Consulting HCH, with language models, scripts and people as H."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hch.compose import HCH
    from hch.models.scripted import ScriptedModel
    from hch.run import Result
    from hch.trace import Trace
    from hch.types import Answer, Completion, Question, Request, Text

_HOMES = {
    "HCH": "hch.compose",
    "ScriptedModel": "hch.models.scripted",
    "Result": "hch.run",
    "Trace": "hch.trace",
    "Answer": "hch.types",
    "Completion": "hch.types",
    "Question": "hch.types",
    "Request": "hch.types",
    "Text": "hch.types",
}

__all__ = [
    "HCH", "Answer", "Completion", "Question", "Request", "Result", "ScriptedModel", "Text",
    "Trace", "__version__",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hch' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
