"""The topics on Kafka: what they are to be like, how that differs from what is there, and who may do what.

`wanted` and `plan` decide and do no I/O, `acls` is data; `admin` alone speaks with the brokers.
"""
