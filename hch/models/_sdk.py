"""Sending by a provider's own SDK, over aiohttp.

The SDK authenticates, sends and knows its errors. Its retries are off, and its parsing is left out,
since that costs more than all the rest: a reply is taken raw.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hch.errors import ConfigError, HchError
from hch.models._address import Address
from hch.models._connections import LARGEST, UNUSABLE, broken, proxied, too_large
from hch.models._http import PerLoop, Response

if TYPE_CHECKING:
    import httpx2


_KEYS = ("Authorization", "X-Api-Key")
"""Headers that an SDK puts its own key into."""


class SdkTransport:
    """Posts to `url` by clients of `sdk`; a `hch.models._http.Transport`.

    `connect` makes a client from the options that all SDKs of this make share; of keys it sends
    that of the address or none. The deadline of an attempt is not its business.
    """

    def __init__(
        self,
        at: Address,
        url: str,
        sdk: ModuleType,
        connect: Callable[..., Any],
    ) -> None:
        self._at = at
        proxied(url)  # raises for one that no SDK can use, which they say in a traceback
        self._url = url  # absolute: cheaper for the SDK
        self._sdk = sdk
        self._connect = connect
        sent = {name.lower() for name in at.sent()}
        omitted = {name: sdk.Omit() for name in _KEYS if name.lower() not in sent}
        self._options = {"follow_redirects": False, "headers": omitted}
        known = logging.root.manager.loggerDict
        self._logs = [
            logging.getLogger(name)
            for name in known
            if name.split(".")[0] in (sdk.__name__, "httpx2")
        ]
        self._clients = PerLoop(self._client, _closed)

    async def post(self, sent: bytes) -> Response:
        import aiohttp
        import httpx2

        client = await self._clients.get()
        failure: HchError | None = None
        try:
            response = await client.post(
                self._url,
                cast_to=httpx2.Response,
                content=sent,
                options=self._options,
            )
        except self._sdk.APIStatusError as error:
            response = error.response
        except (
            self._sdk.APIError,
            httpx2.HTTPError,
            httpx2.InvalidURL,
            aiohttp.ClientError,
            OSError,
        ) as error:
            failure = broken(self._at, error)
        if failure is not None:
            raise failure  # out here: an SDK's error holds the request, and with it the key
        return Response(response.status_code, response.headers, response.content)

    async def close(self) -> None:
        await self._clients.close()
        if not self._clients:
            for log in self._logs:
                log.removeFilter(self._without_keys)

    def _without_keys(self, record: logging.LogRecord) -> bool:
        """Keeps keys out of a line of the SDK's log, which may have a whole reply in it."""
        record.msg, record.args = self._at.redaction.text(record.getMessage()), ()
        record.exc_info = record.exc_text = None  # a traceback has what came, in pieces
        return True

    def _client(self) -> Any:
        import httpx2

        for log in self._logs:
            log.addFilter(self._without_keys)
        try:
            http_client = self._sdk.DefaultAioHttpClient(
                limits=httpx2.Limits(max_connections=100_000),
                event_hooks={"response": [self._read]},
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            )
        except (httpx2.InvalidURL, ValueError):  # of any proxy, whether it is for this URL or not
            raise ConfigError(UNUSABLE) from None
        return self._connect(
            base_url=self._at.url,
            max_retries=0,
            timeout=httpx2.Timeout(None, connect=10.0),
            default_headers=self._at.sent(),
            http_client=http_client,
        )

    async def _read(self, response: httpx2.Response) -> None:
        """Read a reply here, since an SDK reads without end.

        It is taken for UTF-8, whatever charset a server claims: an SDK fails on some that are no
        text encodings.
        """
        response.encoding = "utf-8"
        pieces, size = [], 0
        async for piece in response.aiter_bytes():
            size += len(piece)
            if size > LARGEST:
                raise too_large(self._at)
            pieces.append(piece)
        response._content = b"".join(pieces)  # noqa: SLF001 - as its own `aread` does


async def _closed(client: Any) -> None:
    await client.close()
