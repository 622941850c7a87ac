#!/usr/bin/env python3
"""`./dev demo-node`: a node, two Pods of zones/demo's Service shop/web, the cluster's DNS and a client, each a
network namespace; both programs run over zones/demo. The client resolves a name through the DNS Service's
ClusterIP, connects to what it got, and is told which Pod answered. Everything is removed at the end."""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import DNS_PROGRAM, ROOT  # noqa: E402
from netns import Echo, Namespace, NodeProgram, ask_tcp, why_not  # noqa: E402

NAME = "web.shop.svc.cluster.local"
DEMO = ROOT / "zones" / "demo"
GATEWAY = "169.254.1.1"  # On every Pod's link, as Calico does it.


def say(text=""):
    print(text, flush=True)


class Pod:
    def __init__(self, node, label, *addresses):
        self.space = Namespace(label)
        device = f"to-{label}"
        node.run("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", self.space.name)
        node.run("ip", "addr", "add", GATEWAY + "/32", "dev", device)
        node.run("ip", "link", "set", device, "up")
        self.space.run("ip", "link", "set", "eth0", "up")
        for address in addresses:
            self.space.run("ip", "addr", "add", address + "/32", "dev", "eth0")
            node.run("ip", "route", "add", address, "dev", device)
        self.space.run("ip", "route", "add", GATEWAY, "dev", "eth0", "scope", "link")
        self.space.run("ip", "route", "add", "default", "via", GATEWAY)


def main():
    reason = why_not()
    if reason:
        sys.exit(f"demo-node: {reason}")
    node = Namespace("node")
    node.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    web_1 = Pod(node, "web-1", "10.244.1.10")
    web_2 = Pod(node, "web-2", "10.244.2.10")
    dns = Pod(node, "dns", "10.244.0.3", "10.244.1.3")
    client = Pod(node, "client", "10.244.1.99")
    node.run("ip", "route", "add", "default", "dev", "to-client")  # ClusterIPs are routed before they are translated.
    echoes = [Echo(web_1.space, "web-7f9c5d-4h2mj", 4, 8080), Echo(web_2.space, "web-5b7d44-9kqzp", 4, 8000)]

    say(f"a node with four Pods, each a network namespace: {node.name} and web-1, web-2, dns, client")
    command = dns.space.command(DNS_PROGRAM, "--manifests", DEMO, "--listen", "0.0.0.0:1053")
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        for line in server.stdout:
            if line.strip() == "ready":
                break
        say("waypost-dns serves zones/demo in the Pod dns, port 1053")
        program = NodeProgram(node, DEMO, "--cluster-cidr", "10.244.0.0/16", "--service-cidrs",
                              "10.96.0.0/12,fd00:10:96::/112", backend="auto", node="node-a")
        for line in program.out:
            say(f"waypost-node: {line}")

        say(f"\n$ dig @10.96.0.10 {NAME}     # the ClusterIP of kube-system/kube-dns")
        found = client.space.run("dig", "+short", "+tries=2", "+time=2", "@10.96.0.10", NAME, "A").strip()
        if not re.fullmatch(r"[0-9.]+", found):
            raise RuntimeError(f"no address: {found}")
        say(found)
        say(f"\n$ connect {found} port 80     # six times, from the Pod client")
        answers = [ask_tcp(client.space, 4, found, 80) for _ in range(6)]
        names = set()
        for answer in answers:
            if " " not in answer:
                raise RuntimeError(f"nobody answered: {answer}")
            name, peer = answer.split()
            names.add(name)
            say(f"the Pod {name} answers, and sees the address {peer}")
        for _ in range(60):
            if len(names) == 2:
                break
            names.add(ask_tcp(client.space, 4, found, 80).split()[0])
        if names != {"web-7f9c5d-4h2mj", "web-5b7d44-9kqzp"}:
            raise RuntimeError(f"only {names} answered")
        say("\nthe rules that did it:")
        for line in node.run("iptables-save", "-t", "nat").splitlines():
            if "10.244.1.10:8080" in line or "10.244.2.10:8000" in line:
                say(line)
        program.stop()
    finally:
        server.terminate()
        server.wait()
        for echo in echoes:
            echo.close()
    say("\neverything is removed")


if __name__ == "__main__":
    main()
