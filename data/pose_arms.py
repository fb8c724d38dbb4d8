"""What arms do: positions of one arm or of both, for the families of poses.

Each function draws one arm. `u(a, b)` draws a number between a and b, `n(mean, deviation)` one
about a mean. Wrists are placed in the frame of the chest (see body_poses.py): shoulders at z 0.43
and x 0.165, navel at about z 0.1 and y -0.12, hips at x 0.17, chin at z 0.55.
"""

from __future__ import annotations

import numpy as np
from body_poses import BACK, DOWN, FORWARD, IN, OUT, UP, Limb, arm, arm_to


def hanging(u, n):
    """Hang at the side."""
    return arm(n(3, 7), abs(n(8, 4)) + 3, u(5, 50), FORWARD + IN * u(0, 1))


def hip(u, n):  # noqa: ARG001
    """Rest a hand on the hip."""
    wrist = u(0.235, 0.275), u(-0.06, 0.05), u(0.06, 0.14)
    return arm_to(wrist, OUT + BACK * u(0.2, 0.8), FORWARD + IN * u(0, 0.5) + DOWN * u(0, 0.5))


def pocket(u, n):  # noqa: ARG001
    """Put a hand into a pocket."""
    wrist = u(0.22, 0.26), u(-0.12, -0.02), u(-0.01, 0.05)
    return arm_to(wrist, BACK + OUT * u(0.3, 1), DOWN + FORWARD * u(0, 0.4))


def holding(u, n):
    """Hold something in front of belly or chest, the elbow at the side."""
    towards = FORWARD + IN * u(0.1, 1.6) + UP * u(0, 0.2)
    return arm(n(8, 12), abs(n(7, 5)) + 4, u(50, 135), towards, towards + UP * 0.3)


def at_belly(u, n):  # noqa: ARG001
    """Rest a hand in front of the belly."""
    wrist = u(0.02, 0.16), -u(0.2, 0.28), u(0.04, 0.24)
    return arm_to(wrist, OUT * u(0.2, 1) + DOWN + BACK * u(0, 0.6), IN + FORWARD * u(0, 0.4))


def face(u, n):  # noqa: ARG001
    """Hold a hand to the face: eating, drinking, a telephone, a camera."""
    wrist = u(0.05, 0.2), -u(0.14, 0.28), u(0.44, 0.6)
    return arm_to(wrist, DOWN + OUT * u(0, 0.6) + BACK * 0.2, UP + IN * u(0, 0.6) + BACK * 0.1)


def head(u, n):  # noqa: ARG001
    """Hold a hand to the head."""
    wrist = u(0.13, 0.2), u(-0.1, 0.06), u(0.62, 0.74)
    return arm_to(wrist, OUT + FORWARD * u(0, 0.5), IN + UP * u(0, 0.6))


def behind(u, n):  # noqa: ARG001
    """Hold a hand behind the back."""
    wrist = u(0.06, 0.14), u(0.17, 0.23), u(0.03, 0.12)
    return arm_to(wrist, OUT + BACK * u(0.4, 1.0), IN + DOWN * u(0.3, 1))


def thigh(u, n):  # noqa: ARG001
    """Rest a sitting person's hand above the thigh or between the knees."""
    wrist = u(0.0, 0.18), -u(0.26, 0.38), u(0.09, 0.22)
    return arm_to(wrist, OUT * u(0.2, 0.9) + BACK * 0.7 + DOWN * 0.5, FORWARD + IN * u(0, 0.6))


def table(u, n):  # noqa: ARG001
    """Lay a forearm on a table."""
    wrist = u(-0.02, 0.2), -u(0.25, 0.38), u(0.17, 0.34)
    return arm_to(wrist, OUT * u(0.1, 0.8) + DOWN + BACK * 0.2, FORWARD + IN * u(0, 1))


def aside(u, n):  # noqa: ARG001
    """Stretch an arm to the side."""
    return arm(u(-10, 30), u(30, 90), u(5, 70), FORWARD + UP * u(-0.3, 0.6))


def forward(u, n):  # noqa: ARG001
    """Stretch an arm forwards."""
    return arm(u(35, 95), u(-8, 24), u(5, 75), UP + IN * u(0, 0.9))


def raised(u, n):  # noqa: ARG001
    """Raise an arm above the head."""
    return arm(u(138, 176), u(0, 25), u(5, 60), UP + IN * u(0.2, 0.8) + FORWARD * 0.2)


def raised_aside(u, n):  # noqa: ARG001
    """Raise an arm to the side."""
    return arm(u(-5, 20), u(112, 158), u(5, 70), UP + IN * u(0.2, 0.6))


def waving(u, n):  # noqa: ARG001
    """Wave."""
    return arm(u(0, 40), u(30, 100), u(65, 135), UP + IN * u(-0.2, 0.4))


def back(u, n):  # noqa: ARG001
    """Lean on a hand behind the body."""
    return arm(u(-45, -20), u(12, 32), u(3, 15), FORWARD)


ONE = {function.__name__: function for function in
       (hanging, hip, pocket, holding, at_belly, face, head, behind, thigh, table, aside, forward,
        raised, raised_aside, waving, back)}  # fmt: skip


def pick(rng, u, n, shares: dict[str, float], both=0.5) -> list[Limb]:
    """Draw two arms by the shares of their positions; with probability `both` they are alike."""
    names, weights = list(shares), np.array(list(shares.values()))
    first, second = rng.choice(names, 2, p=weights / weights.sum())
    if rng.random() < both:
        second = first
    return [ONE[first](u, n), ONE[second](u, n)]


def hands_together(
    place, apart: float, pole=DOWN + 0.5 * OUT, hand=None, stagger=0.0
) -> list[Limb]:
    """Put both hands around one position, `apart` metres from each other.

    The right hand is `stagger` metres lower and nearer.
    """
    x, y, z = place
    step = np.array((0, stagger, -stagger))
    left, right = np.array((x + apart / 2, y, z)), np.array((apart / 2 - x, y, z)) + step
    return [arm_to(left, pole, hand), arm_to(right, pole, hand)]


def crossed(u) -> list[Limb]:
    """Cross the forearms in front of the chest."""
    near, z = u(0.22, 0.31), u(0.18, 0.29)
    pole = OUT + DOWN * u(0.3, 1.0) + FORWARD * u(0, 0.5)
    first = arm_to((u(-0.03, 0.06), -near, z), pole, IN + UP * u(-0.4, 0.5) + BACK * u(-0.2, 0.4))
    before = u(-0.04, 0.06), -near - u(0.06, 0.12), z + u(0, 0.05)
    return [first, arm_to(before, pole, IN + UP * u(-0.4, 0.6) + BACK * u(-0.2, 0.4))]
