"""Numbers and lists of things as a person says them."""

from collections.abc import Sequence

MOST_NAMED = 30  # names that a sentence lists


def count(number: int, noun: str) -> str:
    """1 image, 2 images, 2 series, 3 studies."""
    plural = noun if noun.endswith("s") else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def suggest(name: str, known: Sequence[str]) -> str:
    """What somebody who wrote `name` may have meant, as a sentence: the nearest of those that are known, or else what these are."""
    from difflib import get_close_matches

    spelt = {one.casefold(): one for one in known}
    near = [spelt[one] for one in get_close_matches(name.casefold(), spelt, n=3)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    return f"Known are {', '.join(known[:MOST_NAMED])}{more}." if known else "None is known yet."


def joined(words: Sequence[str]) -> str:
    """T1; T1 and FLAIR; T1, T2 and FLAIR."""
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)
