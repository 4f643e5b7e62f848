"""Sending by aiohttp and nothing else: what a call costs beside the network is next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hch import __version__
from hch.models._address import Address
from hch.models._connections import LARGEST, broken, proxied, too_large
from hch.models._http import PerLoop, Response

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

_IDLE = 4.0
"""Seconds for which an unused connection is kept: a second less than vLLM keeps its end."""


class LeanTransport:
    """Posts to `url`; a `hch.models._http.Transport`.

    How long a reply may take is up to whoever asks for it.
    """

    def __init__(self, at: Address, url: str) -> None:
        self._at = at
        self._url = url
        self._proxy, self._proxy_headers = proxied(url)
        self._sessions = PerLoop(self._session, _closed)

    async def post(self, sent: bytes) -> Response:
        import aiohttp

        session = await self._sessions.get()
        try:
            async with session.post(
                self._url,
                data=sent,
                allow_redirects=False,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
            ) as response:
                return Response(response.status, response.headers, await self._body(response))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = broken(self._at, error)
        raise failure  # out here: aiohttp's error holds the request, and with it the key

    async def _body(self, response: ClientResponse) -> bytes:
        pieces, size = [], 0
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > LARGEST:
                raise too_large(self._at)
            pieces.append(piece)
        return b"".join(pieces)

    async def close(self) -> None:
        await self._sessions.close()

    def _session(self) -> ClientSession:
        import aiohttp

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "Content-Type": "application/json",
                "User-Agent": f"hch/{__version__}",
                **self._at.sent(),
                **({} if self._url.startswith("https:") else self._proxy_headers),
            },
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0),
        )


async def _closed(session: ClientSession) -> None:
    await session.close()
