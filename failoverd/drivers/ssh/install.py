"""Putting the agent on a database host: one login with an ordinary shell, one script, safe to repeat."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass

import paramiko

from failoverd.drivers.ssh.access import ZIPAPP, AgentAccess, serve_command
from failoverd.drivers.ssh.agent_client import AgentChannel
from failoverd.drivers.ssh.connection import SshAccess, connect, open_key, translated
from failoverd.model.errors import AgentError

_TIME = 60.0
_LONGEST_WORD = 4000

# Arguments: directory, account, hash, yes or no to another version, the key line or nothing. Input: the zipapp.
# What belongs to the agent's account is written by that account, so that root follows no link it has laid.
_SCRIPT = """
set -eu
umask 022
PATH=/usr/sbin:/usr/bin:/sbin:/bin
dir=$1 user=$2 sha=$3 upgrade=$4 key=$5
uid=$(id -u "$user") || { echo "there is no account $user on this host" >&2; exit 1; }
gid=$(id -g "$user")
place=$dir/ZIPAPP
was=
if [ -f "$place" ]; then was=$(sha256sum "$place"); was=${was%% *}; fi
if [ -n "$was" ] && [ "$was" != "$sha" ] && [ "$upgrade" != yes ]; then
    echo "another version is installed: say --upgrade, and never during an operation" >&2
    exit 1
fi
mkdir -p "$dir"
chown 0:0 "$dir"
chmod 755 "$dir"
if [ "$was" = "$sha" ]; then
    cat > /dev/null
    said=already
else
    new=$(mktemp "$dir/.new.XXXXXX")
    trap 'rm -f "$new"' EXIT
    cat > "$new"
    came=$(sha256sum "$new")
    [ "${came%% *}" = "$sha" ] || { echo "the zipapp came damaged" >&2; exit 1; }
    chmod 755 "$new"
    sync "$new"
    mv -f "$new" "$place"
    said=done
fi
chown 0:0 "$place"
chmod 755 "$place"
mkdir -p "$dir/state"
chown "$uid:$gid" "$dir/state"
chmod 700 "$dir/state"
if [ -n "$key" ]; then
    home=$(getent passwd "$user" | cut -d: -f6)
    runuser -u "$user" -- /bin/sh -c '
        set -eu
        umask 077
        mkdir -p "$1/.ssh"
        touch "$1/.ssh/authorized_keys"
        grep -qxF -e "$2" "$1/.ssh/authorized_keys" || printf "%s\\n" "$2" >> "$1/.ssh/authorized_keys"
    ' sh "$home" "$key" || { echo "the key line could not be written below $home" >&2; exit 1; }
fi
echo $said
""".replace("ZIPAPP", ZIPAPP)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be installed where: `login` is the installing account, root or one that may use sudo without a
    password.
    """

    agent: AgentAccess
    login: SshAccess
    write_key: bool = False
    upgrade: bool = False


def install(order: Order, zipapp: bytes, sha256: str) -> Mapping[str, object]:
    """Put the agent there and ask it for its hello: `{"server", "outcome", "key_line", "sudoers_line", "detail"}`.

    `outcome` is done, already or failed. Never raises for what a host does.
    """
    agent = order.agent
    told: dict[str, object] = {"server": agent.server, "outcome": "failed", "key_line": "", "detail": ""}
    told["sudoers_line"] = sudoers_line(agent)
    try:
        told["key_line"] = line = key_line(agent)
        told["outcome"] = put(order, zipapp, sha256, line if order.write_key else "")
    except AgentError as error:
        return {**told, "detail": str(error)}
    return {**told, "detail": greeting(agent, sha256)}


def key_line(agent: AgentAccess) -> str:
    """The line for authorized_keys that binds the managers' key to the agent. Raises AgentError for a bad key file."""
    key = open_key(agent.ssh)
    command = serve_command(agent.dir).replace("\\", "\\\\").replace('"', '\\"')
    return f'restrict,command="{command}" {key.get_name()} {key.get_base64()} failoverd'


def sudoers_line(agent: AgentAccess) -> str:
    """The one rule that the agent's account needs; empty for root."""
    if agent.ssh.user == "root":
        return ""
    return f"{agent.ssh.user} ALL=(root) NOPASSWD: /usr/bin/python3 -I -S {agent.dir}/{ZIPAPP} door"


def put(order: Order, zipapp: bytes, sha256: str, line: str) -> str:
    """Run the script on the host: `done` or `already`. Raises AgentError with what the host said."""
    upgrade = "yes" if order.upgrade else "no"
    words = ["/bin/sh", "-c", _SCRIPT, "sh", order.agent.dir, order.agent.ssh.user, sha256, upgrade, line]
    command = shlex.join(words if order.login.user == "root" else ["sudo", "-n", *words])
    client = connect(order.login)
    try:
        status, said, complaint = run(client, order.login, command, zipapp)
    finally:
        client.close()
    if status or said not in {"done", "already"}:
        why = complaint or said or f"it ended with {status}"
        raise AgentError(f"the agent could not be put on {order.login}", why, code="INSTALL")
    return said


def run(client: paramiko.SSHClient, login: SshAccess, command: str, given: bytes) -> tuple[int, str, str]:
    """Run a command with an input: its exit status, the last line of its output, its complaint."""
    transport, deadline = client.get_transport(), time.monotonic() + _TIME
    if transport is None:
        raise translated(EOFError("the connection has ended"), login)
    try:
        channel = transport.open_session(timeout=login.timeout)
        channel.settimeout(_TIME)
        channel.exec_command(command)
        with contextlib.suppress(OSError):  # a script that refuses does not read to the end
            channel.sendall(given)
        channel.shutdown_write()
        complaint = channel.makefile_stderr("rb").read(_LONGEST_WORD).decode("utf-8", "replace").strip()
        said = channel.makefile("rb").read(_LONGEST_WORD).decode("utf-8", "replace").strip()
        while not channel.exit_status_ready():  # recv_exit_status would wait without end
            if time.monotonic() > deadline:
                raise TimeoutError("the command does not end")
            time.sleep(0.01)
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise translated(error, login) from error
    return channel.recv_exit_status(), said.splitlines()[-1] if said else "", complaint


def greeting(agent: AgentAccess, sha256: str) -> str:
    """What the agent says when it is spoken to as the managers will: a sentence, also where it does not answer yet."""
    try:
        client = connect(agent.ssh)
    except AgentError as error:
        return f"the managers cannot log in yet: {error}"
    try:
        channel = AgentChannel(client, agent.ssh, agent.command)
    except AgentError as error:
        return f"the agent does not answer yet: {error}"
    hello = channel.hello
    channel.close()
    if hello.get("sha256") != sha256:
        return f"another agent answers: version {hello.get('version')}; is the key bound to another directory?"
    door = hello.get("door")
    shut = "" if door == "ok" else f"; its door is shut ({door}): put the sudoers line in place"
    return f"version {hello.get('version')} answers as {hello.get('user')}{shut}"
