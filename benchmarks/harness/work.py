"""How much work the flows and the layers cannot avoid, for the floors of `gpu.py`."""

from harness.contenders import Sizes, networks
from harness.floors import Work
from harness.layers import Layer


def work_of_flow(model: str, sizes: Sizes) -> Work:
    """The products of a flow's networks or stacks, and the events that pass its layers.

    A stack of planar or radial layers takes two products, into the span of its vectors and back;
    so it reads and writes each event once. Any other layer does so for itself, and reads the
    parameters that its network has written.
    """
    if model in ("planar", "radial"):
        sides = (sizes.event_size, sizes.num_simple_layers)
        return Work([sides, sides[::-1]], 2 * sizes.event_size)
    modules = networks(model, sizes)
    kernels = [
        tuple(v.shape) for net in modules for v in net.trainable_variables if v.shape.rank == 2
    ]
    outputs = sum(net.output_size for net in modules)
    return Work(kernels, 2 * sizes.event_size * len(modules) + outputs)


def work_of_layer(layer: Layer, bijector, event_size: int) -> Work:
    """The products with a layer's matrices, and one event read and written."""
    kernels = [tuple(v.shape) for v in bijector.trainable_variables if v.shape.rank == 2]
    return Work(kernels * layer.products, 2 * event_size)
