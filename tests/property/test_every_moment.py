"""A new wish at every moment of an order, with a step in a worker's hands: it is fulfilled, and so is the next."""

from __future__ import annotations

import pytest

from controller.operations import services
from tests.property.test_services_machine import ACTOR, Services

STEPS = 8
"""Of the longest order here."""


@pytest.mark.parametrize("product", ["all", pytest.param("one", marks=pytest.mark.long)])
@pytest.mark.parametrize("verb", ["suspend", "terminate", "redeploy", "change_product"])
def test_a_wish_at_any_moment_of_an_order_is_fulfilled(product: str, verb: str) -> None:
    for steps in range(STEPS):
        machine = Services()
        machine.open(product, steps)
        machine.claim_what_is_due("w1", steps)
        if verb == "change_product":
            services.change_product(machine.fleet, ACTOR, 1, product)
        elif verb == "redeploy":
            machine.ask_again(0, verb)
        else:
            machine.wish(0, verb)
        machine.promises_hold()
        if machine.hands:
            machine.finish_well(0)
            machine.promises_hold()
        machine.teardown()


@pytest.mark.parametrize(
    "product", ["all", pytest.param("web", marks=pytest.mark.long), pytest.param("one", marks=pytest.mark.long)]
)
def test_a_suspended_service_comes_back_whole_whenever_it_was_suspended(product: str) -> None:
    for steps in range(STEPS):
        machine = Services()
        machine.open(product, steps)
        machine.something_fails_for_good(steps)
        machine.wish(0, "suspend")
        machine.work(steps)
        machine.wish(0, "unsuspend")
        machine.promises_hold()
        machine.teardown()
