"""What there is to say below the tables of an evaluation: errors, votes, checks, correlation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from hch.commands._evaluations import percent
from hch.evals.checking import Checks
from hch.evals.evaluation import Row
from hch.evals.share import Share
from hch.evals.trees import Step
from hch.evals.voting import Together, Voting
from hch.judging import Said
from hch.safe_text import one_line
from hch.words import count, dollars, listed, tokens

STEPS: dict[Step, str] = {
    "alone": "on its own",
    "sub-question": "after a sub-question without a good answer",
    "reply": "in the reply to right answers",
    "vote": "in a vote that a right try lost",
    "check": "in a check that was wrong",
}
"""Where an error enters, in words."""

REASON = 100
"""Characters of the reason for which there is no answer."""

SAID: dict[Said, str] = {
    "accept": "accepted",
    "reject": "rejected",
    "unsure": "was not sure of",
}
"""What a check did, in words."""


def notes(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Each with the row that it is about."""
    for row in rows:
        said = (
            *_ungraded(row),
            *_unanswered(row),
            *_errors(row),
            *_votes(row.votes),
            *_checks(row.checks),
            *_together(row),
        )
        yield from ((f"row {row.number}", line) for line in said)


def _ungraded(row: Row) -> Iterator[str]:
    if row.ungraded:
        of = count(row.ungraded, "answer")
        yield f"of {of} nobody can tell whether they are right: they count as wrong"


def _unanswered(row: Row) -> Iterator[str]:
    """Why, where no question got an answer."""
    if row.answered or not row.answers:
        return
    [(reason, times)] = Counter(given.reason for given in row.answers).most_common(1)
    said = one_line(reason, REASON) or "none is told"
    of = f"{times:,} of {count(len(row.answers), 'time')}"
    yield f"no question has an answer; the commonest reason, {of}: {said}"


def _errors(row: Row) -> Iterator[str]:
    """Where the errors of its trees enter; of H alone there is nothing to say."""
    if row.what != "tree":
        return
    found = sorted(row.entered.items(), key=lambda each: (-each[1], each[0]))
    places = listed(f"{n:,} at level {level} {STEPS[step]}" for (level, step), n in found)
    if places:
        yield f"errors enter: {places}"
    lucky = row.wrong_reasons
    if lucky.of:
        of = count(lucky.of, "right answer")
        yield f"right with a wrong part below: {percent(lucky)} of {of}"


def _votes(votes: Voting) -> Iterator[str]:
    if not votes.nodes:
        return
    made = f"{count(votes.nodes, 'vote')} of {votes.tries:,} tries, of at most {votes.declared:,}"
    spared = listed(
        (
            count(round(votes.spared.calls), "call") if votes.spared.calls else "",
            tokens(votes.spared.tokens) if votes.spared.tokens else "",
            dollars(votes.spared.microusd) if votes.spared.microusd else "",
        )
    )
    saved = f"{count(votes.saved, 'try', 'tries')} saved{spared and f' ({spared})'}"
    ties = f"{count(votes.ties, 'tie')}" if votes.ties else ""
    lost = f"{count(votes.discarded, 'try', 'tries')} without a vote" if votes.discarded else ""
    yield listed((made, saved, ties, lost))


def _checks(checks: Checks) -> Iterator[str]:
    if not checks.nodes:
        return
    said = checks.said
    for word, name in SAID.items():
        right, wrong, unknown = (said.get((word, is_right), 0) for is_right in (True, False, None))
        if right or wrong or unknown:
            more = f" and {unknown:,} of which nobody can tell" if unknown else ""
            yield f"the check {name} {right:,} right answers, {wrong:,} wrong ones{more}"
    if checks.changed_nothing:
        yield "the check rejected nothing: it changed no answer"
        return
    bayes = "" if checks.predicted is None else f"; by Bayes' rule {100 * checks.predicted:.1f}%"
    none = f"; {checks.unanswered:,} with no answer left" if checks.unanswered else ""
    yield (
        f"right before the check {_of(checks.before)}, of what stands after it {_of(checks.after)}"
        f"{bayes}{none}"
    )


def _of(share: Share) -> str:
    return f"{percent(share) or 'none'} of {share.of}"


def _together(row: Row) -> Iterator[str]:
    """How far errors go together, and what a vote can give at best under it."""
    for level in sorted(row.together, reverse=True):
        yield from _at_level(row.together[level])


def _at_level(found: Together) -> Iterator[str]:
    together, asked = found.correlation, found.by_question
    if together is None:
        if asked.sometimes:
            yield f"too few tries at level {found.level} to tell how far errors go together"
        return
    low, high = together.low, together.high
    none = found.unanswered
    blank = f", {percent(none)} for want of an answer" if none.some else ""
    yield (
        f"a try at level {found.level} errs in {100 * together.error:.1f}%{blank}, and errors of "
        f"equal tries go together with a correlation of {together.pairwise:.2f} ({low:.2f} to "
        f"{high:.2f}): of {count(asked.of, 'question')} {asked.never} were never right, "
        f"{asked.sometimes} at times, {asked.always} always"
    )
    best = found.ceiling
    chosen = f"whoever chose best among these tries, {100 * best.choice:.1f}%" if best else ""
    if found.k is None:
        yield from filter(None, [chosen])
        return
    middle, least, most = (f"{100 * (1 - x):.1f}%" for x in together.voted(found.k))
    ceiling = f"; {chosen}" if chosen else ""
    yield (
        f"under that a vote of {found.k} gets {middle} right ({most} to {least}) where wrong "
        f"answers coincide, more where they differ{ceiling}"
    )
