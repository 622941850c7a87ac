#!/usr/bin/env python3
"""What `waypost plan` prints is what waypost-node programs, given the same options, file and world."""

import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from api_server import ApiServer  # noqa: E402
from harness import TOOL_PROGRAM, Checks, Folder  # noqa: E402
from netns import POD_A, FAR_POD, Namespace, NodeProgram, service, slices, why_not  # noqa: E402

checks = Checks()
TCP = [("main", 80, 8080, "TCP", 30080)]


def world():
    """A node whose object has its zone, address and Pods' prefixes; Services that depend on all of them."""
    objects = [{"apiVersion": "v1", "kind": "Node",
                "metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "a"}},
                "spec": {"podCIDRs": ["10.244.1.0/24", "fd00:244:1::/64"]},
                "status": {"addresses": [{"type": "InternalIP", "address": "192.168.7.1"}]}}]
    backends = [(POD_A[4], "node-1"), (FAR_POD[4], "node-2"), (POD_A[6], "node-1"), (FAR_POD[6], "node-2")]
    for number, spec in enumerate((
            {}, {"externalTrafficPolicy": "Local", "type": "NodePort"}, {"internalTrafficPolicy": "Local"},
            {"sessionAffinity": "ClientIP"},
            {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.168.7.0/24"],
             "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.4"}]}}})):
        spec = {"type": "NodePort", **spec}
        ports = [("main", 80, 8080, "TCP", 30080 + number)]
        name = f"svc-{number}"
        objects.append(service(name, [f"10.96.0.{number + 1}", f"fd00:10:96::{number + 1}"], ports, **spec))
        made = slices(name, backends, [("main", 8080, "TCP")])
        for endpoint_slice in made:
            for place, endpoint in enumerate(endpoint_slice["endpoints"]):
                endpoint["hints"] = {"forZones": [{"name": "ab"[place % 2]}]}
        objects.extend(made)
    return objects


def chains(lines):
    """{(table, chain): rules} of our chains, and the jumps to them in the kernel's."""
    found = {}
    table = ""
    for line in lines:
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":KUBE"):
            found.setdefault((table, line[1:].split()[0]), [])
        elif line.startswith("-A "):
            _, chain, rule = line.split(" ", 2)
            found.setdefault((table, chain), []).append(rule)
    return {key: rules for key, rules in found.items() if rules or key[1].startswith("KUBE")}


def planned(text):
    parts = re.split(r"^# Input of (\w+)-restore.*\n", text, flags=re.MULTILINE)
    return {program: chains(rules.splitlines()) for program, rules in zip(parts[1::2], parts[2::2])}


def compare(asked, space, source, options):
    plan = planned(space.run(TOOL_PROGRAM, "plan", *source, "--node-name", "node-1", *options))
    node = NodeProgram(space, None, *source, *options)
    for program in ("iptables", "ip6tables"):
        actual = chains(space.run(f"{program}-nft-save").splitlines())
        wanted = plan.get(program, {})
        different = [(key, wanted.get(key), actual.get(key)) for key in sorted({*wanted, *actual})
                     if wanted.get(key) != actual.get(key)]
        checks.equal(f"{asked}: {program} rules that differ between plan and kernel", different[:3], [])
        checks.equal(f"{asked}: there are some", len(actual) > 20, True)
    checks.equal(f"{asked}: waypost-node stops", node.stop(), 0)
    space.run(node_program(), "--cleanup")
    for program in ("iptables-nft", "ip6tables-nft"):  # The kubelet's chain stays.
        space.run(program, "-F")
        space.run(program, "-X")


def node_program():
    return TOOL_PROGRAM.parent / "waypost-node"


def check():
    space = Namespace("plan")
    space.run("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1")
    space.run("ip", "link", "set", "d0", "up")
    space.run("ip", "link", "set", "d1", "up")
    for address in ("192.168.7.1/24", "192.168.8.1/24", "fd00:7::1/64"):
        space.run("ip", "addr", "add", address, "dev", "d0", *(["nodad"] if ":" in address else []))
    with Folder() as folder:
        path = folder.write("world.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": world()}))
        config = folder.write("kube-proxy.conf", (
            "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
            "iptables: {masqueradeAll: true, masqueradeBit: 9}\nnodePortAddresses: [primary]\n"
            "detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: veth}\n"
            "metricsBindAddress: 127.0.0.1:10249\n"))
        for options in ([], ["--cluster-cidr", "10.244.0.0/16", "--service-cidrs", "10.96.0.0/16"],
                        ["--nodeport-addresses", "192.168.8.0/24,fd00:7::/64", "--conntrack-tcp-be-liberal=true"],
                        ["--nodeport-addresses", "primary", "--node-zone", "b", "--masquerade-all=true"],
                        ["--iptables-localhost-nodeports=true", "--pod-bridge-interface", "cni0",
                         "--detect-local-mode", "BridgeInterface"],
                        ["--detect-local-mode", "NodeCIDR"], ["--config", config]):
            compare(" ".join(map(str, options)) or "no options", space, ["--manifests", folder.path], options)
            space.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_be_liberal=0")
        # For a node that is another host, its addresses are given.
        elsewhere = Namespace("else")
        options = ["--node-name", "node-1", "--nodeport-addresses", "192.168.8.0/24"]
        here = planned(space.run(TOOL_PROGRAM, "plan", *options, path))["iptables"]
        there = planned(elsewhere.run(TOOL_PROGRAM, "plan", *options, "--node-addresses",
                                      "192.168.7.1,192.168.8.1,fd00:7::1", path))["iptables"]
        checks.equal("rules that are planned on another host", there, here)
        elsewhere.remove()
        # What is said of an address that serves no NodePorts is what becomes of the packet.
        for asked, reason in ((["--nodeport-addresses", "192.168.8.0/24", "203.0.113.9", "192.168.7.1:30080"],
                               "nodePortAddresses: 192.168.7.1 is within none of them: not translated"),
                              (["--iptables-localhost-nodeports=false", "127.0.0.1", "127.0.0.1:30080"],
                               "localhostNodePorts: 127.0.0.1 serves NodePorts only with it: not translated")):
            told = space.run(TOOL_PROGRAM, "explain", "--node-name", "node-1", *asked, path)
            checks.contains(f"{asked[-1]} is explained", told, reason)
            checks.equal(f"{asked[-1]} goes on", ("100.0 %: goes on as it is" in told, ": used" in told), (True, False))
        told = space.run(TOOL_PROGRAM, "explain", "--node-name", "node-1", "198.51.100.4", "198.51.100.4:80", path)
        checks.contains("a load balancer's own address is a source", told, "and the node is within 192.168.7.0/24")
        checks.equal("which is not said to be dropped", ("dropped" in told, "%: to " in told),
                     (False, True))
        with ApiServer(unix=folder / "api.sock") as api:
            api.load(objects=world())
            compare("from an API server", space, ["--api-server", f"unix://{folder / 'api.sock'}"],
                    ["--detect-local-mode", "NodeCIDR"])
    space.remove()


reason = why_not()
if reason:
    checks.skip(reason)
else:
    check()
checks.finish()
