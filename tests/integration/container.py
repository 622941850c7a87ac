#!/usr/bin/env python3
"""Starts a program as a container runtime does: its own view of files, read-only but for what is mounted; a user
without root's rights, capabilities that are counted out, and no way to get more.

usage: container.py ROOT UID CAPABILITIES MOUNTS COMMAND...

Used in tests, behind `ip netns exec`, which has made a mount namespace already.  CAPABILITIES are numbers and MOUNTS
FROM=TO, each separated by commas; a FROM is a file or folder of the host, a TO a path in ROOT that exists.
"""

import ctypes
import os
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18  # linux/mount.h
PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 8, 24, 38  # linux/prctl.h
CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
LAST_CAPABILITY = 40


def done(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def mount(source, target, flags):
    done(LIBC.mount(os.fsencode(source), os.fsencode(target), None, flags, None), f"mount {source} on {target}")


def set_capabilities(numbers):
    """Permitted and effective; nothing is inheritable, as runtimes have it since 2022."""
    words = [sum(1 << number % 32 for number in numbers if number // 32 == half) for half in (0, 1)]
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    data = b"".join(struct.pack("=III", word, word, 0) for word in words)
    done(LIBC.capset(header, data), "capset")


def main():
    root, user, capabilities, mounts = sys.argv[1:5]
    kept = {int(number) for number in capabilities.split(",") if number}
    mount("none", "/", MS_REC | MS_PRIVATE)
    mount(root, root, MS_BIND)
    for pair in ["/proc=/proc", "/sys=/sys", "/dev=/dev", *filter(None, mounts.split(","))]:
        source, target = pair.split("=")
        mount(source, root + target, MS_BIND | MS_REC)
    mount(root, root, MS_REMOUNT | MS_BIND | MS_RDONLY)
    os.chroot(root)
    os.chdir("/")
    for number in range(LAST_CAPABILITY + 1):
        if number not in kept:
            done(LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), "prctl")
    done(LIBC.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl")
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
    set_capabilities(kept)
    done(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    os.execve(sys.argv[5], sys.argv[5:], os.environ)


if __name__ == "__main__":
    main()
