"""What the benchmarks share: a facility of their own, its processes, and the conditions."""
