"""The environment of this process, and the only place that reads it.

Settings and keys among its variables are `hch.config`'s matter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit


def variables() -> Mapping[str, str]:
    """Every variable by its name."""
    return os.environ


def variable(*names: str) -> str:
    """The first of these variables that is set and not empty, else nothing."""
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def forget(*names: str) -> None:
    """Go on, with all that is started from here, as if these variables were not set."""
    for name in names:
        os.environ.pop(name, None)


def proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL, by the variables that everybody reads.

    In NO_PROXY hosts, their domains, addresses and networks (10.0.0.0/8) may be named.
    """
    from urllib.request import getproxies, proxy_bypass  # takes a while to import

    parts, named = urlsplit(url), getproxies()
    found = named.get(parts.scheme) or named.get("all")
    if not found or proxy_bypass(parts.netloc) or _within(parts.hostname, named.get("no", "")):
        return None
    return found if "://" in found else f"http://{found}"


def _within(host: str | None, networks: str) -> bool:
    """Whether a host is an address in one of these networks."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return False
    for network in networks.split(","):
        with suppress(ValueError):
            if address in ip_network(network.strip().strip("[]"), strict=False):
                return True
    return False
