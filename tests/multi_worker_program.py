"""What each worker of `tests/test_multi_worker.py` runs; the test itself runs it as one process.

python -m tests.multi_worker_program FOLDER EPOCH_OF_DEATH
"""

import json
import os
import pathlib
import signal
import sys

BATCH_SIZE, EPOCHS = 432, 4


def batches(drop_remainder=False):
    """1,297 digits in three batches and one of a single digit, in another order every epoch."""
    import tensorflow as tf

    import tfp_flows as tff

    digits = tff.datasets.load(
        "digits", batch_size=BATCH_SIZE, seed=3, drop_remainder=drop_remainder
    )
    return digits.map(lambda image: tf.reshape(tf.cast(image, tf.float32) / 16.0, [-1, 64]))


def flow():
    import tfp_flows as tff

    return tff.flows.planar(64, num_layers=1, fast="log_prob", seed=0)


def fit_keras(strategy, folder, stop_after=None):
    """Keras 3: `DensityModel`, broken off by an error after an epoch if wanted."""
    import keras

    import tfp_flows as tff

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == stop_after:
                raise KeyboardInterrupt

    with strategy.scope():
        model = tff.models.DensityModel(flow())
        model.compile(keras.optimizers.Adam(1e-2, global_clipnorm=0.5))
    callbacks = [Stop(), keras.callbacks.BackupAndRestore(folder)]
    try:
        history = model.fit(
            batches(), epochs=EPOCHS, verbose=0, callbacks=callbacks, validation_data=batches()
        )
    except KeyboardInterrupt:
        return None
    return {name: history.history[name] for name in ("loss", "val_nats")}


def fit_tf_keras(strategy, folder, epoch_of_death=None):
    """tf_keras: the same distribution; the process may kill itself in the middle of an epoch."""
    import tf_keras

    class Density(tf_keras.Model):
        def __init__(self):
            super().__init__()
            self.flow = flow()

        def call(self, x):
            return self.flow.log_prob(x)

    class Die(tf_keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if self.epoch == epoch_of_death and batch == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

    with strategy.scope():
        model = Density()
        model.compile(tf_keras.optimizers.Adam(1e-2), loss=lambda _, log_prob: -log_prob)
        model.build([None, 64])  # What is restored has to be there.
    # A mean of tf_keras counts the parts of the workers alike, also of a single digit.
    data = batches(drop_remainder=True).map(lambda x: (x, x[:, 0]))
    callbacks = [Die(), tf_keras.callbacks.BackupAndRestore(str(folder))]
    history = model.fit(data, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    return {"epoch": history.epoch, "loss": history.history["loss"]}


def main(folder, epoch_of_death):
    import keras
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    # As before every test: TensorFlow's seed is a part of that of every shuffling.
    keras.utils.set_random_seed(0)
    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    folder, dies = pathlib.Path(folder), epoch_of_death >= 0
    result = {}
    if dies:
        shared, own = folder / "keras", folder / f"keras_{index}"
        fit_keras(strategy, shared, stop_after=2)
        try:
            fit_keras(strategy, own if index else shared)
        except ValueError as error:
            result["not shared"] = str(error)
        result["keras"] = fit_keras(strategy, shared)
        (folder / f"broken_off_{index}.json").write_text(json.dumps(result), "utf-8")
    else:
        result["keras"] = fit_keras(strategy, folder / "keras")
    death = epoch_of_death if dies and index else None
    result["tf_keras"] = fit_tf_keras(strategy, folder / "tf_keras", death)
    (folder / f"whole_{index}.json").write_text(json.dumps(result), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
