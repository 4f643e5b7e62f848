"""What a command says of a run that ended: the answer on stdout, how it went on stderr."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from hch.browse.figures import of_ballot
from hch.columns import Totals
from hch.commands._budgets import to_begin_anew
from hch.commands._running import Finished
from hch.commands._terminal import say, say_json, say_raw, tell
from hch.errors import HchError
from hch.events import CallIntended, RunStarted
from hch.recording import given_up
from hch.run import Result, Run
from hch.trace import UNCLEAN, Node, Trace
from hch.wire import Amounts
from hch.words import cost, count, listed, seconds, tokens


def report(finished: Finished, *, as_json: bool, quiet: bool) -> int:
    """Print a run's one answer, then the closing line; the exit code.

    Where a call was given up, how to try it again is said too.
    """
    [result] = finished.results
    _say(result, finished, as_json=as_json)
    if result.status != "answered":
        tell(f"no answer ({result.status}): {result.reason}{_enlarged(result)}")
    if not quiet:
        tell(_closing(result, finished))
    if (result.status != "answered" or not quiet) and (again := _again(result, finished)):
        tell(again)
    if result.status == "answered":
        return 0 if result.clean else 4
    return 3 if result.status == "truncated" else 1


def report_all(finished: Finished, *, as_json: bool, quiet: bool) -> int:
    """Print the answers of a run of several roots, a line of JSON each; the exit code."""
    results = finished.results
    answers = [_line(result) for result in results]
    if as_json:
        say_json(answers)
    else:
        say("\n".join(map(json.dumps, answers)))
    statuses = Counter(result.status for result in results)
    trace = results[0].trace
    if not quiet:
        said = listed(f"{n:,} {status}" for status, n in statuses.most_common())
        why = blemishes(trace)
        figures = listed((totals(trace), seconds(finished.seconds), _saved(trace)))
        clean = f"not clean ({why}): " if why else ""
        tell("; ".join(filter(None, (f"{said}: {clean}{figures}", uncertain(trace)))))
    if statuses["answered"] == len(results):
        return 0 if trace.clean else 4
    return 3 if statuses["truncated"] else 1


def _line(result: Result) -> dict[str, Any]:
    """One of several answers."""
    root = result.trace.planted[result.index]
    return {
        "root": result.index,
        "question": root.opened.question.body,
        "status": result.status,
        "answer": result.text,
        "reason": result.reason,
        "clean": root.clean,
        **of_ballot(result.answer.ballot),
    }


def _say(result: Result, finished: Finished, *, as_json: bool) -> None:
    """The answer on stdout. Raises HchError, with how to have it again, where it cannot be said."""
    again = ("resume", result.run, "--json") if as_json else ("resume", result.run)
    command = finished.place.command(*again)
    kept = f"the answer is kept: {command}" if command else ""
    try:
        if as_json:
            say_json(as_object(result))
        elif result.text is not None:
            say_raw(result.text)
    except HchError as error:
        raise HchError("; ".join(filter(None, (str(error), kept)))) from error
    except KeyboardInterrupt:
        if kept:
            tell(kept)
        raise


def as_object(result: Result) -> dict[str, Any]:
    """One root's result as JSON-like data; infinite amounts are None."""
    trace = result.trace
    root = trace.roots[result.index]
    return {
        "run": result.run,
        "task": trace.started.setup.get("task"),
        "instance": root.opened.instance,
        "status": result.status,
        "answer": result.text,
        "reason": result.reason,
        "notes": list(result.notes),
        **of_ballot(result.answer.ballot),
        "clean": result.clean,
        "nodes": sum(1 for _ in trace.nodes()),
        "calls": len(trace.calls),
        "unknown": unknown(trace),
        "usage": {
            str(level): {"thinks": thinks, **asdict(usage)}
            for level, (thinks, usage) in trace.usage_by_level().items()
        },
        "grant": root.opened.grant.model_dump(),
        "spent": Amounts.of(root.spent).model_dump(),
        "cap": Amounts.of(trace.cap).model_dump(),
        "bill": Amounts.of(trace.bill).model_dump(),
    }


def blemishes(trace: Trace) -> str:
    """Why a tree is not clean, counted: `2 refused, 1 fallback`; empty where it is clean."""
    found: Counter[str] = Counter()
    for node in trace.nodes():
        if node.status != "answered":
            found[node.status or "open"] += 1
        found.update(flaw.partition(":")[0] for flaw in flaws(node))
        found["refused"] += sum(1 + ask.more for ask in node.asks if ask.refusal is not None)
        found.update("never begun" for ask in node.asks if not ask.node and ask.refusal is None)
    return counted(found)


