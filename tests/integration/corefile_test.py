#!/usr/bin/env python3
"""waypost-dns with the Corefiles that people have: asked, followed, refused, and converted."""

import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.request

import upstream as upstream_module
from harness import DNS_PROGRAM, ROOT, SHOP, TOOL_PROGRAM, Checks, Folder, Server, free_port, run, wait_until
from upstream import PTR, Reply, record

checks = Checks()
SHIPPED = ROOT / "tests" / "data" / "corefile"


class Upstream(upstream_module.Upstream):
    """Answers every PTR question with a name, too."""

    def __init__(self, address):
        super().__init__(address, ttl=3600)

    def answer_to(self, question):
        if question.qtype == PTR:
            return Reply(answer=[record(PTR, b"\4node\4corp\7example\0", self.ttl)])
        return super().answer_to(question)


def corefile_server(file, *arguments):
    """On ports of the kernel's choice, whatever the file says about them."""
    return Server("-conf", file, "--health-listen", "127.0.0.1:0", "--ready-listen", "127.0.0.1:0",
                  "--metrics-listen", "127.0.0.1:0", "--lameduck", "0s", *arguments)


def of_a_cluster(name):
    """A shipped file as it is, with manifests in place of the API server."""
    with Folder() as folder, Upstream("192.0.2.1") as upstream:
        folder.write("shop.yaml", SHOP)
        with corefile_server(SHIPPED / f"{name}.corefile", "--manifests", folder.path, "--forward",
                             upstream.where) as server:
            got = server.dig("web.shop.svc.cluster.local")
            checks.equal(f"{name}: a Service", got.answer,
                         ["web.shop.svc.cluster.local. 30 IN A 10.96.0.7"])
            checks.equal(f"{name}: its flags", got.flags, ["qr", "aa", "ra"])
            checks.equal(f"{name}: a Pod, insecure",
                         server.dig("10-1-2-3.shop.pod.cluster.local").values(), ["10.1.2.3"])
            checks.equal(f"{name}: no such Service",
                         server.dig("no.shop.svc.cluster.local", "A", "+recurse").status, "NXDOMAIN")
            checks.equal(f"{name}: the address of a Service",
                         server.dig("10.96.0.7", "-x", "+recurse").values(),
                         ["web.shop.svc.cluster.local."])
            for address in ("10.96.0.8", "8.8.8.8", "2001:db8::1"):
                through = server.dig(address, "-x", "+recurse")
                checks.equal(f"{name}: {address}, which falls through",
                             (through.values(), through.flags),
                             (["node.corp.example."], ["qr", "rd", "ra"]))
            checks.equal(f"{name}: a name elsewhere",
                         server.dig("www.example.com", "A", "+recurse").values(), ["192.0.2.1"])
            asked = [question for question in upstream.questions if "cluster" in question.name]
            checks.equal(f"{name}: nobody else is asked for the cluster's names", asked, [])
            checks.equal(f"{name}: stops with", server.stop(), 0)


def of_a_node():
    """NodeLocal's file: its upstreams are put in, as the node's agent does."""
    with Folder() as folder, Upstream("192.0.2.1") as cluster, Upstream("192.0.2.2") as others:
        text = (SHIPPED / "nodelocal.corefile").read_text()
        file = folder.write("Corefile", text.replace("10.96.0.11", cluster.where).replace(
            "/etc/resolv.conf", others.where))
        with corefile_server(file) as server:
            checks.equal("nodelocal: serves", server.out[0], "serving no cluster")
            checks.equal("nodelocal: the cluster's names",
                         server.dig("web.shop.svc.cluster.local", "A", "+recurse").values(),
                         ["192.0.2.1"])
            checks.equal("nodelocal: addresses",
                         server.dig("10.96.0.7", "-x", "+recurse").values(), ["node.corp.example."])
            checks.equal("nodelocal: other names",
                         server.dig("www.example.com", "A", "+recurse").values(), ["192.0.2.2"])
            checks.equal("nodelocal: the cluster is asked over TCP only",
                         {question.transport for question in cluster.questions}, {"tcp"})
            asked = [q for q in others.questions if "cluster" in q.name or "arpa" in q.name]
            checks.equal("nodelocal: others are not asked for it", asked, [])
            checks.equal("nodelocal: stops with", server.stop(), 0)


