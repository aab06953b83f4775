"""`DensityModel.export`: flows that are served where neither this package nor TFP is."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tests.test_flows import perturb

SEED = [5, 6]


def dequantized():
    flow = tff.flows.glow([4, 4, 1], num_levels=1, num_steps=1, hidden_channels=3, seed=0)
    return tff.distributions.Dequantized(flow, num_levels=4, logit=True)


FLOWS = {
    "context": lambda: tff.flows.maf(
        3, 2, hidden_units=[4], context_size=2, base=tff.distributions.gaussian_mixture(3, 2)
    ),
    "integers": dequantized,
}

# In a process of its own. What the exported functions return goes into one file a folder.
SERVE = """
import sys

for name in ("tfp_flows", "tensorflow_probability", "tf_keras"):
    sys.modules[name] = None  # an import of it would raise an error
import numpy as np
import tensorflow as tf

for folder in sys.argv[1:]:
    inputs = {name: tf.constant(value) for name, value in np.load(folder + "/in.npz").items()}
    signatures = tf.saved_model.load(folder).signatures
    outputs = {}
    for function in ("log_prob", "sample", "serving_default"):
        takes = signatures[function].structured_input_signature[1]
        outputs[function] = signatures[function](**{name: inputs[name] for name in takes})
    np.savez(
        folder + "/out.npz",
        log_prob=outputs["log_prob"]["log_prob"],
        x=outputs["sample"]["x"],
        default=outputs["serving_default"]["log_prob"],
    )
"""


@pytest.mark.slow
def test_served_without_this_package(tmp_path):
    """Any number of rows, contexts and draws; the numbers are those of the flow itself."""
    expected = {}
    for name, make in FLOWS.items():
        flow = make()
        perturb(flow, scale=0.2, seed=2)
        folder = tmp_path / name
        tff.models.DensityModel(flow).export(folder)
        expected[name], inputs = evaluate(flow)
        np.savez(folder / "in.npz", **inputs)
    command = [sys.executable, "-c", SERVE, *(str(tmp_path / name) for name in FLOWS)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    for name, (log_prob, x) in expected.items():
        served = np.load(tmp_path / name / "out.npz")
        np.testing.assert_allclose(served["x"], x, rtol=1e-5, atol=1e-5)
        assert served["x"].dtype == x.numpy().dtype
        assert served["log_prob"].shape == log_prob.shape
        if name != "integers":  # whose log-density draws noise
            np.testing.assert_allclose(served["log_prob"], log_prob, rtol=1e-5, atol=1e-5)
            np.testing.assert_array_equal(served["default"], served["log_prob"])


def evaluate(flow):
    """Log-densities and samples of a flow, and the inputs they are of."""
    inputs = {"num_samples": np.int32(4), "seed": np.array(SEED, np.int32)}
    if hasattr(flow, "context_size"):
        inputs["context"] = np.random.default_rng(0).normal(size=[7, 2]).astype("float32")
        flow = flow(inputs["context"])
    rng = np.random.default_rng(1)
    if flow.dtype.is_integer:
        inputs["x"] = rng.integers(0, 4, [7, *flow.event_shape]).astype("int32")
    else:
        inputs["x"] = rng.normal(size=[7, *flow.event_shape]).astype("float32")
    return (flow.log_prob(inputs["x"]), flow.sample(4, seed=tf.constant(SEED))), inputs


def test_functions_by_name(tmp_path):
    """Without signatures, too; of a distribution that no recipe made; the latest of two exports."""
    loc = tf.Variable([0.0, 0.0])
    flow = tfp.distributions.TransformedDistribution(
        tfp.distributions.MultivariateNormalDiag(loc), tfp.bijectors.Exp()
    )
    model = tff.models.DensityModel(flow)
    model.export(tmp_path / "flow")
    loc.assign([1.0, 2.0])
    model.export(str(tmp_path / "flow"), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "flow"))
    x = tf.constant([[1.0, 2.0], [3.0, 4.0], [0.5, 0.1]])
    np.testing.assert_allclose(loaded.log_prob(x), flow.log_prob(x), rtol=1e-6)
    first, second = (loaded.sample(tf.constant(2), tf.constant(SEED)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, loaded.sample(tf.constant(2), tf.constant([0, 0])))


def test_errors(tmp_path):
    model = tff.models.DensityModel(tff.flows.nice(2, 1, hidden_units=[2]))
    with pytest.raises(ValueError, match=r"`format`.*expected 'tf_saved_model'.*'onnx'"):
        model.export(tmp_path / "flow", format="onnx")
    with pytest.raises(ValueError, match=r"no further arguments, received \['opset_version'\]"):
        model.export(tmp_path / "flow", opset_version=1)
    unbuilt = tff.models.DensityModel(lambda context: None)
    with pytest.raises(ValueError, match="expected a model that is built"):
        unbuilt.export(tmp_path / "flow")
    assert list(tmp_path.iterdir()) == []
