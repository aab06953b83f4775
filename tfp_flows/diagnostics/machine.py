"""What numbers were measured on."""

import datetime
import os
import platform

import tensorflow as tf


def describe_machine() -> str:
    """Describes the machine in a line, for the head of a table of measurements.

    Returns:
      CPU cores that this process may use, architecture, GPUs, TensorFlow's version, today's date.

    #### Examples

    ```python
    import tfp_flows as tff

    print(tff.diagnostics.describe_machine())
    # for example: 2 CPU cores, x86_64, TensorFlow 2.21.0, 2026-11-22
    ```
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    parts = [f"{cores} CPU cores", platform.machine(), *gpus, f"TensorFlow {tf.__version__}"]
    return ", ".join([*parts, str(datetime.date.today())])
