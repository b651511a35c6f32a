"""Numbers and lists of things as a person says them."""

from collections.abc import Sequence


def count(number: int, noun: str) -> str:
    """1 image, 2 images, 2 series, 3 studies."""
    plural = noun if noun.endswith("s") else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def joined(words: Sequence[str]) -> str:
    """T1; T1 and FLAIR; T1, T2 and FLAIR."""
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)
