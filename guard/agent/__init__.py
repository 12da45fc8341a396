"""The agent of one node: collectors on a panel, one record a period, an outbox that never holds the loop up."""
