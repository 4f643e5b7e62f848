"""How conservative `hch.budget.token_bound` is, beside the tokenizer of a small real model.

    python -m benchmarks.budget --tokens    # wants xllamacpp, and the model of `make integration`

The first rows are whole requests, with what a chat template and the form of a reply add to them;
the others are texts alone. A ratio below 1 is a text that the bound underestimates.
"""

from __future__ import annotations

import asyncio
import json
import string
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.tables import ROOT, table
from hch.bounds import call_bound
from hch.compose import HCH
from hch.config import Config
from hch.models.scripted import ScriptedModel
from hch.rates import token_bound
from hch.stores.memory import MemoryStore
from hch.types import Request

GGUF = ROOT / ".cache" / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"

_RAW = b"".join(sha256(bytes([i])).digest() for i in range(16))
_RANDOM = Random(1)


def _drawn(letters: str, n: int = 400) -> str:
    return "".join(_RANDOM.choice(letters) for _ in range(n))


TEXTS = {
    "English": "All human beings are born free and equal in dignity and rights. They are endowed "
    "with reason and conscience and should act towards one another in a spirit of brotherhood.",
    "German": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit "
    "Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    "Welsh": "Genir pawb yn rhydd ac yn gydradd â'i gilydd mewn urddas a hawliau. Fe'u "
    "cynysgaeddir â rheswm a chydwybod, a dylai pawb ymddwyn y naill at y llall mewn "
    "ysbryd cymodlon.",
    "Vietnamese": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi. "
    "Mọi con người đều được tạo hóa ban cho lý trí và lương tâm.",
    "Russian": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены "
    "разумом и совестью и должны поступать в отношении друг друга в духе братства.",
    "Chinese": "人人生而自由,在尊严和权利上一律平等。"
    "他们赋有理性和良心,并应以兄弟关系的精神相对待。",
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "emoji": "😀🎉👨‍👩‍👧‍👦🏳️‍🌈🤷🏽‍♀️" * 3,
    "Python": "def share(left: Price, keep: Price, m: int, *, last: bool) -> Price:\n"
    "    spare = left - keep\n"
    "    return spare.map(lambda n: three_bits(n // m if last else n * 3 // (4 * m)))\n",
    "JSON": '{"questions":[{"question":"How many are there in all?","texts":[1,2]}],"last":true}',
    "LaTeX": r"\int_{0}^{\infty} e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}, \quad \forall \epsilon > 0",
    "formulas": "C6H12O6 + 6 O2 -> 6 CO2 + 6 H2O; NaCl; H2SO4; KMnO4; CuSO4.5H2O",
    "capitals": "ALL HUMAN BEINGS ARE BORN FREE AND EQUAL IN DIGNITY AND RIGHTS.",
    "digits": str(2**1500),
    "hexadecimal": _RAW.hex(),
    "base64": b64encode(_RAW).decode(),
    "random small letters": _drawn(string.ascii_lowercase),
    "random letters": _drawn(string.ascii_letters),
    "a protein": _drawn("ACDEFGHIKLMNPQRSTVWY"),
    "stacked accents": "".join(chr(0x300 + i % 0x60) + "abc"[i % 3] for i in range(100)),
}


class Tokenizer:
    """A GGUF file's own tokenizer and chat template, by llama.cpp."""

    def __init__(self, gguf: Path) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(gguf)
        params.warmup, params.n_ctx, params.n_parallel, params.verbosity = False, 512, 1, -1
        self._server = xllamacpp.Server(params)

    def count(self, text: str, *, special: bool = False) -> int:
        wanted = {"content": text, "add_special": special, "parse_special": special}
        return len(self._post("/tokenize", wanted)["tokens"])

    def request(self, request: Request) -> int:
        """The tokens of a request's prompt, its chat template included."""
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        prompt = self._post("/apply-template", {"messages": messages})["prompt"]
        return self.count(prompt, special=True)

    def _post(self, path: str, data: dict[str, Any]) -> Any:
        url = f"{self._server.listening_address}{path}"
        body = json.dumps(data).encode()
        sent = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(sent, timeout=30) as response:
            return json.load(response)


def requests() -> dict[str, Request]:
    """The first request by each prompt of `factored` and `consult`, with a text sent along."""
    from benchmarks.budget import STRATEGIES, says

    found: dict[str, Request] = {}
    for strategy in STRATEGIES:
        model = ScriptedModel(says)
        store, config = MemoryStore(), Config(store="memory")
        asked = HCH(depth=2, model=model, strategy=strategy, store=store, config=config)
        trace = asyncio.run(asked.ask("Are all born equal?", context=[TEXTS["English"]])).trace
        sent = {request.call: request for request in model.requests}
        for node in trace.nodes():
            for thought, _ in node.thoughts:
                found.setdefault(thought.prompt, sent[thought.request])
    return found


def counted(tokenizer: Tokenizer) -> Iterator[tuple[str, int, int, int]]:
    """What it is, its characters, the bound on its tokens, and the tokens."""
    free = ScriptedModel({})
    for name, request in sorted(requests().items()):
        bound = int(call_bound(request, free).tokens) - (request.sampling.max_tokens or 0)
        length = sum(len(message.content) for message in request.messages)
        yield f"prompt `{name}`", length, bound, tokenizer.request(request)
    for name, text in TEXTS.items():
        yield name, len(text), token_bound(text), tokenizer.count(text)


def measured(gguf: Path) -> str:
    """The table of ratios, and the smallest and the largest. Raises SystemExit without a model."""
    try:
        tokenizer = Tokenizer(gguf)
    except ModuleNotFoundError:
        raise SystemExit("xllamacpp is not installed: pip install 'hch[gguf]'") from None
    rows = list(counted(tokenizer))
    ratios = [bound / true for _, _, bound, true in rows]
    under = [name for (name, *_), ratio in zip(rows, ratios, strict=True) if ratio < 1]
    shown = table(
        ("text", "characters", "bound", "tokens", "bound / tokens"),
        [
            [name, f"{length:,}", f"{bound:,}", f"{true:,}", f"{ratio:.2f}"]
            for (name, length, bound, true), ratio in zip(rows, ratios, strict=True)
        ],
    )
    below = f"below the true count: {', '.join(under)}" if under else "never below the true count"
    return (
        f"{shown}\n\nBy the tokenizer and chat template of {gguf.stem}: from {min(ratios):.2f} to "
        f"{max(ratios):.2f}; {below}."
    )