def of_openshift():
    """As it is, but for the addresses of its upstreams; what differs is said."""
    shipped = (SHIPPED / "openshift.corefile").read_text()
    with Folder() as folder, Upstream("192.0.2.1") as others, Upstream("192.0.2.9") as corp:
        folder.write("manifests/shop.yaml", SHOP)
        file = folder.write("Corefile", shipped.replace("10.0.0.53", corp.where).replace(
            "/etc/resolv.conf", others.where))
        with corefile_server(file, "--manifests", folder / "manifests") as server:
            server.dig("www.example.net")  # Without recursion, which nobody here can answer.
            checks.matches("openshift: a query that fails is logged",
                           "\n".join(server.wait_for_log("name=www.example.net.", timeout=5)),
                           r"^\S+ info query client=127\.0\.0\.1 .* type=A rcode=REFUSED size=\d+$")
            checks.equal("openshift: a Service",
                         server.dig("web.shop.svc.cluster.local").answer,
                         ["web.shop.svc.cluster.local. 5 IN A 10.96.0.7"])
            checks.equal("openshift: a name of the stub domain",
                         server.dig("a.corp.example", "A", "+recurse").values(), ["192.0.2.9"])
            checks.equal("openshift: a name elsewhere",
                         server.dig("www.example.com", "A", "+recurse").values(), ["192.0.2.1"])
            checks.equal("openshift: an address that falls through",
                         server.dig("8.8.8.8", "-x", "+recurse").values(), ["node.corp.example."])
            checks.equal("openshift: hostname.bind",
                         server.dig("hostname.bind", "TXT", "-c", "CH").values(),
                         [f'"{socket.gethostname().lower()}"'])
            checks.equal("openshift: others are not", len(server.wait_for_log(" info query ", timeout=0)), 1)


BLOCKS = """\
.:53 {
    acl {
        allow net 127.0.0.0/8
        block
    }
    template IN TXT . {
        answer "{{ .Name }} 5 IN TXT outer"
    }
    kubernetes cluster.local
    forward . %(outer)s
}
secret.example:53 {
    acl {
        block type A
    }
    forward . %(inner)s
}
ads.example:53 {
    template IN A ads.example {
        answer "{{ .Name }} 5 IN A 0.0.0.0"
    }
}
"""


def with_blocks_within_blocks():
    with Folder() as folder, Folder() as etc, Upstream("192.0.2.1") as outer, Upstream("192.0.2.9") as inner:
        folder.write("shop.yaml", SHOP)
        file = etc.write("Corefile", BLOCKS % {"outer": outer.where, "inner": inner.where})
        with corefile_server(file, "--manifests", folder.path) as server:
            def ask(name, qtype="A"):
                answer = server.dig(name, qtype, "+recurse")
                return answer.status, answer.values()
            checks.equal("a name of the outer block", ask("www.example.com"), ("NOERROR", ["192.0.2.1"]))
            checks.equal("whose template has it", ask("www.example.com", "TXT"), ("NOERROR", ['"outer"']))
            checks.equal("the inner block's acl is not passed by the outer one's", ask("a.secret.example"), ("REFUSED", []))
            checks.equal("nor are its names the outer template's", ask("a.secret.example", "TXT"), ("NOERROR", []))
            checks.equal("a block without forward answers", ask("x.ads.example"), ("NOERROR", ["0.0.0.0"]))
            asked = len(outer.questions)
            checks.equal("and has nobody else asked", (ask("x.ads.example", "AAAA"), len(outer.questions)),
                         (("REFUSED", []), asked))


CUSTOM = """\
{$WAYPOST_TEST_ZONE}:53 {
    import common
    kubernetes {
        pods insecure
    }
    import custom/*.override
}
(unused) {
    ready
}
import custom/*.server
"""


def is_watched(server, path):
    """Whether inotify tells the server of what happens there (proc(5), fdinfo)."""
    inode = f" ino:{path.stat().st_ino:x} "
    return any(line.startswith("inotify ") and inode in line
               for file in pathlib.Path(f"/proc/{server.process.pid}/fdinfo").iterdir()
               for line in file.read_text().splitlines())


