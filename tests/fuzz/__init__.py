"""Random hostile input for every bijector, recipe and model: `python -m tests.fuzz`."""
