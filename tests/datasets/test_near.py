"""Texts that are nearly the same, against brute force: `hch.datasets.near`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from random import Random

import pytest

from hch.datasets.near import joined, missed
from hch.datasets.normal import normal
from hch.errors import UsageError
from tests.payloads import PAYLOADS

THRESHOLD = 0.8
HOSTILE = [payload.text for payload in PAYLOADS]


def grams(text: str) -> frozenset[str]:
    form = normal(text)
    return frozenset(form[i : i + 5] for i in range(max(1, len(form) - 4)))


def similarity(left: frozenset[str], right: frozenset[str]) -> float:
    """Jaccard's, by its definition."""
    return len(left & right) / len(left | right)


def by_force(texts: Sequence[str], threshold: float) -> list[int]:
    """The index of the first of each text's group, by comparing all pairs."""
    group, sets = [*range(len(texts))], [*map(grams, texts)]
    for i, j in combinations(range(len(texts)), 2):
        if group[i] != group[j] and similarity(sets[i], sets[j]) >= threshold:
            low, high = sorted((group[i], group[j]))
            group = [low if of == high else of for of in group]
    return group


def edited(text: str, chance: Random) -> str:
    at = chance.randrange(len(text))
    return f"{text[:at]}{chance.choice('xyz')}{text[at + 1 :]}"


def swapped(text: str, chance: Random) -> str:
    words = text.split()
    at = chance.randrange(len(words) - 1)
    words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)


def longer(text: str, chance: Random) -> str:
    words = text.split()
    words.insert(chance.randrange(len(words)), chance.choice(["please", "now", "indeed"]))
    return " ".join(words)


def spelt(text: str, chance: Random) -> str:
    return text.upper().replace(" ", chance.choice(["  ", "\n", "\u00a0"]))


WAYS: tuple[Callable[[str, Random], str], ...] = (edited, swapped, longer, spelt)


def roots(count: int, seed: int) -> list[str]:
    """Questions, half of them paraphrases of another, some of a paraphrase, in any order."""
    chance = Random(seed)
    words = [
        "".join(chance.choices("abcdeghilmnoprstu", k=chance.randrange(2, 9))) for _ in range(400)
    ]
    found = [f"What is the {' '.join(chance.choices(words, k=9))}?" for _ in range(count // 2)]
    while len(found) < count:
        found.append(chance.choice(WAYS)(chance.choice(found), chance))
    chance.shuffle(found)
    return found


@pytest.mark.parametrize(("count", "threshold"), [(1000, THRESHOLD), (300, 0.5), (300, 0.95)])
def test_groups_are_those_of_brute_force(count: int, threshold: float) -> None:
    texts = roots(count, 1)
    groups = joined(texts, threshold)
    assert groups == by_force(texts, threshold)
    assert 0.4 * count < len(set(groups)) < count


def test_short_questions_of_one_form() -> None:
    texts = [f"What is {i} + {j}?" for i in range(8, 24) for j in range(8, 24)]
    for threshold in (0.4, 0.6, THRESHOLD):
        assert joined(texts, threshold) == by_force(texts, threshold)


def test_a_chain_is_one_group() -> None:
    """Its ends have nothing in common, but each is near the next."""
    letters = "".join(Random(5).choices("abcdefghijklmnopqrstuvwxyz", k=200))
    texts = [letters[i : i + 50] for i in range(150)]
    assert similarity(grams(texts[0]), grams(texts[-1])) == 0
    assert joined(texts, 0.9) == [0] * len(texts)


def test_a_clique_is_one_group() -> None:
    texts = [
        f"In words that all of these have in common, what is that of {i}?" for i in range(3000)
    ]
    assert set(joined(texts)) == {0}


def test_equal_forms_are_one_group_and_short_texts_one_shingle() -> None:
    texts = ["abc", " ABC\n", "abd", "", "\t", "abcd", "ａｂｃ"]
    assert joined(texts) == [0, 0, 2, 3, 3, 5, 0]


def test_the_order_of_texts_makes_no_difference() -> None:
    texts = roots(300, 2)
    shuffled = [*range(len(texts))]
    Random(3).shuffle(shuffled)
    groups, others = joined(texts), joined([texts[i] for i in shuffled])
    one = {frozenset(i for i in range(300) if groups[i] == of) for of in groups}
    two = {frozenset(shuffled[i] for i in range(300) if others[i] == of) for of in others}
    assert one == two
    assert joined(texts) == groups


def test_pairs_at_the_threshold_are_found() -> None:
    """Of 1,000 planted pairs of just that similarity or little more, none is missed."""
    chance, pairs = Random(4), list[tuple[str, str]]()
    while len(pairs) < 1000:
        one = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz ", k=49))
        two = one + "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=11))
        if THRESHOLD <= similarity(grams(one), grams(two)) < THRESHOLD + 0.02:
            pairs.append((one, two))
    texts = [text for pair in pairs for text in pair]
    assert joined(texts) == [i - i % 2 for i in range(len(texts))]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 0.99, 1.0])
def test_what_may_be_missed_is_one_in_a_million(threshold: float) -> None:
    assert missed(threshold, threshold) <= 1e-6
    assert missed(threshold, 1.0) == 0


def test_hostile_texts_are_groups_of_their_own() -> None:
    texts = [*HOSTILE, "\ud800" * 50, "ab" * 1_000_000]
    groups = joined(texts, 1.0)
    assert all(normal(texts[i]) == normal(texts[of]) or i >= of for i, of in enumerate(groups))
    assert groups[-1] == len(texts) - 1


@pytest.mark.parametrize("threshold", [0, -1, 1.01, float("nan")])
def test_a_threshold_is_a_share(threshold: float) -> None:
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        joined(["a"], threshold)
    assert joined([]) == []
