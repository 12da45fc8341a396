"""Clusters that guard acts on. Here alone does `remediation` do I/O."""
