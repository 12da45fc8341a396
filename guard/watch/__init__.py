"""``guard watch``: the fleet, live in a terminal.

``feed`` reads the bus in a thread of its own, ``seen`` is what is known (a fold: no I/O, no clock), ``view`` makes
the picture of it (pure: size and time are arguments), ``keys`` says what a key does, ``terminal`` borrows the
terminal and gives it back, and ``run`` is the loop between them.
"""
