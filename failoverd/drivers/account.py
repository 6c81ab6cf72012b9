"""Whose account this process works as."""

from __future__ import annotations

import os
import pwd
from pathlib import Path


def leave_root_for(folder: Path) -> None:
    """Where root runs us: go on for good as the account that owns this folder; nothing where root owns it or it is not
    there. What a command of root's writes there stays the manager's to read and to change.
    """
    if os.geteuid() != 0 or not folder.is_dir():
        return
    found = folder.stat()
    if found.st_uid == 0:
        return
    try:
        account = pwd.getpwuid(found.st_uid)
    except KeyError:
        os.setgroups([])
        os.setgid(found.st_gid)
    else:
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
    os.setuid(found.st_uid)
