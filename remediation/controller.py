"""What guard does about accused nodes: `decide(state, event, policy, now)`, and nothing else decides.

Pure: time and the world come in as events, and what goes out are records of the ledger. Events fill in the
picture of the world or the durable part of the state; `Tick` alone decides. What it decides takes effect when its
records are read back from the ledger (`Recorded`), and until all of them are, nothing more is decided: so the
durable part is a fold over the ledger and nothing else, and a crash between deciding and recording loses nothing.
"""

from remediation.deciding import decide
from remediation.due import due, jobs_followed, taking_over
from remediation.rails import Ruling, rails
from remediation.state import State

__all__ = ["Ruling", "State", "decide", "due", "jobs_followed", "rails", "taking_over"]
