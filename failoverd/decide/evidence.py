"""What was seen of the primary, by every route, with ages: the grounds that a verdict carries."""

from __future__ import annotations

from failoverd.decide.situation import Situation
from failoverd.decide.testimony import Word
from failoverd.model.counted import counted
from failoverd.model.sight import ServerState
from failoverd.model.verdict import Evidence


def gather(s: Situation) -> tuple[Evidence, ...]:
    """All grounds, our own look first. Of a primary that answers, its own word is enough."""
    name = s.recorded.name
    if name not in s.snapshot.sights:
        return ()
    if s.primary is not None:
        state = "takes writes" if s.primary.writable else "is closed for writes"
        answer = Evidence("answer", "sql", s.since(s.primary.read_at), f"{name} answers and {state}")
        return (answer, *_waits(s, s.primary), *_write(s), *_disk(s))
    age = s.since(s.missed.read_at)
    own = Evidence(str(s.missed.why), "sql", age, f"{name} did not answer: {s.missed.text}")
    return (own, *_misses(s), *_agent(s), *_routes(s))


def _waits(s: Situation, primary: ServerState) -> tuple[Evidence, ...]:
    if primary.waits is None or not str(primary.waits):
        return ()
    stood = s.since(s.history.stuck_since)
    return (Evidence("waiting", "sql", stood, f"nothing committed for {stood:.1f} s, waiting: {primary.waits}"),)


def _write(s: Situation) -> tuple[Evidence, ...]:
    unwritten = s.history.unwritten
    if unwritten is None:
        return ()
    return (Evidence("write", "write probe", s.since(unwritten.since), f"{unwritten}"),)


def _disk(s: Situation) -> tuple[Evidence, ...]:
    trouble = s.history.disk
    if trouble is None:
        return ()
    age = s.since(trouble.seen_at)
    return (Evidence("disk", "agent", age, f"the file system of {s.recorded.name} is {trouble.what}"),)


def _misses(s: Situation) -> tuple[Evidence, ...]:
    if not s.history.misses:
        return ()
    return (Evidence("misses", "sql", s.elapsed, f"missed {counted(s.history.misses, 'time')} in {s.elapsed:.1f} s"),)


def _agent(s: Situation) -> tuple[Evidence, ...]:
    name, facts = s.recorded.name, s.facts
    if facts is None:
        return (Evidence("agent-silent", "agent", 0.0, f"the agent of {name} says nothing"),)
    age = s.since(facts.read_at)
    if facts.alive:
        where = f"process {facts.pids[0]} in state {facts.process_state}" if facts.pids else "a process"
        return (Evidence("process", "agent", age, f"{where} holds the data directory of {name}"),)
    how = ", stopped by order" if facts.orderly else ""
    return (Evidence("no-process", "agent", age, f"no process holds the data directory of {name}{how}"),)


def _routes(s: Situation) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(str(t.word) if t.word is not Word.ABSTAINS else "nothing", t.route, t.age, t.sentence)
        for t in s.testimonies()
    )
