"""A small byte-level tokenizer, made in a moment, for tests of what counts and names tokens."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END = "<|end|>"
TEXTS = ["the sky is blue", "the answer is four", "what is the answer", "is it blue, or is it four"]


def tokenizer_file(folder: Path) -> Path:
    """Writes `tokenizer.json` into the folder: single bytes, some words, and END, which is 0."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=290, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(TEXTS, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(made.to_str()), indent=2), "utf-8")
    return path
