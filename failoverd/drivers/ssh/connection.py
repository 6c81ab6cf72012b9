"""One SSH connection: strict host keys, one key, every step with a deadline; errors name the host and what to do."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from pathlib import Path

import paramiko

from failoverd.model.errors import AgentError

# What paramiko logs with tracebacks is told once by the errors below.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

_LATE = ("timeout", "timed out", "banner", "no existing session", "channel closed")  # of paramiko: it waited in vain
_CUT_NOTICED = 3000  # milliseconds that sent bytes may stay unacknowledged


@dataclass(frozen=True, slots=True)
class SshAccess:
    """How one host is logged into; `known_hosts` must hold its key beforehand. `timeout` is seconds for each step."""

    host: str
    user: str
    key_file: Path
    known_hosts: Path
    port: int = 22
    timeout: float = 3.0

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


def connect(access: SshAccess) -> paramiko.SSHClient:
    """Connect and log in. Raises AgentError UNREACHABLE, TIMEOUT, HOST_KEY or AUTH."""
    key = open_key(access)
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(_Refuse(access))
    _load_known_hosts(client, access)
    plain = _socket(access)
    try:
        client.connect(
            access.host,
            access.port,
            username=access.user,
            pkey=key,
            sock=plain,
            look_for_keys=False,
            allow_agent=False,
            timeout=access.timeout,
            banner_timeout=access.timeout,
            auth_timeout=access.timeout,
            channel_timeout=access.timeout,
        )
    except AgentError:
        _end(client, plain)
        raise
    except (paramiko.SSHException, OSError, EOFError) as error:
        _end(client, plain)
        raise translated(error, access) from error
    return client


def translated(error: Exception, access: SshAccess) -> AgentError:
    """What went wrong on the way to a host, in our words."""
    where, told = str(access), str(error) or type(error).__name__
    if isinstance(error, paramiko.BadHostKeyException):
        hint = f"somebody else answers there, or the host was rebuilt: compare and correct {access.known_hosts}"
        return AgentError(f"the host key of {where} is not the known one", told, hint, code="HOST_KEY")
    if isinstance(error, TimeoutError) or any(words in told.lower() for words in _LATE):
        hint = "is the host frozen, or a firewall between?"
        return AgentError(f"{where} does not answer", told, hint, code="TIMEOUT")
    if isinstance(error, paramiko.AuthenticationException):
        hint = f"is the public half of {access.key_file} in that account's authorized_keys?"
        return AgentError(f"{where} refuses the login", told, hint, code="AUTH")
    return AgentError(f"{where} cannot be reached", told, "is the host up, and does its sshd run?", code="UNREACHABLE")


class _Refuse(paramiko.MissingHostKeyPolicy):
    """An unknown host is an error, never a new acquaintance."""

    def __init__(self, access: SshAccess) -> None:
        self._access = access

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raise, whatever the key is."""
        hint = f"add its line to {self._access.known_hosts} (ssh-keyscan, then compare on the host itself)"
        shown = f"it shows {key.get_name()} {key.fingerprint}" if hasattr(key, "fingerprint") else ""
        raise AgentError(f"the host key of {self._access} is not known", shown, hint, code="HOST_KEY")


def open_key(access: SshAccess) -> paramiko.PKey:
    """The private key of an access. Raises AgentError where others can read it, or it is none."""
    path = access.key_file
    try:
        if path.stat().st_mode & 0o077:
            raise AgentError(f"the key file {path} can be read by others", hint=f"chmod 600 {path}", code="AUTH")
        return paramiko.Ed25519Key(filename=str(path))
    except OSError as error:
        detail = error.strerror or str(error)
        raise AgentError(f"the key file {path} cannot be read", detail, "see ssh.key_file", code="AUTH") from error
    except (paramiko.SSHException, ValueError) as error:
        hint = "make one with ssh-keygen -t ed25519 -N ''"
        raise AgentError(f"the key file {path} holds no open ed25519 key", str(error), hint, code="AUTH") from error


def _load_known_hosts(client: paramiko.SSHClient, access: SshAccess) -> None:
    try:
        client.load_system_host_keys(str(access.known_hosts))
    except OSError as error:
        detail = error.strerror or str(error)
        hint = "see ssh.known_hosts"
        raise AgentError(f"{access.known_hosts} cannot be read", detail, hint, code="HOST_KEY") from error


def _socket(access: SshAccess) -> socket.socket:
    try:
        made = socket.create_connection((access.host, access.port), timeout=access.timeout)
    except TimeoutError as error:
        raise translated(error, access) from error
    except OSError as error:
        raise translated(error, access) from error
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _CUT_NOTICED)
    return made


def _end(client: paramiko.SSHClient, plain: socket.socket) -> None:
    client.close()
    plain.close()
