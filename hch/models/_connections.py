"""What goes wrong below HTTP, and what it means: connections and proxies."""

from __future__ import annotations

from collections.abc import Iterator

from hch.environment import proxy
from hch.errors import ConfigError, HchError, ModelError, TransientModelError
from hch.models._address import Address

UNUSABLE = (
    "the proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names cannot be used: it must be "
    "http://HOST:PORT, and NO_PROXY says for which hosts there is none"
)


def proxied(url: str) -> tuple[str | None, dict[str, str]]:
    """The proxy for a URL, and what it is told of us.

    Raises ConfigError for one that cannot be used.
    """
    from aiohttp import encode_basic_auth
    from yarl import URL

    if (named := proxy(url)) is None:
        return None, {}
    try:
        where = URL(named)
        told = encode_basic_auth(where.user, where.password or "") if where.user else ""
    except ValueError:
        where, told = URL(), ""
    if where.scheme not in ("http", "https") or not where.host:
        raise ConfigError(UNUSABLE)
    return str(where.with_user(None)), {"Proxy-Authorization": told} if told else {}


def broken(at: Address, error: BaseException) -> HchError:
    """What a failure below HTTP means: only one before the connection stands has surely not run.

    The kind is told by the causes, since SDKs call a refused connection a timeout. A proxy that
    refuses is a ConfigError.
    """
    import aiohttp

    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ModelError):
            return cause
        if isinstance(cause, aiohttp.ClientProxyConnectionError):
            told = f"the proxy on the way to {at.url} cannot be reached: {at.clean(cause.os_error)}"
            return TransientModelError(told, kind="unreachable", ran=False)
        if isinstance(cause, aiohttp.ClientHttpProxyError):
            told = f"the proxy on the way to {at.url} answered {cause.status}"
            if cause.status in (403, 407):
                return ConfigError(f"{told}: see HTTPS_PROXY, and NO_PROXY")
            return TransientModelError(told, kind="unreachable", ran=False)
    kinds: tuple[tuple[str, tuple[type[BaseException], ...]], ...] = (
        ("unreachable", (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)),
        ("timeout", (TimeoutError,)),
        ("bad body", (aiohttp.ClientResponseError, aiohttp.ContentTypeError)),
    )
    found = (kind for kind, types in kinds if any(isinstance(cause, types) for cause in causes))
    undecodable = any(type(cause).__name__ in _UNDECODABLE for cause in causes)
    kind = "bad body" if undecodable else next(found, "reset")
    told = at.clean(causes[-1]) or type(causes[-1]).__name__
    return TransientModelError(f"{at.url}: {kind}: {told}", kind=kind, ran=kind != "unreachable")


_UNDECODABLE = {"DecodingError", "ContentEncodingError", "TransferEncodingError"}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


LARGEST = 100_000_000
"""Bytes of a reply at most, unpacked."""


def too_large(at: Address) -> ModelError:
    """The error for a reply of more than that; another attempt would bring the same."""
    return ModelError(f"{at.url} sent more than {LARGEST:,} bytes", kind="too large")
