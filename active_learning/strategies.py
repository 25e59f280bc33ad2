"""All query strategies by name, and the one that is used unless a setting says otherwise.

Chosen by the numbers of ``benchmarks/active_learning.py``; see benchmarks/RESULTS.md.
"""

from __future__ import annotations

from active_learning.diversity import Badge, CoreSet, DiverseUncertainty, KMeansCentres, MostTypical
from active_learning.errors import UnknownNameError
from active_learning.pool import QueryStrategy
from active_learning.simple import ByScore, Chance

STRATEGIES: dict[str, QueryStrategy] = {
    strategy.name: strategy
    for strategy in (
        Chance(),
        ByScore("least_confidence"),
        ByScore("margin"),
        ByScore("entropy"),
        ByScore("disagreement", name="bald"),
        ByScore("cost", name="expected_cost"),
        KMeansCentres(),
        CoreSet(),
        Badge(),
        DiverseUncertainty("entropy"),
        DiverseUncertainty("cost", name="diverse_cost"),
        MostTypical(),
    )
}

#: See the module's docstring.
DEFAULT_STRATEGY = "margin"


def find_strategy(name: str = DEFAULT_STRATEGY) -> QueryStrategy:
    """Return the strategy of a name.

    Raises:
        UnknownNameError: If there is none; the message lists those there are.
    """
    if name not in STRATEGIES:
        raise UnknownNameError(f"no query strategy {name!r}; there are {', '.join(STRATEGIES)}")
    return STRATEGIES[name]
