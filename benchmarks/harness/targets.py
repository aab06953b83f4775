"""The targets for speed, and whether the times of `training_step.py` reach them."""

import dataclasses
from collections.abc import Iterable, Mapping

from harness.contenders import MODELS, WORKS

# By model, work and who did it: "ours XLA", "TFP graph", "networks XLA", "zuko eager", ...
Times = Mapping[tuple[str, str, str], float]

OWN = ("ours", "networks")


@dataclasses.dataclass(frozen=True)
class Target:
    """At most `limit` times as long as somebody else.

    Attributes:
      model: the flow.
      work: what it does.
      limit: the largest ratio that is allowed.
      rival: `"fastest peer"`, or `"bare networks"`; each in its fastest mode.
    """

    model: str
    work: str
    limit: float
    rival: str


TARGETS = [
    Target("RealNVP", "gradient", 0.55, "fastest peer"),
    Target("RealNVP", "gradient", 1.35, "bare networks"),
    Target("RealNVP", "log_prob", 0.85, "fastest peer"),
    Target("RealNVP", "sample", 0.85, "fastest peer"),
    Target("spline", "gradient", 0.5, "fastest peer"),
    Target("spline", "gradient", 2.5, "bare networks"),
    Target("spline", "log_prob", 0.65, "fastest peer"),
    Target("spline", "sample", 0.65, "fastest peer"),
    Target("planar", "gradient", 0.1, "fastest peer"),
    Target("radial", "gradient", 0.1, "fastest peer"),
    Target("MAF", "sample", 0.5, "fastest peer"),
]
INVERSE_LIMIT = 3.0  # of planar layers, in times of their forward direction
STOCK_LIMIT = 1.0  # of eager and graph mode, in times of stock TFP in that mode


def fastest_rival(times: Times, model: str, work: str, rival: str) -> tuple[str, float] | None:
    """Who of the rivals was fastest, and its time; `None` if there was none."""
    found = {
        who: value
        for (m, w, who), value in times.items()
        if (m, w) == (model, work) and _is_rival(who, rival)
    }
    return min(found.items(), key=lambda item: item[1]) if found else None


def _is_rival(who, rival):
    maker = who.split()[0]
    return maker == "networks" if rival == "bare networks" else maker not in OWN


def target_rows(times: Times) -> list[tuple]:
    """Rows of work, rival, ours and theirs in milliseconds, ratio, target, and whether it is met.

    What was not measured has no row.
    """
    rows = [_row_of(times, target) for target in TARGETS]
    rows += [_inverse_row(times), *(_stock_row(times, mode) for mode in ("eager", "graph"))]
    return [row for row in rows if row is not None]


HEADER = ("work", "against", "ours, ms", "theirs, ms", "ratio", "target", "met")


def _row_of(times, target):
    best = fastest_rival(times, target.model, target.work, target.rival)
    mine = times.get((target.model, target.work, "ours XLA"))
    if best is None or mine is None:
        return None
    against = f"{target.rival}: {best[0]}"
    return _row(f"{target.model} {target.work}", against, mine, best[1], target.limit)


def _inverse_row(times):
    pair = [times.get(("planar stack", work, "ours XLA")) for work in ("inverse", "forward")]
    return None if None in pair else _row("planar inverse", "its forward", *pair, INVERSE_LIMIT)


def _stock_row(times, mode):
    """The work at which we are slowest against stock TFP."""
    pairs = {
        (model, work): (times[model, work, f"ours {mode}"], times[model, work, f"TFP {mode}"])
        for model, work in _pairs()
        if {(model, work, f"ours {mode}"), (model, work, f"TFP {mode}")} <= set(times)
    }
    if not pairs:
        return None
    worst = max(pairs, key=lambda pair: pairs[pair][0] / pairs[pair][1])
    name = f"{mode} mode, at worst: {' '.join(worst)}"
    return _row(name, f"TFP {mode}", *pairs[worst], STOCK_LIMIT)


def _pairs() -> Iterable[tuple[str, str]]:
    return ((model, work) for model in MODELS for work in WORKS)


def _row(work, against, mine, theirs, limit):
    value = mine / theirs
    is_met = "yes" if value <= limit else "no"
    return (work, against, mine, theirs, value, f"at most {limit:g}", is_met)
