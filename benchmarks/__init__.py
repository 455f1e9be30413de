"""Benchmarks: how fast a real server is on this machine. `make bench` runs them; docs/benchmarks.md explains them."""
