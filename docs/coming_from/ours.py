"""RealNVP on the plane with tfp_flows."""

import keras
import numpy as np

import tfp_flows as tff

rng = np.random.default_rng(0)
a = rng.uniform(1.0, 2.0, 4096)
x = np.stack([a, rng.normal(a, np.sqrt(a))], axis=1).astype("float32")

flow = tff.flows.real_nvp(event_size=2, num_layers=8, hidden_units=[64, 64], seed=0)
model = tff.models.DensityModel(flow)
model.compile(keras.optimizers.Adam(1e-3))
model.fit(x, batch_size=256, epochs=5, verbose=0)

nats = -flow.log_prob(x).numpy().mean()
samples = flow.sample(1000, seed=1)
