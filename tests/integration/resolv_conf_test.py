#!/usr/bin/env python3
"""`waypost resolv-conf`: what it prints, how it puts a file in its place, also over a mount, and that the resolvers of
glibc and musl find the cluster's names with that file, and in how many queries."""

import os
import pathlib
import re
import subprocess
import sys

from harness import TOOL_PROGRAM, Checks, Folder, Server, musl_lookup, run, service, total

checks = Checks()

HOST = "nameserver 192.0.2.53\nsearch host.example\noptions rotate\n"
CLUSTER = ("search shop.svc.cluster.local svc.cluster.local cluster.local host.example\n"
           "nameserver 10.96.0.10\noptions ndots:5\n")
DEPLOYMENT = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      dnsConfig:
        searches: [example.org]
        options: [{name: ndots, value: "2"}]
"""
# The host's own domain, and one outside.
ZONE = """\
$TTL 300
@ SOA ns hostmaster 1 3600 900 604800 300
  NS ns
ns A 192.0.2.1
"""
WWW = """\
www A 192.0.2.80
www AAAA 2001:db8::80
"""


def tool(*arguments, stdin=None):
    done = subprocess.run([str(TOOL_PROGRAM), "resolv-conf", *map(str, arguments)], capture_output=True, text=True,
                          input=stdin, timeout=20, check=False)
    return done.returncode, done.stdout, done.stderr


def printed(folder):
    host = folder.write("host.conf", HOST)
    node = ["--host-file", host, "--cluster-dns", "10.96.0.10"]
    checks.equal("ClusterFirst", tool("--namespace", "shop", *node), (0, CLUSTER, ""))
    checks.equal("Default", tool("--dns-policy", "Default", *node),
                 (0, "search host.example\nnameserver 192.0.2.53\noptions rotate\n", ""))
    checks.equal("None", tool("--dns-policy=None", "--nameserver", "169.254.20.10,10.96.0.10", "--search", "a.b",
                              "--search", "c", "--option", "ndots:1", *node),
                 (0, "search a.b c\nnameserver 169.254.20.10\nnameserver 10.96.0.10\noptions ndots:1\n", ""))
    checks.equal("ClusterFirst in the host's network", tool("--host-network", *node)[1],
                 "search host.example\nnameserver 192.0.2.53\noptions rotate\n")
    checks.equal("no file of the host", tool("--dns-policy", "Default", "--host-file", "", "--node-ip", "2001:db8::1"),
                 (0, "search .\nnameserver ::1\n", ""))
    code, out, err = tool("--host-file", host)
    checks.equal("no clusterDNS", (code, out), (0, "search host.example\nnameserver 192.0.2.53\noptions rotate\n"))
    checks.contains("no clusterDNS, as a kubelet tells", err, "warning: MissingClusterDNS: ")
    code, out, err = tool("--nameserver", "192.0.2.1,192.0.2.2,192.0.2.3", *node)
    checks.equal("four nameservers", (code, out.count("nameserver")), (0, 3))
    checks.contains("four nameservers, as a kubelet tells", err, "warning: DNSConfigForming: ")

    wanted = ("search shop.svc.cluster.local svc.cluster.local cluster.local host.example example.org\n"
              "nameserver 10.96.0.10\noptions ndots:2\n")
    checks.equal("a manifest", tool("--pod", folder.write("web.yaml", DEPLOYMENT), *node), (0, wanted, ""))
    checks.equal("a manifest on standard input", tool("--pod", "-", *node, stdin=DEPLOYMENT), (0, wanted, ""))
    checks.equal("a manifest without a namespace",
                 tool("--pod", "-", "--namespace", "shop", *node, stdin="apiVersion: v1\nkind: Pod\n"),
                 (0, CLUSTER, ""))

    def refused(asked, message, *arguments, stdin=None):
        code, out, err = tool(*arguments, stdin=stdin)
        checks.equal(asked, (code, out, err.rstrip("\n")), (1, "", message))

    refused("another namespace", "--namespace: found 'else', but Deployment shop/web is in another namespace",
            "--pod", "-", "--namespace", "else", *node, stdin=DEPLOYMENT)
    refused("a policy beside a manifest", "--dns-policy: cannot be given with --pod, whose manifest says it",
            "--pod", "-", "--dns-policy", "None", *node, stdin=DEPLOYMENT)
    refused("a bad manifest", "standard input: line 4: Pod p: spec.dnsPolicy: 'Cluster' is not ClusterFirst, "
            "ClusterFirstWithHostNet, Default or None", "--pod", "-", *node,
            stdin="apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {dnsPolicy: Cluster}\n")
    refused("no nameserver with None",
            "dnsConfig.nameservers: found none, expected at least one with dnsPolicy None", "--dns-policy", "None")
    refused("an address that is none", "--cluster-dns: found '10.96.0', expected an IP address",
            "--cluster-dns", "10.96.0")
    refused("a namespace that is none", "--namespace: found 'A b', expected a DNS label (a-z, 0-9 and '-', no '-' at "
            "its ends, at most 63 characters)", "--namespace", "A b")
    refused("a host's file that is not there", "--host-file: /nonexistent: no such file", "--host-file",
            "/nonexistent")
    broken = folder.write("broken.conf", "search a\nnameserver\n")
    refused("a host's file that is broken",
            f"{broken}: line 2: found 'nameserver' alone, expected an address behind it", "--host-file", broken)
    refused("an unknown flag", "--namespaces: found an unknown flag, expected perhaps '--namespace'",
            "--namespaces", "a")
    refused("a backup that is the file itself",
            f"--backup: found '{folder.path}/./resolv.conf', expected another file than that of --write",
            "--write", folder / "resolv.conf", "--backup", f"{folder.path}/./resolv.conf")
    refused("a revert of nothing", "--revert: expected --write PATH as well", "--revert")


def written(folder):
    path = folder.write("resolv.conf", HOST)
    arguments = ["--write", path, "--host-file", path, "--cluster-dns", "10.96.0.10"]
    checks.equal("written", tool("--namespace", "shop", *arguments), (0, f"{path}: replaced\n", ""))
    text = pathlib.Path(path).read_text()
    checks.equal("what is written", text.split("\n", 1)[1], CLUSTER)
    checks.equal("written again", tool("--namespace", "shop", *arguments), (0, f"{path}: is so already\n", ""))
    checks.equal("the backup", pathlib.Path(f"{path}.waypost-backup").read_text(), HOST)
    tool("--namespace", "other", *arguments)
    checks.equal("another namespace starts from the host's own file, which is the backup",
                 pathlib.Path(path).read_text().split("\n")[1],
                 "search other.svc.cluster.local svc.cluster.local cluster.local host.example")
    checks.equal("reverted", tool("--write", path, "--revert"), (0, f"{path}: as it was before\n", ""))
    checks.equal("what was there", pathlib.Path(path).read_text(), HOST)
    checks.equal("reverted again", tool("--write", path, "--revert"), (0, f"{path}: nothing to revert\n", ""))
    made = folder.path / "made.conf"
    checks.equal("where nothing was", tool("--write", made, "--host-file", path, "--dns-policy", "Default"),
                 (0, f"{made}: made; there was no file before\n", ""))
    checks.equal("nothing is again", (tool("--write", made, "--revert"), made.exists()),
                 ((0, f"{made}: removed; there was no file before\n", ""), False))
    link = pathlib.Path(path).parent / "link.conf"
    link.symlink_to(path)
    code, _, err = tool("--write", link, "--host-file", path)
    checks.equal("a symbolic link is refused", code, 1)
    checks.contains("and named", err, f"{link}: is a symbolic link, and none is followed")
    checks.equal("what it leads to is as it was", pathlib.Path(path).read_text(), HOST)


# ---- In namespaces of mounts and of the network -------------------------------------------------------------------


def mounted(folder):
    """A file that is mounted where it stands, as container runtimes do it."""
    outer = folder.write("outer.conf", HOST)
    inner = folder.write("etc/resolv.conf", "")
    subprocess.run(["mount", "--bind", outer, inner], check=True)
    arguments = ["--write", inner, "--host-file", inner, "--cluster-dns", "10.96.0.10", "--namespace", "shop"]
    before = os.stat(inner)
    checks.equal("a mount", tool(*arguments), (0, f"{inner}: written in place because it is a mount\n", ""))
    checks.equal("is written through", pathlib.Path(outer).read_text().split("\n", 1)[1], CLUSTER)
    checks.equal("and stays the same file", os.stat(inner).st_ino, before.st_ino)
    checks.equal("a mount again", tool(*arguments), (0, f"{inner}: is so already\n", ""))
    checks.equal("a mount is reverted", tool("--write", inner, "--revert"),
                 (0, f"{inner}: as it was before, written in place because it is a mount\n", ""))
    checks.equal("through it", pathlib.Path(outer).read_text(), HOST)

    # Only the file can be written, as with a root file system that is read-only.
    subprocess.run(["mount", "--bind", folder.path / "etc", folder.path / "etc"], check=True)
    subprocess.run(["mount", "--bind", outer, inner], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder.path / "etc"], check=True)
    code, _, err = tool(*arguments)
    checks.equal("no room for the backup", code, 1)
    checks.contains("is said", err, f"no backup can be made: {inner}.waypost-backup: cannot make "
                    "'resolv.conf.waypost-backup.waypost-tmp' beside it: Read-only file system")
    checks.equal("and nothing is written", pathlib.Path(outer).read_text(), HOST)
    elsewhere = folder.path / "kept"
    checks.equal("the backup elsewhere", tool(*arguments, "--backup", elsewhere)[0], 0)
    checks.equal("has what was there", elsewhere.read_text(), HOST)
    checks.equal("and is put back", (tool("--write", inner, "--revert", "--backup", elsewhere)[0],
                                     pathlib.Path(outer).read_text()), (0, HOST))
    for place in (inner, folder.path / "etc", inner):
        subprocess.run(["umount", place], check=True)


def queries(dns):
    """How many requests the server has counted."""
    return total(dns.metrics(), r"coredns_dns_requests_total\{[^}]*\}")


def resolvers(folder):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "addr", "add", "10.96.0.10/32", "dev", "lo"], check=True)
    # getent asks for AAAA where there is an IPv6 address besides the loopback one (AI_ADDRCONFIG).
    subprocess.run(["ip", "addr", "add", "fd00:96::10/128", "dev", "lo", "nodad"], check=True)
    # Nothing that this machine has set up has a say: its own file of names, its order of sources, its resolver.
    for name, text in (("nsswitch.conf", "hosts: files dns\n"), ("hosts", "127.0.0.1 localhost\n"),
                       ("resolv.conf", "search host.example\nnameserver 192.0.2.53\n")):
        subprocess.run(["mount", "--bind", folder.write(f"own/{name}", text), f"/etc/{name}"], check=True)
    folder.write("manifests/web.yaml", service("web", "10.96.0.7") + "---\n" + service("web", "10.96.0.8", "other"))
    folder.write("zones/host.example.zone", ZONE)
    folder.write("zones/example.org.zone", ZONE + WWW)
    musl = musl_lookup(checks, folder.path)

    def glibc(*names):
        found = []
        for name in names:
            done = subprocess.run(["getent", "ahosts", name], capture_output=True, text=True, timeout=30, check=False)
            addresses = [line.split()[0] for line in done.stdout.splitlines() if " STREAM" in line]
            found.append(f"{name} {' '.join(addresses) or '-'}")
        return found

    def with_musl(*names):
        return subprocess.run([musl, *names], capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()

    def counted(dns, look_up, name):
        before = queries(dns)
        look_up(name)
        return int(queries(dns) - before)

    with Server("--listen", "10.96.0.10:53", "--manifests", folder / "manifests", "--static-zones", folder / "zones",
                "--metrics-listen", "127.0.0.1:9153") as dns:
        code, out, err = tool("--write", "/etc/resolv.conf", "--namespace", "shop", "--cluster-dns", "10.96.0.10")
        checks.equal("/etc/resolv.conf is written",
                     (code, out, err), (0, "/etc/resolv.conf: written in place because it is a mount\n", ""))
        names = ["web", "web.other", "web.other.svc", "web.shop.svc.cluster.local", "www.example.org",
                 "www.example.org.", "nobody", "nobody.example.org"]
        wanted = ["10.96.0.7", "10.96.0.8", "10.96.0.8", "10.96.0.7", "2001:db8::80 192.0.2.80",
                  "2001:db8::80 192.0.2.80", "-", "-"]
        for library, look_up in (("glibc", glibc), ("musl", with_musl)):
            if library == "musl" and musl is None:
                continue
            got = look_up(*names)
            checks.equal(f"{library} finds the cluster's names and others",
                         [f"{line.split()[0]} {' '.join(sorted(line.split()[1:]))}" for line in got],
                         [f"{name} {' '.join(sorted(addresses.split()))}" for name, addresses in zip(names, wanted)])
            # A and AAAA for each domain that is searched, and for the name itself at last.
            for name, asked in (("web", 2), ("web.other", 4), ("www.example.org", 10), ("www.example.org.", 2),
                                ("nobody.example.org", 10)):
                count = counted(dns, look_up, name)
                print(f"    {library}: {name} takes {count} queries")
                checks.equal(f"{library}: queries for {name}", count, asked)

        # What a dnsConfig of its own does about it.
        tool("--write", "/etc/resolv.conf", "--namespace", "shop", "--cluster-dns", "10.96.0.10", "--option", "ndots:2")
        for library, look_up in (("glibc", glibc), ("musl", with_musl)):
            if library == "musl" and musl is None:
                continue
            checks.equal(f"{library}: queries for www.example.org with ndots:2",
                         counted(dns, look_up, "www.example.org"), 2)
        checks.equal("/etc/resolv.conf is reverted", tool("--write", "/etc/resolv.conf", "--revert")[0], 0)
        checks.equal("and as it was", pathlib.Path("/etc/resolv.conf").read_text(),
                     "search host.example\nnameserver 192.0.2.53\n")


def why_no_namespaces():
    if os.geteuid() != 0:
        return "namespaces of mounts need root"
    done = subprocess.run(["unshare", "-m", "-n", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True,
                          text=True, check=False)
    return None if done.returncode == 0 else f"no namespace of mounts can be made: {done.stderr.strip()}"


if sys.argv[1:] == ["inside"]:
    # Everything that is mounted from here on is seen by this process and its children only.
    for part in (mounted, resolvers):
        with Folder() as scratch:
            part(scratch)
else:
    with Folder() as scratch:
        printed(scratch)
    with Folder() as scratch:
        written(scratch)
    reason = why_no_namespaces()
    if reason:
        checks.skip(reason)
    else:
        inside = subprocess.run(["unshare", "-m", "-n", sys.executable, __file__, "inside"], capture_output=True,
                                text=True, timeout=200, check=False)
        lines = inside.stdout.splitlines()
        closing = re.fullmatch(r"(\d+) passed, (\d+) failed.*", lines[-1] if lines else "")
        print("\n".join(lines[:-1]))
        checks.equal("the part in namespaces ends", bool(closing), True)
        if closing:
            checks.passed += int(closing.group(1))
            checks.failed += int(closing.group(2))
        else:
            print(inside.stderr)
checks.finish()
