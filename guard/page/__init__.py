"""The pager as a service: verdicts, ledger and orders in, notices to people out, through an outbox on disk.

A process of its own: it lives where the detector or the remediator do not. `remediation.paging` decides.
"""
