"""From the configuration to channels that work. The libraries of a channel are loaded when one is opened."""

import os

from remediation.alerts.credentials import read_secret
from remediation.alerts.protocol import Channel, SetupError
from remediation.alerts.settings import Alertmanager, ChannelChoice, PagerDuty, Slack, Webhook

__all__ = ["open_channel", "read_secret"]


def open_channel(name: str, choice: ChannelChoice) -> Channel:
    """Open a channel, without a word to its receiver.

    Args:
        name: of the channel, for texts of errors.
        choice: which, and how it is set up.

    Raises:
        SetupError: a library or a file is missing, or a file holds no secret.
    """
    try:
        return _open(name, choice)
    except ModuleNotFoundError as error:
        raise SetupError(f"page.channels.{name} needs {error.name}: pip install 'trn-guard[page]'") from None


def _open(name: str, choice: ChannelChoice) -> Channel:
    match choice:
        case PagerDuty():
            from remediation.alerts.pagerduty import PagerDutyChannel  # noqa: PLC0415 - loads its library

            return PagerDutyChannel(name, choice, os.environ)
        case Alertmanager():
            from remediation.alerts.alertmanager import AlertmanagerChannel  # noqa: PLC0415

            return AlertmanagerChannel(name, choice, os.environ)
        case Slack():
            from remediation.alerts.slack import SlackChannel  # noqa: PLC0415

            return SlackChannel(name, choice, os.environ)
        case Webhook():
            from remediation.alerts.webhook import WebhookChannel  # noqa: PLC0415

            return WebhookChannel(name, choice, os.environ)
