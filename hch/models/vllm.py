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
from typing import Annotated, Any

from pydantic import Field, SecretStr

from hch.errors import UsageError
from hch.models._address import Wanted, find
from hch.models._chat import Chat
from hch.models._http import HttpModel
from hch.models._lean import LeanTransport
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import canonical
from hch.types import Sampling

EXTRA = ""  # the server's is of that name; its client needs none

DEFAULT = "http://127.0.0.1:8000/v1"


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
    wanted = Wanted(base_url, api_key_env, None, headers)
    at = find(wanted, DEFAULT, "", "Authorization", keys)
    sampling: dict[str, Any] = {
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
        "logprobs": logprobs,
    }
    vllms = {"top_k": top_k, "min_p": min_p}
    held = {"choice": choice, "regex": regex, "grammar": grammar}
    tokens = {"return_tokens_as_token_ids": token_ids or None}
    extra = {**vllms, "reasoning_effort": effort, **tokens}
    wire = Chat(
        arg,
        Sampling(**sampling),
        least=0,
        extra={name: value for name, value in extra.items() if value is not None},
        untyped=_constraint(**held),
    )
    there = at.options(DEFAULT, "", "Authorization")
    options = {
        "base_url": there["base_url"],
        **sampling,
        **vllms,
        "token_ids": "true" if token_ids else None,
        "effort": effort,
        **held,
        **there,
    }
    transport = LeanTransport(at, f"{at.url}/chat/completions")
    return HttpModel(canonical("vllm", arg, options), at, wire, transport, rate)


def _constraint(
    choice: str | None, regex: str | None, grammar: str | None
) -> dict[str, dict[str, Any]]:
    """What a reply without a form is held to, as vLLM wants it said."""
    said: dict[str, Any] = {}
    if choice is not None:
        said["choice"] = list(dict.fromkeys(filter(None, choice.split("|"))))
        if not said["choice"]:
            raise UsageError(f"choice={choice!r} has nothing to choose: write choice=yes|no")
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
