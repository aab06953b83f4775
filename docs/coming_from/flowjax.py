"""RealNVP on the plane with FlowJAX."""

import jax
import jax.numpy as jnp
import numpy as np
from flowjax.distributions import Normal
from flowjax.flows import coupling_flow
from flowjax.train import fit_to_data

rng = np.random.default_rng(0)
a = rng.uniform(1.0, 2.0, 4096)
x = jnp.asarray(np.stack([a, rng.normal(a, np.sqrt(a))], axis=1).astype("float32"))

made, trained, drawn = jax.random.split(jax.random.key(0), 3)
flow = coupling_flow(made, base_dist=Normal(jnp.zeros(2)), flow_layers=8, nn_width=64, nn_depth=2)
flow, losses = fit_to_data(
    trained, flow, x, learning_rate=1e-3, batch_size=256, max_epochs=5, val_prop=0.1
)

nats = -flow.log_prob(x).mean().item()
samples = flow.sample(drawn, (1000,))
