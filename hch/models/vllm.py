"""`vllm:NAME[,base_url=URL]`: a model or an adapter that a vLLM server serves, by a lean client.

The server is at http://127.0.0.1:8000/v1 unless `base_url` says otherwise. It gets no key unless
`api_key_env=NAME` says which, and `headers=NAME:VALUE;…` sends more. Forms are enforced by the
server; a reply without a form is held to one of `choice=yes|no`, to a `regex`, or to the `grammar`
in a file. `temperature`, `top_p`, `top_k`, `min_p`, `seed`, `logprobs` (how many alternatives to
record) and `effort`, for models that reason, hold where a request does not say; `token_ids=true`
records tokens by number.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SecretStr

from hch import __version__
from hch.environment import proxy
from hch.errors import UsageError
from hch.models._address import Address, Wanted, find
from hch.models._chat import Chat
from hch.models._faults import broken
from hch.models._http import HttpModel, PerLoop, Response
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import canonical
from hch.types import Sampling

if TYPE_CHECKING:
    from aiohttp import ClientSession

EXTRA = ""  # the server's is of that name; its client needs none

DEFAULT = "http://127.0.0.1:8000/v1"

_IDLE = 4.0
"""Seconds for which an unused connection is kept: a second less than vLLM keeps its end."""


class LeanTransport:
    """Posts to `url` by aiohttp and nothing else; a `hch.models._http.Transport`.

    How long a reply may take is up to whoever asks for it.
    """

    def __init__(self, at: Address, url: str) -> None:
        self._at = at
        self._url = url
        self._proxy = proxy(url)
        self._sessions = PerLoop(self._session, _closed)

    async def post(self, sent: bytes) -> Response:
        import aiohttp

        session = await self._sessions.get()
        try:
            async with session.post(
                self._url, data=sent, allow_redirects=False, proxy=self._proxy
            ) as response:
                return Response(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = broken(self._at, error)
        raise failure  # out here: aiohttp's error holds the request, and with it the key

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
            },
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0),
        )


async def _closed(session: ClientSession) -> None:
    await session.close()


def build(  # noqa: PLR0913 - a plugin's parameters are its options
    arg: str,
    *,
    base_url: str | None = None,
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None,
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None,
    top_k: Annotated[int, Field(ge=1)] | None = None,
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None,
    seed: int | None = None,
    logprobs: Annotated[int, Field(ge=0)] | None = None,
    token_ids: bool = False,
    effort: str | None = None,
    choice: str | None = None,
    regex: str | None = None,
    grammar: str | None = None,
    api_key_env: str | None = None,
    headers: str | None = None,
    keys: Mapping[str, SecretStr] | None = None,
    rate: Rate | None = None,
) -> Model:
    """The model or adapter NAME at a vLLM server.

    `keys` are the environment's, by variable. `rate` is its price; without a key it is free. Raises
    UsageError for an option out of range or a file that cannot be read, ConfigError where a key is
    missing.
    """
    import aiohttp  # noqa: F401 - so that it is missed here and now

    if not arg:
        raise UsageError("model 'vllm' wants a name: write vllm:NAME, as the server calls it")
    at = find(
        Wanted(base_url, api_key_env, None, headers),
        DEFAULT,
        "",
        "Authorization",
        {} if keys is None else keys,
    )
    extra = {
        "top_k": top_k,
        "min_p": min_p,
        "reasoning_effort": effort,
        "return_tokens_as_token_ids": token_ids or None,
    }
    wire = Chat(
        arg,
        Sampling(temperature=temperature, top_p=top_p, seed=seed, logprobs=logprobs),
        least=0,
        extra={name: value for name, value in extra.items() if value is not None},
        untyped=_constraint(choice, regex, grammar),
    )
    options = {
        "base_url": None if at.url == DEFAULT else at.url,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "min_p": min_p,
        "seed": seed,
        "logprobs": logprobs,
        "token_ids": "true" if token_ids else None,
        "effort": effort,
        "choice": choice,
        "regex": regex,
        "grammar": grammar,
        "api_key_env": api_key_env,
        "headers": headers,
    }
    transport = LeanTransport(at, f"{at.url}/chat/completions")
    return HttpModel(canonical("vllm", arg, options), at, wire, transport, rate)


def _constraint(
    choice: str | None, regex: str | None, grammar: str | None
) -> dict[str, dict[str, Any]]:
    """What a reply without a form is held to, as vLLM wants it said."""
    said: dict[str, Any] = {}
    if choice is not None:
        said["choice"] = [one for one in choice.split("|") if one]
    if regex is not None:
        said["regex"] = regex
    if grammar is not None:
        said["grammar"] = _text(grammar)
    if len(said) > 1:
        raise UsageError(f"a reply can be held to one of {', '.join(said)}, not to {len(said)}")
    return {"structured_outputs": said} if said else {}


def _text(path: str) -> str:
    try:
        return Path(path).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise UsageError(f"cannot read the grammar in {path}: {reason}") from error
