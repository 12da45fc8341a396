"""What people are told, and when: verdicts, ledger and orders in, notices out. Pure: no I/O, no clock.

`pager` is the door: a state is folded over what is heard (`events`), and from it follows which notices each
channel is to get now (`policy`).
"""
