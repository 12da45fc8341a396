"""guard: finds the node that slows a training job, proves it, and takes it out safely.

This file imports nothing: ``guard.steps`` runs inside training programs, where only the standard
library can be relied on.
"""
