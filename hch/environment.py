"""The environment of this process, and the only place that reads it.

Settings and keys among its variables are `hch.config`'s matter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def variables() -> Mapping[str, str]:
    """Every variable by its name."""
    return os.environ


def variable(*names: str) -> str:
    """The first of these variables that is set and not empty, else nothing."""
    return next((os.environ[name] for name in names if os.environ.get(name)), "")
