"""What tests of search completion share: the names outside and a server that has them, the resolvers of Pods, what a
look-up takes, and what a program counted."""

import subprocess
import urllib.request

from harness import TOOL_PROGRAM, musl_lookup, total
from upstream import Reply, Upstream, address_record, soa

# What the world outside has; everything else does not exist.
OUTSIDE = {"www.example.org": {1: "192.0.2.80", 28: "2001:db8::80"}, "v4.example.org": {1: "192.0.2.4"},
           "v6.example.org": {28: "2001:db8::6"}, "db.host.example": {1: "192.0.2.53", 28: "2001:db8::53"},
           "printer.more.example": {1: "192.0.2.9", 28: "2001:db8::9"}}


class Outside(Upstream):
    """A DNS server in a namespace, over UDP, that has OUTSIDE; `broken` are names that it fails for."""

    def __init__(self, space, port):
        self.broken = set()
        super().__init__(space=space, place=("127.0.0.1", port), tcp=False)

    def answer_to(self, question):
        if question.name in self.broken:
            return Reply(rcode=2)
        if address := OUTSIDE.get(question.name, {}).get(question.qtype):
            return Reply(answer=[address_record(address, self.ttl)])
        exists = question.name in OUTSIDE or question.name == ""
        return Reply(rcode=0 if exists else 3, authority=[soa(self.ttl, owner=b"\0")])


class PodResolver:
    """Programs of a Pod: in its network namespace, with resolver files of their own below `place` of a Folder."""

    def __init__(self, space, folder, place="etc"):
        self.space, self.folder, self.place = space, folder, place
        folder.write(f"{place}/nsswitch.conf", "hosts: dns\n")
        folder.write(f"{place}/hosts", "127.0.0.1 localhost\n")

    def write(self, host_file, server, namespace, *arguments):
        """The resolver file that the kubelet of a node with that file writes for a Pod."""
        written = subprocess.run([str(TOOL_PROGRAM), "resolv-conf", "--host-file", host_file, "--namespace", namespace,
                                  *arguments, "--cluster-dns", server], capture_output=True, text=True, check=True)
        self.folder.write(f"{self.place}/resolv.conf", written.stdout)

    def run(self, *command):
        mounts = " && ".join(f"mount --bind {self.folder / self.place / name} /etc/{name}"
                             for name in ("resolv.conf", "nsswitch.conf", "hosts"))
        return self.space.run("unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh", *command)

    def libraries(self, checks):
        """{name of the library: a function from a name to its addresses}"""
        def glibc(name):
            out = self.run("sh", "-c", f"getent ahosts {name} || true")
            return sorted({line.split()[0] for line in out.splitlines()})

        found = {"glibc": glibc}
        program = musl_lookup(checks, self.folder.path)
        if program is not None:
            found["musl"] = lambda name: sorted(set(self.run(program, name).split()[1:]) - {"-"})
        return found


class Counts:
    """What a program counted that serves metrics on a loopback address of a namespace."""

    def __init__(self, space, address):
        self.space, self.address = space, address

    def metrics(self):
        def read():
            with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=5) as page:
                return page.read().decode()
        return self.space.inside(read)

    def metric(self, pattern):
        """The sum of the metrics whose name and labels match."""
        return int(total(self.metrics(), pattern))

    def queries(self):
        return self.metric(r"coredns_dns_requests_total\{[^}]*\}")

    def refused(self, reason):
        return self.metric(rf'waypost_search_refused_total\{{reason="{reason}"\}}')

    def completed(self, domain):
        return self.metric(rf'waypost_search_completed_total\{{domain="{domain}"\}}')


# What a Pod of namespace shop finds, in how many queries without completion and with it.
LOOKUPS = [("web", ["10.96.0.7"], 2, 2),                                        # Not completed: it is there.
           ("web.other", ["10.96.0.8"], 4, 2),                                  # Relative to svc.cluster.local,
           ("web.other.svc", ["10.96.0.8"], 6, 2),                              # to cluster.local,
           ("db", ["192.0.2.53", "2001:db8::53"], 8, 2),                        # to the host's domain,
           ("www.example.org", ["192.0.2.80", "2001:db8::80"], 10, 2),          # and as they are.
           ("web.other.svc.cluster.local", ["10.96.0.8"], 10, 2),
           ("away.other", ["192.0.2.80", "2001:db8::80"], 4, 2),                # An ExternalName.
           ("v4.example.org", ["192.0.2.4"], 10, 2),                            # One family only:
           ("v6.example.org", ["2001:db8::6"], 10, 2),                          # the other one ends the walk too.
           ("nobody", [], 10, 10),                                              # Nowhere: the Pod looks for itself.
           ("nobody.example.org", [], 10, 10)]


def look_ups(checks, counts, libraries, is_completed, wanted=LOOKUPS):
    """Looks each name up with each library, and counts what that takes."""
    for library, look_up in libraries.items():
        for name, addresses, *takes in wanted:
            before = counts.queries()
            checks.equal(f"{library}: {name}", look_up(name), addresses)
            took = counts.queries() - before
            print(f"    {library}: {name} takes {took} queries {'with' if is_completed else 'without'} completion")
            checks.equal(f"{library}: queries for {name}", took, takes[is_completed])
