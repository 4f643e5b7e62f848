"""A named tokenizer: what counts the tokens of texts, and says which number a token has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from hch.errors import ConfigError, UsageError
from hch.safe_text import one_line

_FILE = "tokenizer.json"
_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_TOGETHER = 1000
"""The texts that are counted at once."""


class Tokenizer:
    """A `tokenizer.json`, as the `tokenizers` package reads it.

    `name` is its base name or its name on the hub, `hash` the sha256 of its canonical JSON: keys
    sorted, nothing between the parts.
    """

    def __init__(self, name: str, text: str) -> None:
        """Of the text of a `tokenizer.json`. Raises UsageError where it is none."""
        try:
            from tokenizers import Tokenizer as Read
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"the tokenizer {one_line(name, 80)!r} is no JSON") from error
        canonical = json.dumps(data, sort_keys=True, separators=(",", ":"))
        self.name = name
        self.hash = sha256(canonical.encode()).hexdigest()
        try:
            self._read: Any = Read.from_str(text)
        except Exception as error:  # it raises nothing more exact
            why = one_line(str(error), 160)
            raise UsageError(f"{one_line(name, 80)!r} is no tokenizer: {why}") from error
        self._read.no_truncation()
        self._read.no_padding()

    @classmethod
    def named(cls, name: str) -> Tokenizer:
        """A path of a `tokenizer.json`, a folder that has one, or a name on the Hugging Face hub.

        Raises UsageError for one that is not there or cannot be had, ConfigError where the
        `tokenizers` package is not installed.
        """
        path = Path(name).expanduser()
        if name and path.is_dir():
            return cls(path.resolve().name, _text(path / _FILE))
        if path.is_file():
            return cls(path.name, _text(path))
        if not _HUB.fullmatch(name) or path.suffix == ".json" or name.startswith("."):
            raise UsageError(
                f"there is no tokenizer {one_line(name, 160)!r}: name a {_FILE}, a folder that has "
                "one, or a model on the Hugging Face hub, such as Qwen/Qwen3-8B"
            )
        return cls(name, _text(_fetched(name)))

    def count(self, texts: Iterable[str]) -> int:
        """The tokens of these texts together, without any that begin or end a text."""
        found, several = 0, list[str]()
        for text in texts:
            several.append(text)
            if len(several) == _TOGETHER:
                found, several = found + self._count(several), []
        return found + self._count(several)

    def numbers(self, token: str) -> tuple[int, ...]:
        """The ids of which each alone is decoded to that text, in ascending order."""
        return self._ids.get(token, ())

    def text(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens left out; an id that is unknown stands for none."""
        found: str = self._read.decode(list(ids), skip_special_tokens=True)
        return found

    def has(self, number: int) -> bool:
        """Whether there is a token of that number."""
        return self._read.id_to_token(number) is not None

    def _count(self, texts: list[str]) -> int:
        read = self._read.encode_batch([_whole(text) for text in texts], add_special_tokens=False)
        return sum(map(len, read))

    @cached_property
    def _ids(self) -> dict[str, tuple[int, ...]]:
        ids = sorted(self._read.get_vocab(with_added_tokens=True).values())
        texts = self._read.decode_batch([[number] for number in ids], skip_special_tokens=False)
        found: dict[str, tuple[int, ...]] = {}
        for text, number in zip(texts, ids, strict=True):
            found[text] = (*found.get(text, ()), number)
        return found


def _whole(text: str) -> str:
    """The text with U+FFFD for lone surrogates, as it is sent to models."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"the tokenizer {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the tokenizer {path} is not UTF-8") from error


def _fetched(name: str) -> Path:
    """The file of a model on the hub, out of the hub's own cache where it is there."""
    try:
        from huggingface_hub import hf_hub_download
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    try:
        return Path(hf_hub_download(name, _FILE))
    except (OSError, ValueError) as error:  # what the hub raises is one of these
        raise UsageError(
            f"the tokenizer {name!r} is no file here and cannot be had from the Hugging Face hub: "
            f"name a {_FILE}, or a folder that has one ({one_line(str(error), 160)})"
        ) from error


def _missing(error: ModuleNotFoundError) -> ConfigError:
    return ConfigError(
        f"a tokenizer needs {error.name!r}, which is not installed: pip install 'hch[data]'"
    )
