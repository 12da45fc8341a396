"""`guard simulate loop`: a month of one large job, with faults at published rates, in three regimes.

===============  ==================================================================================
``assumptions``  every number that the model rests on, with its source
``detection``    how long accusing takes and what is missed, as measured
``repairs``      how long nodes are away; from a public trace, or its quantiles
``faults``       a month's faults, drawn ahead: all regimes meet the same
``training``     the job's progress: steps, checkpoints, what a stop loses
``fleet``        the cluster: remediation's fake one, with a scheduler that requeues
``month``        time: what happens to nodes and job
``people``       who notices a stopped or slow job, and when
``remediator``   guard: the real controller, its ledger in memory
``measures``     what a month is worth, and how sure that is (``published``: what others state)
``run``          all regimes and seeds; ``tables`` and ``plots`` show them
===============  ==================================================================================

Pure but for ``repairs.read`` (a file), ``run``'s bar and ``plots``. A seed decides everything.
"""
