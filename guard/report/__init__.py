"""Health reports: what the newest state on the bus says of the fleet, a job or a node.

``read`` takes the records from the bus, ``fold`` turns them into health (pure: the time is an argument),
``tables`` shows it to people and ``document`` to programs.
"""
