"""Verdicts in, actions out: a pure controller, and adapters of the clusters that it acts on."""
