"""Measuring detection: simulated cases, our judge, its ablations and others' methods on the same streams.

`run` goes over the cases, `page` and `plots` show the scores, `healthy` is the long run over fleets where
nobody is at fault. Results are kept as lines of JSON, so that a run that was stopped goes on.
"""
