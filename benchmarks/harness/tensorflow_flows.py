"""The clocks of every TensorFlow flow: by contender and mode, for each work."""

from collections.abc import Sequence

import tensorflow as tf

from harness.contenders import TENSORFLOW, Contender, Sizes
from harness.timing import Local, in_mode


class TensorFlowFlows:
    """Makes each flow once, when it is first asked for.

    Args:
      sizes: of the flows.
    """

    def __init__(self, sizes: Sizes):
        self.sizes = sizes
        self._contenders: dict[tuple[str, str], Contender | None] = {}

    def contender(self, maker: str, model: str) -> Contender | None:
        """The flow of a maker, `"ours"`, `"TFP"` or `"networks"`; `None` if it has none."""
        key = maker, model
        if key not in self._contenders:
            self._contenders[key] = TENSORFLOW[maker](model, self.sizes)
        return self._contenders[key]

    def clocks(
        self, model: str, work: str, x: tf.Tensor, contenders: Sequence[tuple[str, str]]
    ) -> dict[str, Local]:
        """What `alternate` takes.

        Args:
          model: one of `contenders.MODELS`.
          work: one of `contenders.WORKS`.
          x: the batch.
          contenders: pairs of a maker and a mode.

        Returns:
          The clock of each that can do this, by maker and mode: `"ours XLA"`.
        """
        clocks = {}
        for maker, mode in contenders:
            contender = self.contender(maker, model)
            works = {} if contender is None else contender.works(x)
            if work in works:
                function, argument = works[work]
                clocks[f"{maker} {mode}"] = Local(in_mode(function, mode), argument)
        return clocks
