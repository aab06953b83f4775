"""Several workers that run one and the same `fit`: how many, which is the chief."""

import tensorflow as tf


def number(strategy: tf.distribute.Strategy) -> int:
    """How many processes train together under a strategy."""
    return sum(len(_cluster(strategy).get(kind, ())) for kind in ("chief", "worker")) or 1


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes files."""
    if number(strategy) == 1:
        return True
    task = strategy.cluster_resolver
    return task.task_type == "chief" or (task.task_id == 0 and "chief" not in _cluster(strategy))


def gathered(strategy: tf.distribute.Strategy, value: int) -> list[int]:
    """The values of all workers; all of them have to ask."""
    values = strategy.experimental_distribute_values_from_function(lambda _: tf.constant([value]))
    values = strategy.gather(values, axis=0).numpy().tolist()
    return values[:: len(values) // number(strategy)]  # One a worker, not one a replica.


def _cluster(strategy: tf.distribute.Strategy) -> dict[str, list[str]]:
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return {}
    return strategy.cluster_resolver.cluster_spec().as_dict()
