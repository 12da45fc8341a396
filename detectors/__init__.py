"""Telemetry in, verdicts out. No file, no socket, no clock, no randomness.

The same records and the same configuration give the same verdicts, byte for byte.
"""