def with_imports_and_a_reload():
    os.environ["WAYPOST_TEST_ZONE"] = "cluster.local"
    with Folder() as folder, Folder() as etc, Upstream("192.0.2.9") as corp:
        folder.write("shop.yaml", SHOP)
        etc.write("common", "errors\ncache 30\n")
        file = etc.write("Corefile", CUSTOM)
        with corefile_server(file, "--manifests", folder.path) as server:
            checks.equal("a block of an environment variable",
                         server.dig("web.shop.svc.cluster.local").values(), ["10.96.0.7"])
            checks.equal("a stub domain that is not there yet",
                         server.dig("a.corp.example", "A", "+recurse").status, "REFUSED")
            (etc.path / "custom").mkdir()
            checks.equal("a folder of imports that comes later is watched",
                         wait_until(lambda: is_watched(server, etc.path / "custom")) is not None, True)
            etc.write("custom/ttl.override", "debug\n")
            etc.write("custom/corp.server", f"corp.example:53 {{\n forward . {corp.where}\n}}\n")
            told = server.wait_for_log("now in force: stubDomains", timeout=5)
            checks.equal("a file that a pattern matches is seen", len(told), 1)
            checks.equal("and its stub domain asked",
                         server.dig("a.corp.example", "A", "+recurse").values(), ["192.0.2.9"])
            etc.write("custom/my.server", f"my.cluster.local:53 {{\n forward . {corp.where}\n}}\n")
            checks.equal("a block below the cluster's zone is seen",
                         len(server.wait_for_log("now in force: stubDomains", timeout=5, count=2)), 2)
            checks.equal("and has its names, of which others are the cluster's",
                         [server.dig(name, "A", "+recurse").values()
                          for name in ("a.my.cluster.local", "web.shop.svc.cluster.local")],
                         [["192.0.2.9"], ["10.96.0.7"]])
            etc.replace("Corefile", CUSTOM.replace("pods insecure", "pods insecure\n  quux"))
            told = server.wait_for_log("quux", timeout=5)
            checks.equal("a mistake is told with its place", [f"{file}:5: kubernetes quux: found an "
                         "unknown option" in line for line in told], [True])
            checks.equal("and what was in force stays",
                         server.dig("10-1-2-3.shop.pod.cluster.local").values(), ["10.1.2.3"])
            etc.replace("Corefile", CUSTOM.replace("pods insecure", "ttl 77"))
            checks.equal("the next good file counts", len(server.wait_for_log("now in force: pods, ttl",
                                                                            timeout=5)), 1)
            checks.contains("with its values", server.dig("web.shop.svc.cluster.local").answer[0], " 77 ")


def rules_before_zones():
    """acl, hosts, rewrite and template, as they stand in Corefiles."""
    with Folder() as folder:
        folder.write("hosts", "10.0.0.10 db.example\n")
        file = folder.write("Corefile", """.:0 {
    acl {
        filter type AAAA
        block type TXT net 127.0.0.5/8
        drop net 192.0.2.0/24
    }
    rewrite stop {
        name regex (.*)\\.corp\\.example\\.$ {1}.example
        answer auto
    }
    rewrite name exact web.example www.ip.example
    hosts %s {
        10.0.0.20 inline.example
        ttl 77
        fallthrough
    }
    template IN A ip.example {
        match "^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)[.]ip[.]example[.]$"
        answer "{{ .Name }} 60 IN A 10.0.{{ .Group.a }}.{{ .Group.b }}"
        fallthrough
    }
    template ANY A www.ip.example {
        answer "{{ .Name }} 5 IN A 192.0.2.80"
    }
}
""" % (folder / "hosts"))
        code, yaml, err = run(TOOL_PROGRAM, "convert-corefile", file)
        checks.equal("convert-corefile of rules exits with", (code, err), (0, ""))
        converted = folder.write("waypost.yaml", yaml)
        code, _, err = run(TOOL_PROGRAM, "check-config", converted)
        checks.equal("and check-config takes what it prints", (code, err), (0, ""))
        for name, arguments in (("the Corefile", ("-conf", file)),
                                ("its YAML", ("--config", converted, "--listen", "127.0.0.1:0"))):
            with Server(*arguments, listen=()) as server:
                def answer(*question):
                    return server.dig(*question, address="127.0.0.1").answer
                checks.equal(f"{name}: hosts", answer("db.example"), ["db.example. 77 IN A 10.0.0.10"])
                checks.equal(f"{name}: an entry in it", answer("inline.example"), ["inline.example. 77 IN A 10.0.0.20"])
                checks.equal(f"{name}: rewrite regex", answer("db.corp.example"), ["db.corp.example. 77 IN A 10.0.0.10"])
                checks.equal(f"{name}: rewrite exact", answer("web.example"), ["web.example. 5 IN A 192.0.2.80"])
                checks.equal(f"{name}: template", answer("ip-3-4.ip.example"), ["ip-3-4.ip.example. 60 IN A 10.0.3.4"])
                checks.equal(f"{name}: acl block", server.dig("db.example", "TXT", address="127.0.0.1").status, "REFUSED")
                checks.equal(f"{name}: over TCP", server.dig("db.corp.example", "A", "+tcp", address="127.0.0.1").answer,
                             ["db.corp.example. 77 IN A 10.0.0.10"])
                filtered = server.dig("db.example", "AAAA", address="127.0.0.1")
                checks.equal(f"{name}: acl filter", (filtered.status, filtered.answer), ("NOERROR", []))


