"""The remediator: it connects the controller, which decides, with the bus and the cluster, which it alone touches.

==============  ====================================================================================
``service``     its life: standing by, leading, coming back when the bus was away
``term``        one term of leading: read, decide, write, read back, act
``leadership``  the membership in the group whose one partition says who leads
``ledger``      the ledger on the bus
``book``        what is known of it: the controller's state, and acts that may be in flight (``history``)
``sayings``     the newest verdicts
``following``   telemetry of the jobs whose checkpoint or restart is watched (``progress``)
``looking``     observing the cluster, in a child with a deadline (``hand``, ``child``)
``acting``      acting on it, likewise (``errands``, ``errand_of``, ``request_file``)
``standing``    how things stand by it, in figures (``metrics``)
``ordering``    what an operator's command does
==============  ====================================================================================

``settings`` are part of the configuration, so this page imports nothing: an agent reads it, too.
"""
