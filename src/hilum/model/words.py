"""Numbers of things as a person says them."""


def count(number: int, noun: str) -> str:
    """1 image, 2 images, 2 series, 3 studies."""
    plural = noun if noun.endswith("s") else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
