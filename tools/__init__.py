"""Programs for those who build guard: benchmarks, the lock file, provisioning."""
