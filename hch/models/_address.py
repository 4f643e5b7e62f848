"""Where a model's requests go: a base URL, the key for it, and the headers that go along."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import SecretStr

from hch.errors import ConfigError, UsageError
from hch.redaction import Redaction

_NAME = re.compile(r"[A-Za-z0-9-]+")
_OURS = {
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
"""Headers that say how a request is sent."""

_SECRET = re.compile(
    "(^|-)(apikey|key|token|auth|authorization|secret|cookie|signature|password|credentials?)(-|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL without a slash at its end, and what goes along to it.

    `key` is that of the variable `key_name`, sent in `key_header`; `headers` are (name, value).
    `redaction` knows all keys, not only this one.
    """

    url: str
    key: SecretStr | None = None
    key_name: str = ""
    key_header: str = "Authorization"
    headers: tuple[tuple[str, str], ...] = ()
    redaction: Redaction = field(default_factory=Redaction)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    def options(self, official: str, key: str, key_header: str) -> dict[str, str | None]:
        """What of a spec's options leads here, in one spelling; None for what is so by itself."""
        named = self.key_name != (key if self.url == official else "")
        own_header = self.key_header.lower() != key_header.lower()
        return {
            "base_url": None if self.url == official else self.url,
            "api_key_env": self.key_name if named else None,
            "key_header": self.key_header if own_header else None,
            "headers": ";".join(f"{name}:{value}" for name, value in self.headers) or None,
        }

    def sent(self) -> dict[str, str]:
        """The headers of every request, the key among them."""
        headers = dict(self.headers)
        if self.key is not None:
            bearer = "Bearer " if self.key_header.lower() == "authorization" else ""
            headers[self.key_header] = bearer + self.key.get_secret_value()
        return headers

    def clean(self, said: object) -> str:
        """What a server or a library said, on one line of at most 300 characters, without keys."""
        text = re.sub(r"\bsk-[\w*-]{4,}", "[key]", self.redaction.text(str(said)))
        return " ".join(text.split())[:300]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a spec's options say of an address, each None where they say nothing.

    `headers` is `NAME:VALUE`, more of them joined by semicolons.
    """

    base_url: str | None = None
    api_key_env: str | None = None
    key_header: str | None = None
    headers: str | None = None


def find(
    wanted: Wanted, official: str, key: str, key_header: str, keys: Mapping[str, SecretStr] | None
) -> Address:
    """The address that is wanted: by default the `official` one, with the key of that variable.

    To any other base URL no key is sent unless one is named. Raises UsageError for what is no URL
    or no header, ConfigError for a key that is missing.
    """
    keys = {} if keys is None else keys
    url = _url(wanted.base_url or official)
    name = wanted.api_key_env or (key if url == official else "")
    header = wanted.key_header or key_header
    if not _NAME.fullmatch(header) or header.lower() in _OURS:
        raise UsageError(f"key_header={header!r} is no header that a key can stand in")
    return Address(
        url,
        _key(name, keys, url) if name else None,
        name,
        header,
        tuple(_headers(wanted.headers)) if wanted.headers else (),
        Redaction(keys.values()),
    )


def _url(given: str) -> str:
    """A base URL in one spelling. Raises UsageError for what is none, or may hold a key."""
    try:
        parts = urlsplit(given)
        host = parts.hostname or ""
        sound = parts.scheme in ("http", "https") and host.isascii() and parts.port != 0
        sound = sound and bool(host.encode("idna")) and given.isprintable() and " " not in given
    except ValueError:  # UnicodeError too: a label that is empty or too long
        sound = False
    if not sound or parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "base_url must be like http://HOST:PORT/v1 or https://HOST/v1, without a user, a query "
            "or a key: name a key's variable by api_key_env="
        )
    return parts._replace(netloc=parts.netloc.lower()).geturl().rstrip("/")


def _key(name: str, keys: Mapping[str, SecretStr], url: str) -> SecretStr:
    """Raises ConfigError for a key that is not set, or that none can be."""
    key = keys.get(name, SecretStr("")).get_secret_value().strip()
    if not key:
        if not name.endswith("_API_KEY"):
            raise ConfigError(f"{name} is no name for a key: keys are read from NAME_API_KEY only")
        raise ConfigError(f"{name} is not set: set it to a key for {url}")
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"{name} has characters that no key has: set it anew")
    return SecretStr(key)


def _headers(given: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for item in filter(str.strip, given.split(";")):
        name, colon, value = (part.strip() for part in item.partition(":"))
        if not colon or not _NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
            raise UsageError(f"headers: {item.strip()!r} is none: write NAME:VALUE;NAME:VALUE")
        if _SECRET.search(name):
            raise UsageError(
                f"headers: {name} may hold a secret, and specs are kept: name a key's variable by "
                f"api_key_env=, and its header by key_header={name}"
            )
        if name.lower() in _OURS or name.lower() in (known.lower() for known, _ in pairs):
            raise UsageError(f"headers: {name} is set already: leave it out")
        pairs.append((name, value))
    return pairs
