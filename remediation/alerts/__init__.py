"""Channels to people: PagerDuty, Alertmanager, Slack and a signed webhook behind one protocol (``protocol``).

What is sent is a `remediation.alerts.notice.Notice`; which, when and to whom, `remediation.paging` decides.
"""
