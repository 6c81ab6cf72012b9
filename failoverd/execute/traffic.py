"""TRAFFIC: lead the clients to the new primary: its virtual address, and HAProxy."""

from __future__ import annotations

from collections.abc import Callable

from failoverd.execute.hands import Hands
from failoverd.model.errors import CoordinationError, StepFailed
from failoverd.model.steps import LeaveAddress, SteerBalancers, TakeAddress
from failoverd.model.traffic import Steering

# A HAProxy that does not answer in this time is mended later (seconds); all are told side by side.
BALANCER = 1.0


def take_address(step: TakeAddress, hands: Hands) -> str:
    """Bring the address to the host, and tell the neighbours whatever was there before."""
    taken = hands.agents.take_address(hands.cluster, step.server, step.vip, hands.lease)
    return "brought and announced" if taken else "was there, announced again"


def leave_address(step: LeaveAddress, hands: Hands) -> str:
    """Take the address away from a host that is not the primary's."""
    left = hands.agents.leave_address(hands.cluster, step.server, step.vip, hands.lease)
    return "taken away" if left else "was not there"


def steer_balancers(step: SteerBalancers, hands: Hands) -> str:
    """Tell every HAProxy; those that cannot be told are named, and do not hold up the others."""
    balancers, haproxy = hands.outside.balancers, step.haproxy
    if balancers is None:
        raise StepFailed("this process has no way to HAProxy")

    def telling(socket: str) -> Callable[[], int]:
        wanted = Steering(socket, haproxy.backend, step.server, frozenset(step.others))
        return lambda: balancers.steer(wanted, hands.lease, BALANCER)

    calls = {socket: telling(socket) for socket in haproxy.sockets}
    answers = hands.tasks.gather(calls, BALANCER + 0.5)
    for answer in answers.values():
        if isinstance(answer, CoordinationError):
            raise answer
    failed = [f"{socket}: {answer}" for socket, answer in answers.items() if isinstance(answer, Exception)]
    if failed:
        raise StepFailed(f"{len(failed)} of {len(answers)} HAProxies were not told", "; ".join(failed))
    return f"{len(answers)} told"
