"""Rows of a real small model, in every format, each held against the tree that it is from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.small_rows import checked, grown

WEIGHTS = os.environ.get("HCH_TEST_GGUF", "")
ROOTS = int(os.environ.get("HCH_TEST_ROOTS", "20"))

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not WEIGHTS, reason="HCH_TEST_GGUF names no file"),
]


def test_rows_of_a_real_model_say_what_it_said(tmp_path):
    store = tmp_path / "hch.db"
    assert len(grown(Path(WEIGHTS), store, ROOTS)) == 2
    found = checked(store, tmp_path, None)
    assert {"prompt-completion", "conversational", "alpaca", "prompt-only"} <= found.keys()
    assert {row.kind for row in found["prompt-completion"]} <= {"answer", "decision"}
