"""What whole-server tests, the crash storm and the benchmarks share."""
