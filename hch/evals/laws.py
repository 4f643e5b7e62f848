"""Laws of reliability amplification in closed form: what votes and trees come to.

An error is a probability that an answer is wrong. All of them assume one right answer and wrong
ones that coincide, which is the worst for a vote. All but `correlated_majority` assume that errors
are independent too: copies of one model err together, so none of these is to be quoted for a model
without the correlation that was measured (`hch.evals.correlation`). Each raises ValueError for what
is no probability or no number of tries.
"""

from __future__ import annotations

from math import atanh, ceil, exp, expm1, fsum, log, log1p, tanh

_HALVINGS = 100


def majority(k: int, error: float) -> float:
    """The error of the majority of k tries that err independently; 3e^2 - 2e^3 for three.

    The upper half of the binomial distribution: Condorcet 1785, Essai sur l'application de
    l'analyse. Of an even k a tie goes to the try that came first, wrong in half of the ties, so
    that k tries are as good as k - 1.
    """
    return correlated_majority(k, error, 0.0)


def correlated_majority(k: int, error: float, rho: float) -> float:
    """The error of the majority of k exchangeable tries whose errors correlate pairwise by rho.

    The number of wrong ones is beta-binomial (Skellam 1948, J. R. Stat. Soc. B 10, 257-261): each
    question has an error of its own, drawn from a beta distribution with this mean. That is one
    of many laws with this rho, which alone does not tell what a vote gives. Ties are `majority`'s.
    """
    _check(k, error, rho)
    if rho == 1 or error in {0.0, 1.0}:
        return float(error)
    theta = rho / (1 - rho)
    wrong = [fsum(log1p(-error / (1 + i * theta)) for i in range(k))]
    for m in range(k):  # from m wrong tries to m + 1: as in Pólya's urn, which needs no gamma
        more = log(error + m * theta) - log(1 - error + (k - 1 - m) * theta)
        wrong.append(wrong[-1] + log((k - m) / (m + 1)) + more)
    tie = exp(wrong[k // 2]) / 2 if k % 2 == 0 else 0.0
    return min(1.0, fsum((*map(exp, wrong[k // 2 + 1 :]), tie)))


def ahead(k: int, p: float) -> float:
    """How likely the right answer is the first to be ahead by k, where a try is right with p.

    1 / (1 + ((1-p)/p)^k), the gambler's ruin: MAKER (arXiv 2511.09030). There is no limit of tries.
    """
    _check(k, p)
    if p in {0.0, 1.0}:
        return float(p)
    return 1 / (1 + exp(min(700.0, -2 * k * _lean(p))))


def votes_ahead(k: int, p: float) -> float:
    """How many tries it takes in the mean until an answer is ahead by k: k^2 where p is 1/2.

    k (1 - 2 / (1 + (p/(1-p))^k)) / (2p - 1), the duration of the gambler's ruin: Feller 1968, An
    Introduction to Probability Theory, volume 1, XIV.3. About k / (2p - 1) where p is high.
    """
    _check(k, p)
    if p in {0.0, 1.0}:
        return float(k)
    return k * tanh(k * _lean(p)) / (2 * p - 1) if p != 0.5 else float(k * k)


def ahead_needed(steps: int, p: float, target: float) -> int:
    """The least k with which all of so many steps are right with at least the probability `target`.

    ceil(ln(target^(-1/steps) - 1) / ln((1-p)/p)): MAKER (arXiv 2511.09030). Raises ValueError
    also where p is no more than 1/2, which no k makes up for.
    """
    _check(steps, p, target)
    if p <= 0.5 or not 0 < target < 1:
        raise ValueError(f"p {p} is to be above 0.5, and the target {target} between 0 and 1")
    if p == 1:
        return 1
    exact = log(expm1(-log(target) / steps)) / (-2 * _lean(p))
    return max(1, ceil(exact - 1e-9))


def tree(depth: int, branching: int, error: float, k: int = 1) -> float:
    """The error at the root of a tree of so many levels below it, with a vote of k at each node.

    Each of the k tries of a node is made on its own, with all that is below it: it is wrong where
    it errs itself, at this rate, or any of its `branching` children is. The node says what most of
    them say. So v_0 = majority(k, error), and v_d = majority(k, t_d) with the error of a try
    t_d = 1 - (1-error) (1-v_{d-1})^branching. With k = 1 there is no vote: 1 - (1-error)^nodes.
    """
    _check(k, error)
    if depth < 0 or branching < 0:
        raise ValueError(f"depth {depth} and branching {branching} are to be 0 or more")
    found = majority(k, error)
    for _ in range(depth):
        found = majority(k, _tried(branching, error, found))
    return found


def critical(branching: int, k: int) -> float:
    """The highest error of a node with which `tree` stays stable, however deep.

    Below it the error of ever deeper trees has a limit under 1/2; above it goes to 1. The largest e
    for which v = majority(k, 1 - (1-e) (1-v)^branching) has such a solution, found by search: for
    majority-3 it is .0474, .0302 and .0175 at a branching of 2, 3 and 5. Without a vote it is 0.
    """
    _check(k)
    if branching < 1:
        raise ValueError(f"branching {branching} is to be 1 or more")

    def borne(tried: float) -> float:
        """The node error at which a try that is wrong so often keeps being so."""
        return -expm1(log1p(-tried) - branching * log1p(-majority(k, tried)))

    low, high = 0.0, 0.5
    for _ in range(_HALVINGS):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (left, high) if borne(left) < borne(right) else (low, right)
    return max(0.0, borne(low))


def _lean(p: float) -> float:
    """Half the logarithm of p/(1-p), precise where p is near 1/2 as well as near 0."""
    return atanh(2 * p - 1) if p > 0.25 else (log(p) - log1p(-p)) / 2


def _tried(branching: int, error: float, below: float) -> float:
    """The error of one try over children with the error `below`."""
    if error == 1 or (branching and below == 1):
        return 1.0
    return -expm1(log1p(-error) + branching * log1p(-below))


def _check(number: int, *shares: float) -> None:
    if number < 1:
        raise ValueError(f"{number} is to be 1 or more")
    for share in shares:
        if not 0 <= share <= 1:
            raise ValueError(f"{share} is no probability: it is to be 0 to 1")
