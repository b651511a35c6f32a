"""Who takes what, each thing at most once: a matching of largest size in a bipartite graph, found by augmenting paths.

    >>> share_out([["a", "b"], ["a"]])
    ({0: 'b', 1: 'a'}, {})

Whoever stands first has what it prefers as long as nobody after it would go without for that, and nobody who has something loses it
altogether. The same question always has the same answer. (H. W. Kuhn, The Hungarian method for the assignment problem, 1955.)
"""

from collections.abc import Sequence
from typing import NamedTuple


class Contest(NamedTuple):
    """Why somebody goes without: together these want fewer things than they are.

    Args:
        askers: their places, in order; one of them goes without.
        things: all that any of them would take.
    """

    askers: tuple[int, ...]
    things: tuple[str, ...]


def share_out(wanted: Sequence[Sequence[str]]) -> tuple[dict[int, str], dict[int, Contest]]:
    """Give every asker one thing of its list, where that can be.

    Args:
        wanted: of each asker what it would take, the best first.

    Returns:
        Asker -> its thing; and asker -> why it has none. One that wants nothing is in neither.
    """
    holders: dict[str, int] = {}
    contests = {}
    for asker, things in enumerate(wanted):
        asked: dict[str, None] = {}
        if not _give(asker, wanted, holders, asked) and things:
            contests[asker] = Contest(tuple(sorted({asker, *(holders[thing] for thing in asked)})), tuple(asked))
    return {asker: thing for thing, asker in sorted(holders.items(), key=lambda one: one[1])}, contests


def _give(asker: int, wanted: Sequence[Sequence[str]], holders: dict[str, int], asked: dict[str, None]) -> bool:
    """Give it its best thing that nobody has, else one whose holder finds another; `asked` are those whose holders were asked."""
    free = next((thing for thing in wanted[asker] if thing not in holders), None)
    if free is not None:
        holders[free] = asker
        return True
    for thing in wanted[asker]:
        if thing not in asked:
            asked[thing] = None
            if _give(holders[thing], wanted, holders, asked):
                holders[thing] = asker
                return True
    return False
