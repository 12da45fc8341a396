"""What every bus must do. A test module of an implementation subclasses ``BusContract`` and gives ``make_bus``."""

from tests.bus_delivery_contract import DeliveryContract
from tests.bus_exchange import PATIENCE, PUBLISH, SESSION, in_order_per_key, read, records, settle, values
from tests.bus_group_contract import GroupContract

__all__ = [
    "PATIENCE",
    "PUBLISH",
    "SESSION",
    "BusContract",
    "in_order_per_key",
    "read",
    "records",
    "settle",
    "values",
]


class BusContract(DeliveryContract, GroupContract):
    """All of it."""