def rules_of_a_block_for_a_zone():
    """They are for its names alone, whatever zones they give."""
    with Folder() as folder, Upstream("192.0.2.1") as others, Upstream("192.0.2.9") as corp:
        folder.write("manifests/shop.yaml", SHOP)
        file = folder.write("Corefile", f"""corp.example {{
    template IN A . {{
        match "^a[.]"
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.66"
        fallthrough
    }}
    acl . {{
        block type MX
    }}
    hosts {folder / "none"} {{
        192.0.2.67 b.corp.example www.example.com
        fallthrough
    }}
    forward . {corp.where}
}}
. {{
    kubernetes cluster.local
    forward . {others.where}
}}
""")
        with corefile_server(file, "--manifests", folder / "manifests") as server:
            def values(name):
                return server.dig(name, "A", "+recurse").values()
            checks.equal("template of a block", values("a.corp.example"), ["192.0.2.66"])
            checks.equal("hosts of a block", values("b.corp.example"), ["192.0.2.67"])
            checks.equal("forward of a block", values("c.corp.example"), ["192.0.2.9"])
            checks.equal("acl of a block", server.dig("a.corp.example", "MX", "+recurse").status, "REFUSED")
            checks.equal("a name elsewhere that fits all of them", values("a.example.com"), ["192.0.2.1"])
            checks.equal("a name elsewhere among the hosts", values("www.example.com"), ["192.0.2.1"])
            checks.equal("a type elsewhere", server.dig("www.example.com", "MX", "+recurse").status, "NOERROR")
            checks.equal("the cluster's names", values("web.shop.svc.cluster.local"), ["10.96.0.7"])


def in_place_of_kube_dns():
    """With its arguments, and the folder where its ConfigMap is mounted."""
    with Folder() as folder, Upstream("192.0.2.1") as others, Upstream("192.0.2.9") as acme:
        folder.write("manifests/shop.yaml", SHOP)
        folder.write("config/upstreamNameservers", f'["{others.where}"]')
        port = free_port()
        with Server("--domain=cluster.local.", f"--dns-port={free_port()}", "--config-dir",
                    folder / "config", "--v=2", "--logtostderr=true", "--manifests",
                    folder / "manifests", "--ready-listen", f"127.0.0.1:{port}", listen=()) as server:
            def answer(name):
                return server.dig(name, "A", "+recurse", address="127.0.0.1").answer
            checks.equal("kube-dns: a Service", answer("web.shop.svc.cluster.local"),
                         ["web.shop.svc.cluster.local. 30 IN A 10.96.0.7"])
            checks.equal("kube-dns: a name elsewhere", answer("a.acme.local")[0].split()[-1], "192.0.2.1")
            place = f"http://127.0.0.1:{port}/readiness"
            with urllib.request.urlopen(place, timeout=5) as reply:
                checks.equal("kube-dns: its probe", reply.status, 200)
            folder.write("config/stubDomains", '{"acme.local": ["%s"]}' % acme.where)
            checks.equal("kube-dns: a key more is seen",
                         len(server.wait_for_log("now in force: stubDomains", timeout=5)), 1)
            checks.equal("kube-dns: and its servers are asked", answer("b.acme.local")[0].split()[-1], "192.0.2.9")


