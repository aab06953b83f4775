"""Scores of how unusual events are, from their log-densities (more is more), and their quality."""

from typing import Any

import numpy as np


def typicality(log_prob: Any, reference_log_prob: Any) -> np.ndarray:
    """How far a log-density is from what the events of the distribution itself have on average.

    ```none
    score = |-log p(x) - H|,   H = -mean_i log p(x_i) over the reference
    ```

    In many dimensions nearly all draws of a distribution have about its entropy as -log p, so that
    an event of a much higher density is no typical draw either: black images, which flows of images
    find most likely, are an example. H is taken from events of known origin; those that the density
    was trained on have it slightly too small. For groups of M events the score of the paper takes
    the mean of their log-densities in the place of `log_prob`.

    Args:
      log_prob: log-densities of the events in question, `[...]`, in nats.
      reference_log_prob: those of events of known origin, `[n]`.

    Returns:
      Scores `[...]` in nats, float64, at least 0.

    Raises:
      ValueError: a number is not finite, or there is no reference.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import diagnostics

    rng = np.random.default_rng(0)
    draws, outlier = rng.normal(size=[1000, 64]), np.zeros([1, 64])
    log_prob = lambda x: -0.5 * np.sum(x**2 + np.log(2.0 * np.pi), axis=-1)
    diagnostics.typicality(log_prob(outlier), log_prob(draws))  # 32 nats: the mode is no draw
    ```

    #### References

    E. Nalisnick, A. Matsukawa, Y. W. Teh and B. Lakshminarayanan, Detecting Out-of-Distribution
    Inputs to Deep Generative Models Using Typicality, 2019, arXiv:1906.02994, section 3.
    """
    log_prob = _finite("log_prob", log_prob)
    reference = _finite("reference_log_prob", reference_log_prob)
    if reference.size == 0:
        raise ValueError("Argument `reference_log_prob`: expected at least one number, received 0.")
    return np.abs(log_prob - reference.mean())


def likelihood_ratio(log_prob: Any, background_log_prob: Any) -> np.ndarray:
    """How little of a log-density is due to what the data have beyond their background.

    ```none
    score = log p_background(x) - log p(x)
    ```

    The background is a second density of the same kind, trained on data whose meaning is destroyed
    by random changes, `datasets.mutate`, but whose background is not. What both find likely, such
    as black margins, cancels.

    Args:
      log_prob: log-densities of the events under the density of the data, in nats, `[...]`.
      background_log_prob: those of the same events under the background's, `[...]`.

    Returns:
      Scores `[...]` in nats, float64, of either sign.

    Raises:
      ValueError: a number is not finite, or the shapes differ.

    #### Examples

    ```python
    from tfp_flows import diagnostics

    diagnostics.likelihood_ratio([-90.0, -60.0], [-120.0, -50.0])  # [-30, 10]
    ```

    #### References

    J. Ren, P. J. Liu, E. Fertig, J. Snoek, R. Poplin, M. A. DePristo, J. V. Dillon and B.
    Lakshminarayanan, Likelihood Ratios for Out-of-Distribution Detection, 2019, arXiv:1906.02845,
    section 3 (with the other sign).
    """
    log_prob = _finite("log_prob", log_prob)
    background = _finite("background_log_prob", background_log_prob)
    if log_prob.shape != background.shape:
        raise ValueError(
            f"Argument `background_log_prob`: expected shape {log_prob.shape}, received "
            f"{background.shape}."
        )
    return background - log_prob


def auroc(scores: Any, other_scores: Any) -> float:
    """How well a score tells two kinds of events apart: the area under its ROC curve.

    ```none
    P(score of another event > score of an own one) + P(both are equal) / 2
    ```

    1 is a perfect score, 0.5 is a guess, and below 0.5 the score takes the one for the other.

    Args:
      scores: of the distribution's own events, `[n]`.
      other_scores: of other events, which should have more, `[m]`.

    Returns:
      The area, in [0, 1].

    Raises:
      ValueError: a number is not finite, or there is none.

    #### Examples

    ```python
    from tfp_flows import diagnostics

    diagnostics.auroc([1.0, 2.0], [2.0, 3.0])  # 3.5 of four pairs
    ```

    #### References

    J. A. Hanley and B. J. McNeil, The Meaning and Use of the Area under a Receiver Operating
    Characteristic (ROC) Curve, Radiology 143(1), 1982.
    """
    own = np.sort(_finite("scores", scores), axis=None)
    others = _finite("other_scores", other_scores)
    for argument, values in (("scores", own), ("other_scores", others)):
        if values.size == 0:
            raise ValueError(f"Argument `{argument}`: expected at least one number, received 0.")
    below, not_above = (np.searchsorted(own, others, side=side) for side in ("left", "right"))
    return float(np.mean(below + not_above) / (2 * own.size))


def _finite(argument: str, value: Any) -> np.ndarray:
    array = np.asarray(value, np.float64)
    if not np.isfinite(array).all():
        wrong = array[~np.isfinite(array)][0]
        raise ValueError(f"Argument `{argument}`: expected finite numbers, received {wrong}.")
    return array