def counted(found: Counter[str]) -> str:
    """What there is of each, the most first; empty where there is nothing."""
    return listed(f"{n} {what}" for what, n in found.most_common() if n)


def flaws(node: Node) -> list[str]:
    """Those of a node's notes that make its tree not clean."""
    notes = node.closed.notes if node.closed else ()
    return [note for note in notes if note.startswith(UNCLEAN)]


def unknown(trace: Trace) -> dict[str, Any]:
    """The attempts of which nothing is known, counted, and their requests."""
    requests = {call.request: len(call.unknown) for call in trace.calls.values() if call.unknown}
    return {"calls": sum(requests.values()), "requests": list(requests)}


def lost(run: Run) -> list[tuple[str, CallIntended]]:
    """The last attempts of a resumed run's calls with no end on record, and the id of who asked."""
    assert run.resumed is not None
    past = run.resumed.past
    calls = [
        (request, attempts[max(attempts)])
        for request, attempts in past.unknown.items()
        if past.replies.get(request) is None
    ]
    ids = _ids(run, {intent.node for _, intent in calls}) if calls else {}
    return [(ids.get(intent.node, "?"), intent) for _, intent in calls]


def _ids(run: Run, keys: set[str]) -> dict[str, str]:
    """The ids of the nodes of these keys."""
    tree = run.store.outline(run.id)
    rows = enumerate(json.loads(tree.keys)[: tree.n])
    return {key: tree.id(node) for node, key in rows if key in keys}


def uncertain(trace: Trace, *, running: bool = False) -> str:
    """`2 calls of unknown outcome, counted at their worst case`; empty where there is none."""
    return in_doubt(unknown(trace)["calls"], running=running)


def in_doubt(n: int, *, running: bool = False) -> str:
    """That so many calls have no end on record; empty for none."""
    what = "in flight" if running else "of unknown outcome"
    worst = f"counted at {'its' if n == 1 else 'their'} worst case"
    return f"{count(n, 'call')} {what}, {worst}" if n else ""


def totals(trace: Trace) -> str:
    """`7 nodes, 12 calls, 2 from the cache, 3.4k tok, $0.004`."""
    used = [call.usage for call in trace.calls.values()]
    took = Totals(
        requests=len(trace.calls),
        cached=sum(1 for call in trace.calls.values() if call.cached),
        tokens=sum(usage.input + usage.output for usage in used),
        microusd=trace.bill.microusd,
    )
    return sums(trace.started, sum(1 for _ in trace.nodes()), took)


def sums(started: RunStarted, nodes: int, took: Totals) -> str:
    """The same of a run of so many nodes."""
    priced = all(rate is not None for rate in started.rates.values())
    return listed(
        (
            count(nodes, "node"),
            count(took.requests, "call"),
            f"{took.cached} from the cache" if took.cached else "",
            tokens(took.tokens) if took.tokens else "",
            cost(took.billed, priced=priced) if took.requests else "",
        )
    )


def _saved(trace: Trace) -> str:
    """`1 try saved`: the tries that votes did not need any more; empty where they needed all."""
    nodes = [(node, 1) for node in trace.nodes() if node.closed and node.closed.ballot]
    if not nodes:
        return ""
    from hch.evals.voting import Voting

    saved = Voting.of(nodes).saved
    return f"{count(saved, 'try', 'tries')} saved" if saved else ""


def _again(result: Result, finished: Finished) -> str:
    """How calls that were given up are tried again; empty where none was, or none can be."""
    given = len(given_up(result.trace))
    command = finished.place.command("resume", result.run, "--retry-failed")
    if not given or result.clean or not command:
        return ""
    was, it = ("was", "it") if given == 1 else ("were", "them")
    return f"{count(given, 'call')} {was} given up; try {it} again with: {command}"


def _closing(result: Result, finished: Finished) -> str:
    why = blemishes(result.trace) if result.status == "answered" else ""
    status = f"{result.status}, not clean ({why})" if why else result.status
    figures = listed((totals(result.trace), seconds(finished.seconds), _saved(result.trace)))
    show = finished.place.command("show", result.run)
    return "; ".join(filter(None, (f"{status}: {figures}", uncertain(result.trace), show)))


def _enlarged(result: Result) -> str:
    """What a root that was cut wants, to be asked anew: its grant makes it the run it is."""
    trace = result.trace
    root = trace.roots[result.index]
    calls = [call for _, call in root.thoughts]
    done = calls[-1].finished if calls and calls[-1] else None
    if done and done.finish == "length":
        return "; start anew with longer answers: hch ask … --answer-tokens N"
    if result.status != "truncated":
        return ""
    larger = to_begin_anew(trace, root, result.reason)
    return larger and f"; start anew with a larger budget: hch ask … --budget {larger}"
