"""What was found out about values and series before, for all conditions together, within bounds whatever their number."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from hilum.model.records import Series

MOST_VERDICTS = 100_000  # on single values
LONGEST = 256  # characters, or numbers, of a value that is worth remembering
MOST_SLICE_VALUES = 500_000  # in the series that are remembered: about 50 MB


@dataclass(slots=True)
class Memory:
    """Verdicts by condition and value, and those over the slices of the series asked last.

    Args:
        verdicts: (number of the condition, value) -> verdict.
        size: slice values in the remembered series.
    """

    verdicts: dict[tuple[int, Any], bool] = field(default_factory=dict)
    size: int = 0
    _series: "OrderedDict[int, tuple[Series, dict[int, bool | None]]]" = field(default_factory=OrderedDict)

    def keep_verdict(self, key: tuple[int, Any], verdict: bool) -> None:
        """Remember it, unless the value is long; what was known before goes when there is too much of it."""
        if isinstance(key[1], (str, tuple)) and len(key[1]) > LONGEST:
            return
        if len(self.verdicts) >= MOST_VERDICTS:
            self.verdicts.clear()
        self.verdicts[key] = verdict

    def answers_of(self, series: Series) -> dict[int, bool | None]:
        """Number of the condition -> verdict over the slices of `series`, to read and to write; the oldest series go."""
        known = self._series.get(id(series))
        if known is None:
            known = self._series[id(series)] = (series, {})  # with the series, so that its id stays its own
            self.size += _size(series)
            while self.size > MOST_SLICE_VALUES:
                _, (oldest, _) = self._series.popitem(last=False)
                self.size -= _size(oldest)
        return known[1]


def _size(series: Series) -> int:
    return 1 + sum(map(len, (series.others or {}).values()))
