"""Readings of one node, and the record that carries them.

Every collector is small, owns a few names of gauges and counters, and answers
``collect(now) -> Reading | Gap`` (see ``collectors.reading``). A collector that fails says so in a gap;
what it owns is then unknown, never zero.
"""
