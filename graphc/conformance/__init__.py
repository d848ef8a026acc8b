"""The conformance kit: what every op must give on every backend, and the runs that hold a backend to it."""
