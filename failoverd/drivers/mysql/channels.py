"""Changes of replication channels on a claimed server. No relay log is thrown away here before it has been executed.

CHANGE and RESET on a channel whose threads are both stopped delete its relay logs; with the applier running, CHANGE
keeps them, as long as SOURCE_AUTO_POSITION is not named. So the applier is never stopped on the way to another source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from failoverd.drivers.mysql import filters, statements
from failoverd.drivers.mysql.access import ReplicationAccess, insists
from failoverd.drivers.mysql.claim_session import LIMIT, ClaimSession
from failoverd.drivers.mysql.partial import Partial
from failoverd.drivers.mysql.statements import Statement
from failoverd.gtid import GtidSet
from failoverd.model.cloning import UNFINISHED
from failoverd.model.counted import counted
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.sight import Channel, Endpoint, ServerState, Thread
from failoverd.model.steps import NOWHERE, SPLICE_CHANNEL

MAIN = ""
_STOP_INCOMPLETE = frozenset({1875, 1876})  # the applier or the receiver has not stopped in time, and will
_NO_CHANNEL = frozenset({1200, 3074})
_POLL = 0.01
_STOP_PATIENCE = 10.0
# A receiver that looks up a name stops when its resolver has given up.
_RESOLVER_PATIENCE = 45.0
_SLOWEST_READ = 20e6  # bytes a second that a server reads of files that it adopts


class Channels:
    """The default channel and the splice channel of one claimed server; others are never touched."""

    def __init__(self, session: ClaimSession, replication: ReplicationAccess) -> None:
        self._session = session
        self._replication = replication

    def stop_receiver(self, timeout: float) -> ServerState:
        """Stop the receiver of the default channel and confirm that it is off: the state in which it is."""
        return self._stop(statements.STOP_RECEIVER, MAIN, timeout)

    def start_receiver(self) -> None:
        """Start the receiver of the default channel."""
        self._session.change(statements.START_RECEIVER, MAIN)

    def restart_receiver(self) -> None:
        """Stop the receiver of the default channel and start it: it tells its source anew what it can do."""
        self.stop_receiver(_STOP_PATIENCE)
        self.start_receiver()

    def start_applier(self, channel: str) -> None:
        """Start the applier of one of our two channels."""
        if channel not in {MAIN, SPLICE_CHANNEL}:
            raise StepFailed(f"{self._session.where}: channel {channel!r} is not ours to start")
        self._session.change(statements.START_APPLIER, channel)

    def disarm(self) -> None:
        """Point the default channel at a name that never resolves; nothing happens where there is none."""
        main = self._changeable(self._session.read())
        if main is None or main.source.host == NOWHERE.host:
            return
        if lost := self._change({"SOURCE_HOST": NOWHERE.host, "SOURCE_PORT": NOWHERE.port}, self._refuse):
            raise StepFailed(f"{self._session.where} lost relay logs in a CHANGE", lost.shorten())

    def mark_unfinished(self) -> None:
        """Let the default channel say, also after a crash, that the server's data is being overwritten."""
        self._stop(statements.STOP_CHANNEL, MAIN, _RESOLVER_PATIENCE)
        self._send({"SOURCE_HOST": UNFINISHED.host, "SOURCE_PORT": UNFINISHED.port})

    def follow(self, source: Endpoint, keep: Callable[[], None]) -> GtidSet:
        """Let the default channel follow `source`, making one where there is none; gives what went of its relay logs.

        `keep` is called where they are still needed, before anything is changed.
        """
        state = self._session.read()
        main = self._changeable(state)
        if main is None:
            self._begin(source)
            return GtidSet()
        if not main.auto_position:
            raise StepFailed(
                f"{self._session.where} follows by file and position",
                "",
                "give it SOURCE_AUTO_POSITION = 1 by hand",
            )
        options = {"SOURCE_HOST": source.host, "SOURCE_PORT": source.port, **self._login(), **self._timing()}
        if not insists(self._replication.tls):
            options["GET_SOURCE_PUBLIC_KEY"] = 1
        self._tune()
        try:
            lost = self._change(options, keep)
        except StepFailed:
            if main.receiver is not Thread.NO:
                self.start_receiver()
            raise
        self.start_receiver()
        if lost:
            self.start_applier(MAIN)
        return lost

    def refetch(self, source: Endpoint, elsewhere: GtidSet, partial: Partial) -> None:
        """Throw the relay logs of the default channel away and fetch anew, options kept; guarded as the module says.

        A channel whose index is gone is set up by the server only when a start is tried; without that it resets
        nothing.
        """
        state = self._session.read()
        if state.main is None:
            raise StepFailed(f"{self._session.where} has no source", "", "let it follow one first")
        if _channel(state, SPLICE_CHANNEL) is not None:
            raise StepFailed(f"{self._session.where} still has the splice channel", "", "drop it first")
        self._must_be_elsewhere(state, elsewhere)
        self.stop_receiver(_STOP_PATIENCE)
        partial.end()
        self._stop(statements.STOP_CHANNEL, MAIN, _STOP_PATIENCE, meanwhile=partial.end_begun)
        self._must_be_elsewhere(self._session.read(), elsewhere)
        self._session.change(statements.RENEW_RELAY_LOGS, MAIN)
        if state.main.source == source:
            self._session.change(statements.START_CHANNEL, MAIN)
            return
        self.follow(source, self._refuse)
        self.start_applier(MAIN)

    def _must_be_elsewhere(self, state: ServerState, elsewhere: GtidSet) -> None:
        left = state.unapplied - elsewhere
        if left:
            raise StepFailed(
                f"{self._session.where}: its relay logs hold {counted(left.count(), 'transaction')} held nowhere else",
                left.shorten(),
                "they are left as they are",
            )

    def forget(self, partial: Partial) -> None:
        """Stop and remove the default channel, with what it has received only in part."""
        if self._session.read().main is None:
            return
        self._must_be_executed(self.stop_receiver(_STOP_PATIENCE), MAIN)
        if not partial.end():
            partial.end_unbegun()
        self._stop(statements.STOP_CHANNEL, MAIN, _STOP_PATIENCE, meanwhile=partial.end_begun)
        self._session.change(statements.FORGET_CHANNEL, MAIN)

    def adopt(self, relay_log_file: str, size: int) -> GtidSet:
        """Make the splice channel of `size` bytes laid out beside the relay logs, and start its applier only.

        Gives what the server says they hold: nothing with relay_log_recovery, which reads no files into that set.
        """
        if _channel(self._session.read(), SPLICE_CHANNEL) is not None:
            # a CHANGE of an existing channel would delete the very files
            raise StepFailed(f"{self._session.where} has a splice channel already", "", "drop it first")
        limit = LIMIT + size / _SLOWEST_READ
        self._session.change(statements.ADOPT_FILES, NOWHERE.host, relay_log_file, SPLICE_CHANNEL, limit=limit)
        self._copy_filters()
        channel = _channel(self._session.read(), SPLICE_CHANNEL)
        if channel is None or not (channel.received or self._begins_with_transactions(relay_log_file)):
            # without laid-out files the server makes an empty one of that name and is content
            self.drop_spliced()
            raise StepFailed(f"{self._session.where} finds no transaction in {relay_log_file}", "", "lay the files out")
        self.start_applier(SPLICE_CHANNEL)
        return channel.received

    def drop_spliced(self) -> None:
        """Stop and remove the splice channel; its files stay elsewhere, these are copies."""
        if _channel(self._session.read(), SPLICE_CHANNEL) is None:
            return
        self._stop(statements.STOP_CHANNEL, SPLICE_CHANNEL, _STOP_PATIENCE)
        self._session.change(statements.FORGET_CHANNEL, SPLICE_CHANNEL)

    def _begins_with_transactions(self, relay_log_file: str) -> bool:
        events = self._session.rows(statements.READ_FIRST_EVENTS, relay_log_file, SPLICE_CHANNEL)
        return any("gtid" in str(row["Event_type"]).lower() and "Previous" not in row["Event_type"] for row in events)

    def _copy_filters(self) -> None:
        """What the default channel leaves out or renames, the splice channel must too; set before its applier runs."""
        main, ours = (self._session.rows(statements.READ_FILTERS, name) for name in (MAIN, SPLICE_CHANNEL))
        try:
            for name, rule in filters.differing(main, ours):
                self._session.change(filters.change_filter(name, rule), SPLICE_CHANNEL)
        except StepFailed:
            self.drop_spliced()
            raise

    def _begin(self, source: Endpoint) -> None:
        """A default channel where there is none: here everything is named."""
        replication = self._replication
        options: dict[str, object] = {
            "SOURCE_HOST": source.host,
            "SOURCE_PORT": source.port,
            "SOURCE_SSL": int(replication.tls != "off"),
            "SOURCE_AUTO_POSITION": 1,
            **self._login(),
            **self._timing(),
        }
        if replication.tls.startswith("verify"):
            # a channel with an authority verifies the chain in any case; this option adds the name
            options["SOURCE_SSL_CA"] = replication.ca_file
            options["SOURCE_SSL_VERIFY_SERVER_CERT"] = int(replication.tls == "verify-identity")
        if not insists(replication.tls):
            options["GET_SOURCE_PUBLIC_KEY"] = 1
        self._tune()
        self._send(options)
        self._session.change(statements.START_CHANNEL, MAIN)

    def _login(self) -> dict[str, object]:
        return {"SOURCE_USER": self._replication.user, "SOURCE_PASSWORD": self._replication.password}

    def _timing(self) -> dict[str, object]:
        replication = self._replication
        if not replication.tune:
            return {}
        return {
            "SOURCE_CONNECT_RETRY": max(round(replication.connect_retry), 1),
            "SOURCE_RETRY_COUNT": replication.retry_count,
            statements.HEARTBEAT_PERIOD: replication.heartbeat,
        }

    def _tune(self) -> None:
        if self._replication.tune:
            self._session.change(statements.SET_NET_TIMEOUT, max(round(self._replication.net_timeout), 1))

    def _changeable(self, state: ServerState) -> Channel | None:
        """The default channel, if a CHANGE of it would lose nothing; StepFailed otherwise."""
        if _channel(state, SPLICE_CHANNEL) is not None:
            raise StepFailed(f"{self._session.where} still has the splice channel", "", "drop it first")
        if state.main is not None and state.main.applier is not Thread.YES:
            self._must_be_executed(state, MAIN)
        return state.main

    def _change(self, options: Mapping[str, object], keep: Callable[[], None]) -> GtidSet:
        """Stop the receiver, look again, change: what came in meanwhile counts, and so does an applier that died.

        Gives what is received no more and was not executed.
        """
        state = self.stop_receiver(_STOP_PATIENCE)
        self._changeable(state)
        if not state.unapplied:  # nothing of its relay logs is needed any more
            self._send(options)
            return GtidSet()
        keep()
        self._send(options)
        after = self._session.read()
        return state.holds - after.holds

    def _refuse(self) -> None:
        """Where nobody keeps relay logs, all of them must be executed."""
        self._must_be_executed(self._session.read(), MAIN)

    def _send(self, options: Mapping[str, object]) -> None:
        names = [name for name in statements.SOURCE_OPTIONS if name in options]
        self._session.change(statements.change_source(names), *(options[name] for name in names), MAIN)

    def _must_be_executed(self, state: ServerState, name: str) -> None:
        channel = _channel(state, name)
        left = channel.received - state.executed if channel else GtidSet()
        if left:
            raise StepFailed(
                f"{self._session.where} has received and not executed {counted(left.count(), 'transaction')}",
                left.shorten(),
                "start its applier, or keep its relay logs first",
            )

    def _stop(
        self, statement: Statement, channel: str, timeout: float, meanwhile: Callable[[], object] = lambda: None
    ) -> ServerState:
        """Stop threads and confirm it by the state. After 1875 the stop stays pending, so it is waited for, not sent
        again.
        """
        end = self._session.clock.now() + timeout
        try:
            state = self._session.stop(statement, channel, timeout)
        except ServerError as error:
            if error.code in _NO_CHANNEL:
                return self._session.read()
            if error.code not in _STOP_INCOMPLETE:
                raise
            state = self._session.read()
        whole = statement is statements.STOP_CHANNEL
        while not _stopped(_channel(state, channel), whole):
            if self._session.clock.now() > end:
                raise StepFailed(f"{self._session.where}: a replication thread did not stop", f"within {timeout:g} s")
            meanwhile()
            self._session.clock.sleep(_POLL)
            state = self._session.read()
        return state


def _channel(state: ServerState, name: str) -> Channel | None:
    return next((channel for channel in state.channels if channel.name == name), None)


def _stopped(channel: Channel | None, whole: bool) -> bool:
    if channel is None:
        return True
    return channel.receiver is Thread.NO and (not whole or channel.applier is Thread.NO)
