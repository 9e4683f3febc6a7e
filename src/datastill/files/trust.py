"""Folders that code is loaded from: nobody else may be able to put anything there."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path


def why_not_ours(folder: Path) -> str:
    """What lets other users decide what is in a folder, and what to do about it; "" if nothing does.

    It and the folders that it is in must belong to this user or to root, and nobody else may write there; in those above it others may
    write if, as in ``/tmp``, they cannot rename what is not theirs.

    Args:
        folder: It need not exist.
    """
    real = folder.resolve()
    for place in (*([folder] if folder.is_symlink() else []), real, *real.parents):
        try:
            found = place.lstat()
        except FileNotFoundError:
            continue
        if found.st_uid not in (0, os.geteuid()):
            return f"{place} belongs to {_user(found.st_uid)}"
        kept = found.st_mode & stat.S_ISVTX and place != real
        if not stat.S_ISLNK(found.st_mode) and not kept and _others_write(found):
            return f"other users can write to {place} (`chmod go-w {place}` ends that)"
    return ""


def _others_write(found: os.stat_result) -> bool:
    return bool(found.st_mode & stat.S_IWOTH) or (bool(found.st_mode & stat.S_IWGRP) and not _of_one_user(found.st_gid))


def _of_one_user(group: int) -> bool:
    """Whether a group is the one that many systems make for each user, of the same name and with no other members."""
    try:
        user, members = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return user.pw_gid == group and members.gr_name == user.pw_name and set(members.gr_mem) <= {user.pw_name}


def _user(number: int) -> str:
    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"the user {number}"
