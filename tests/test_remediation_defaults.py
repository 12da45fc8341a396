"""Defaults of the detector and of remediation, together: what one says, the other can act on."""

import pytest

from detectors import case
from remediation.policy import Policy


@pytest.mark.parametrize("strength", [1.0, 1.5, 2.0])
def test_an_accusation_is_sure_enough_to_act_on_from_the_first(strength):
    # The evidence is kept to twice what accuses, and a verdict is repeated every five minutes only.
    assert case._confidence(strength) >= Policy().confidence
