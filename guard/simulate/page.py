"""The page of results: what stands between its markers is written by the command."""

from guard.bench.tables import markdown
from guard.simulate.detection import SOURCE
from guard.simulate.published import REMARK
from guard.simulate.run import Simulated
from guard.simulate.tables import assumed, refusals, results

PLACE = "loop"
"""Name of the page's markers."""


def page(simulated: Simulated) -> str:
    """How it was made, the results, and every assumption."""
    plan = simulated.plan
    made = (
        f"Made by `guard simulate loop` at commit {simulated.commit}: {plan.seeds} seeds from {plan.seed}, "
        f"{plan.assumptions.days:g} days of {plan.assumptions.nodes:,} nodes each. Intervals are of 95 %, by "
        "bootstrap over seeds."
    )
    given = f"Repairs last as {plan.repairs.source}. Detection is that of {SOURCE}."
    tables = [
        table
        for table in (results(simulated.months), refusals(simulated.months), assumed(plan.assumptions))
        if table
    ]
    return "\n\n".join([made, given, REMARK, *(markdown(table) for table in tables)])
