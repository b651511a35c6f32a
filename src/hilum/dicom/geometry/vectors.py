"""Vectors in the patient's coordinates (PS3.3 C.7.6.2.1.1), in mm."""

from collections.abc import Sequence
from math import hypot

Vector = tuple[float, float, float]


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    """The scalar product."""
    (a, b, c), (d, e, f) = one, other
    return a * d + b * e + c * f


def normal_of(orientation: Sequence[float]) -> Vector:
    """The unit normal of an image with this ImageOrientationPatient."""
    # PS3.3 C.7.6.2.1.1: the normal is the cross product of the row's and the column's direction.
    a, b, c, d, e, f = orientation
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = hypot(*normal) or 1.0
    return normal[0] / length, normal[1] / length, normal[2] / length


def toward(one: Vector, other: Vector, share: float) -> Vector:
    """The point at `share` (0 to 1) of the way from one to the other."""
    (ax, ay, az), (bx, by, bz) = one, other
    return ax + (bx - ax) * share, ay + (by - ay) * share, az + (bz - az) * share
