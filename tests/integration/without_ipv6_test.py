#!/usr/bin/env python3
"""waypost-dns in a kernel without IPv6, which a filter of system calls stands in for: socket(AF_INET6, …) fails there
as it does after ipv6.disable=1."""

import ctypes
import platform
import struct
import subprocess

from harness import DNS_PROGRAM, SHOP, Checks, Folder, Server

checks = Checks()
LIBC = ctypes.CDLL(None, use_errno=True)
SOCKET = {"x86_64": 41, "aarch64": 198}.get(platform.machine())  # The number of socket(2).
AF_INET6, EAFNOSUPPORT = 10, 97
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | EAFNOSUPPORT


def take_ipv6_away():
    """For this process and those that it starts (seccomp(2))."""
    program = b"".join(struct.pack("=HBBI", *step) for step in (
        (LOAD, 0, 0, 0),  # The number of the system call.
        (JUMP_EQUAL, 0, 3, SOCKET),
        (LOAD, 0, 0, 16),  # The lower half of its first argument.
        (JUMP_EQUAL, 0, 1, AF_INET6),
        (RETURN, 0, 0, FAIL),
        (RETURN, 0, 0, ALLOW)))
    code = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(code))
    if LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, described):
        raise OSError(ctypes.get_errno(), "prctl")


class WithoutIpv6(Server):
    def start(self, command, **options):
        return subprocess.Popen(command, preexec_fn=take_ipv6_away, **options)


def serves():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        both = "0.0.0.0:0,[::]:0"
        with WithoutIpv6("--manifests", folder.path, "--health-listen", both, "--ready-listen", both, "--metrics-listen",
                         both, listen=("0.0.0.0:0", "[::]:0")) as server:
            places = [line.split(" on ")[1] for line in server.out if " on " in line]
            # DNS, health, ready and readiness, metrics and the page.
            checks.equal("it listens and serves on IPv4 alone", len(places), 6)
            checks.lacks("and says nothing of IPv6", " ".join(places), "[::]")
            checks.equal("it answers", server.dig("web.shop.svc.cluster.local", address="127.0.0.1").values(),
                         ["10.96.0.7"])
        with Server("--manifests", folder.path, listen=("0.0.0.0:0", "[::]:0")) as server:
            checks.equal("elsewhere on both", len(server.addresses), 2)


def refuses():
    """An address of IPv6 that somebody asks for alone."""
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        for addresses in ("[::]:0", "0.0.0.0:0,[::1]:0"):
            done = subprocess.run([DNS_PROGRAM, "--manifests", folder.path, "--listen", addresses], timeout=20,
                                  capture_output=True, text=True, check=False, preexec_fn=take_ipv6_away)
            checks.equal(f"{addresses}: exit code", done.returncode, 1)
            checks.contains(f"{addresses}: message", done.stderr, "Address family not supported by protocol")


if SOCKET is None:
    checks.skip(f"the number of socket(2) on {platform.machine()} is not known here")
else:
    serves()
    refuses()
checks.finish()