def what_is_refused():
    with Folder() as folder:
        file = folder.write("Corefile", ".:53 {\n    dns64\n    forward . /etc/none\n"
                            "    kubernetes cluster.local {\n        ttl 5000\n    }\n}\n")
        code, out, err = run(DNS_PROGRAM, "-conf", file)
        checks.equal("a file with mistakes exits with", code, 1)
        checks.equal("nothing on stdout", out, "")
        checks.contains("a directive", err, f"waypost-dns: {file}:2: dns64: not offered here: ")
        checks.contains("a value", err, f"waypost-dns: {file}:5: kubernetes ttl: found '5000', "
                        "expected a whole number of seconds from 0 to 3600\n")
        code, out, converted = run(TOOL_PROGRAM, "convert-corefile", file)
        checks.equal("convert-corefile of it", (code, out), (1, ""))
        checks.equal("says the same", converted, err.replace("waypost-dns: ", ""))
        code, _, err = run(DNS_PROGRAM, "-conf", folder / "absent")
        checks.equal("an absent file", (code, err), (1, f"waypost-dns: {folder / 'absent'}: no such file\n"))
        code, _, err = run(DNS_PROGRAM, "-pidfile", "/x")
        checks.matches("a flag of CoreDNS", err, r"^waypost-dns: -pidfile: a flag of CoreDNS, not offered")


def what_is_converted():
    with Folder() as folder, Upstream("192.0.2.1") as upstream:
        folder.write("manifests/shop.yaml", SHOP)
        resolv_conf = folder.write("resolv.conf", "nameserver 127.0.0.1\n")
        text = (SHIPPED / "kubeadm.corefile").read_text().replace("/etc/resolv.conf", str(resolv_conf))
        code, yaml, err = run(TOOL_PROGRAM, "convert-corefile", folder.write("Corefile", text))
        checks.equal("convert-corefile exits with", (code, err), (0, ""))
        checks.contains("it has a note", yaml, "# " + str(folder / "Corefile") + ":22: reload: built in")
        config = folder.write("waypost.yaml", yaml)
        code, shown, _ = run(TOOL_PROGRAM, "check-config", config)
        checks.equal("check-config of it", (code, shown.splitlines()[0]), (0, f"{config}: ok"))
        checks.contains("with its values", shown, "  fallthroughZones: in-addr.arpa, ip6.arpa\n")
        with Server("--manifests", folder / "manifests", "--forward", upstream.where,
                    "--health-listen", "", "--ready-listen", "", "--metrics-listen", "",
                    config=config) as server:
            checks.equal("waypost-dns with it",
                         server.dig("web.shop.svc.cluster.local").answer,
                         ["web.shop.svc.cluster.local. 30 IN A 10.96.0.7"])
            checks.equal("falls through", server.dig("8.8.8.8", "-x", "+recurse").values(),
                         ["node.corp.example."])


def names_of_the_server():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        file = folder.write("Corefile", ". {\n kubernetes cluster.local\n chaos one\n}\n")
        with corefile_server(file, "--manifests", folder.path) as server:
            checks.equal("hostname.bind", server.dig("hostname.bind", "TXT", "-c", "CH").values(),
                         [f'"{socket.gethostname().lower()}"'])
            checks.equal("version.bind", server.dig("version.bind", "TXT", "-c", "CH").values(),
                         ['"one"'])
        code, out, err = run(DNS_PROGRAM, "-plugins")
        checks.equal("-plugins", (code, err), (0, ""))
        checks.matches("names forward", out, r"^forward$")


def quietly():
    port = free_port()
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        file = folder.write("Corefile", "cluster.local {\n bind 127.0.0.1\n kubernetes\n}\n")
        process = subprocess.Popen([str(DNS_PROGRAM), "-conf", str(file), "-dns.port", str(port),
                                    "-quiet", "--manifests", str(folder.path)],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            values = ""
            end = time.monotonic() + 10
            while values != "10.96.0.7\n" and time.monotonic() < end:
                _, values, _ = run("dig", "@127.0.0.1", "-p", port, "+short", "+tries=1", "+time=1",
                                   "web.shop.svc.cluster.local")
                time.sleep(0.02)
            checks.equal("the port of -dns.port", values, "10.96.0.7\n")
            process.terminate()
            checks.equal("-quiet prints nothing", process.communicate(timeout=20)[0], "")
        finally:
            process.kill()
            process.wait()


for shipped in ("kubeadm", "rke2", "addon-manager"):
    of_a_cluster(shipped)
of_openshift()
of_a_node()
with_blocks_within_blocks()
with_imports_and_a_reload()
rules_before_zones()
rules_of_a_block_for_a_zone()
in_place_of_kube_dns()
what_is_refused()
what_is_converted()
names_of_the_server()
quietly()
checks.finish()
