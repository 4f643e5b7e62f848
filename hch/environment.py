"""The environment of this process, and the only place that reads it.

Settings and keys among its variables are `hch.config`'s matter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit


def variables() -> Mapping[str, str]:
    """Every variable by its name."""
    return os.environ


def variable(*names: str) -> str:
    """The first of these variables that is set and not empty, else nothing."""
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL, by the variables that everybody reads."""
    from urllib.request import getproxies, proxy_bypass  # takes a while to import

    parts = urlsplit(url)
    if proxy_bypass(parts.netloc):
        return None
    named = getproxies()
    return named.get(parts.scheme) or named.get("all")
