#!/usr/bin/env python3
"""waypost plan and waypost explain. What is planned is given to the real iptables-restore of both backends in
network namespaces of its own, and has to be printed back as it was, word by word."""

import json
import os
import re
import subprocess

from harness import ROOT, TOOL_PROGRAM, Checks, Folder, run

checks = Checks()

DEMO = ROOT / "zones" / "demo"
FLAGS = ["--node-name", "node-a", "--node-zone", "zone-1", "--node-addresses", "192.168.0.2,2001:db8::1",
         "--cluster-cidr", "10.244.0.0/16,fd00:10::/64", "--service-cidrs", "10.96.0.0/16,fd00:96::/112"]


def service(name, spec, status=""):
    return f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n{status}\n"


def slice_of(name, family, ports, endpoints):
    return (f"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}-{family.lower()}, "
            f"labels: {{kubernetes.io/service-name: {name}}}}}\naddressType: {family}\nports: [{ports}]\n"
            "endpoints:\n" + "".join(f"- {endpoint}\n" for endpoint in endpoints))


def endpoints_of(count, base="10.244.7.", node="node-b"):
    return [f"{{addresses: ['{base}{i}'], nodeName: {node}}}" for i in range(1, count + 1)]


def rich_world():
    """Everything that rules can say, in both families."""
    ports = ("{name: web, port: 80, nodePort: 30080}, {name: dns, protocol: UDP, port: 53}, "
             "{name: sig, protocol: SCTP, port: 36412}")
    slice_ports = "{name: web, port: 8080}, {name: dns, protocol: UDP, port: 53}, {name: sig, protocol: SCTP, port: 1}"
    dual = "ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4, IPv6], "
    out = []
    for number, more in enumerate((
            "", "externalTrafficPolicy: Local, healthCheckNodePort: 31000, ", "internalTrafficPolicy: Local, ",
            "sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 77}}, ",
            "loadBalancerSourceRanges: [192.168.0.0/24, 203.0.113.0/25, '2001:db8::/48'], ")):
        name = f"svc-{number}"
        spec = (f"type: LoadBalancer, {dual}{more}externalIPs: [198.51.100.{number}, 'fd00:99::{number}'], "
                f"ports: [{ports.replace('30080', str(30080 + number))}]")
        status = f"status: {{loadBalancer: {{ingress: [{{ip: 192.0.2.{number}}}, {{ip: 'fd00:1b::{number}'}}]}}}}"
        out.append(service(name, spec, status))
        out.append(slice_of(name, "IPv4", slice_ports, endpoints_of(2) + endpoints_of(2, "10.244.8.", "node-a")))
        out.append(slice_of(name, "IPv6", slice_ports, endpoints_of(3, "fd00:10::7:", "node-a")))
    # None on this node, none at all, and very many.
    out.append(service("remote", "type: NodePort, externalTrafficPolicy: Local, internalTrafficPolicy: Local, "
                                 "ports: [{port: 80, nodePort: 30100}]"))
    out.append(slice_of("remote", "IPv4", "{port: 80}", endpoints_of(2)))
    out.append(service("none", f"type: NodePort, {dual}ports: [{{port: 80, nodePort: 30101}}]"))
    out.append(service("many", "ports: [{port: 80}]"))
    out.append(slice_of("many", "IPv4", "{port: 80}", endpoints_of(200)))
    # Enough for every tree to branch.
    for number in range(150):
        out.append(service(f"few-{number}", f"type: NodePort, {dual}ports: [{{port: 80, nodePort: {31001 + number * 9}}}]"))
        if number % 3:
            out.append(slice_of(f"few-{number}", "IPv4", "{port: 80}", endpoints_of(number % 3)))
            out.append(slice_of(f"few-{number}", "IPv6", "{port: 80}", endpoints_of(1, "fd00:10::9:")))
    return "".join(out)


def rules_by_chain(text):
    """{table: {chain: [rules]}}"""
    tables = {}
    chains = None
    for line in text.splitlines():
        if line.startswith("*"):
            chains = tables.setdefault(line[1:], {})
        elif line.startswith(":"):
            chains.setdefault(line[1:].split()[0], [])
        elif line.startswith("-A "):
            _, chain, rule = line.split(" ", 2)
            chains.setdefault(chain, []).append(rule)
    return tables


def in_namespace(script, text):
    """Runs a shell script in a network namespace of its own, which ends with it."""
    command = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    done = subprocess.run([*command, "sh", "-ec", script], input=text, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def families(plan):
    """The two inputs in what plan prints."""
    parts = re.split(r"^# Input of (\w+)-restore.*\n", plan, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def planned_rules_are_printed_back():
    with Folder() as folder:
        path = folder.write("world.yaml", rich_world())
        for extra in ([], ["--iptables-localhost-nodeports", "--masquerade-all"],
                      ["--nodeport-addresses", "192.168.0.0/24,2001:db8::/64"]):
            code, plan, err = run(TOOL_PROGRAM, "plan", *FLAGS, *extra, path)
            checks.equal(f"plan {extra} exits with", (code, err), (0, ""))
            inputs = families(plan)
            checks.equal("it plans both families", sorted(inputs), ["ip6tables", "iptables"])
            for program, wanted in inputs.items():
                for backend in ("legacy", "nft"):
                    name = f"{program}-{backend} {' '.join(extra)}"
                    code, saved, err = in_namespace(
                        f"{program}-{backend}-restore --noflush && {program}-{backend}-save", wanted)
                    if not checks.equal(f"{name} takes the rules", (code, err), (0, "")):
                        continue
                    got = rules_by_chain(saved)
                    different = [(table, chain, rules, got.get(table, {}).get(chain))
                                 for table, chains in rules_by_chain(wanted).items()
                                 for chain, rules in chains.items() if got.get(table, {}).get(chain) != rules]
                    checks.equal(f"{name}: chains that read back differently", different[:3], [])


def a_packet_goes_the_same_way_through_what_is_in_the_kernel():
    with Folder() as folder:
        path = folder.write("world.yaml", rich_world())
        _, plan, _ = run(TOOL_PROGRAM, "plan", *FLAGS, path)
        for backend in ("legacy", "nft"):
            _, saved, _ = in_namespace(f"iptables-{backend}-restore --noflush && iptables-{backend}-save",
                                       families(plan)["iptables"])
            rules = folder.write("saved", saved)
            for packet in (("10.244.1.5", "198.51.100.1:80/tcp"), ("203.0.113.200", "192.0.2.4:53/udp"),
                           ("192.168.0.2", "192.168.0.2:30080/tcp"), ("203.0.113.9", "192.168.0.2:30100/tcp"),
                           ("203.0.113.9", "192.168.0.2:31000"), ("10.244.1.5", "10.99.9.9:80")):
                asked = f"{' > '.join(packet)} through {backend}"
                desired = run(TOOL_PROGRAM, "explain", *FLAGS, *packet, path)
                actual = run(TOOL_PROGRAM, "explain", *FLAGS, "--rules", rules, *packet, path)
                checks.equal(f"{asked} is explained", (desired[0], desired[2]), (0, ""))
                checks.equal(f"{asked} goes the desired way", actual[1], desired[1])
        # Broken rules show.
        lost = folder.write("lost", "\n".join(line for line in saved.splitlines() if "-j KUBE-EIP" not in line))
        code, out, _ = run(TOOL_PROGRAM, "explain", *FLAGS, "--rules", lost, "203.0.113.9", "198.51.100.0:80", path)
        checks.equal("explain exits with", code, 0)
        checks.contains("the reasons are the Service's", out, "198.51.100.0 is an external IP")
        checks.contains("the way is the kernel's", out, "100.0 %: goes on as it is")


def the_kernel_itself_is_asked():
    explain = f"{TOOL_PROGRAM} explain --kernel {' '.join(FLAGS)}"
    with Folder() as folder:
        path = folder.write("world.yaml", rich_world())
        inputs = families(run(TOOL_PROGRAM, "plan", *FLAGS, path)[1])
        for backend in ("legacy", "nft"):
            for program, packet in (("iptables", "203.0.113.9 192.168.0.2:30080/tcp"),
                                    ("ip6tables", "2001:db8:7::1 [fd00:1b::4]:53/udp")):
                asked = f"{packet} through the kernel, by {program}-{backend}"
                desired = run(TOOL_PROGRAM, "explain", *FLAGS, *packet.split(), path)[1]
                code, out, err = in_namespace(
                    f"{program}-{backend}-restore --noflush && {explain} '{packet.split()[0]}' '{packet.split()[1]}' "
                    f"{path}", inputs[program])
                checks.equal(f"{asked}: explain exits with", (code, err), (0, ""))
                lines = out.splitlines()
                origin = [line for line in lines if line.startswith("in the kernel, by ")]
                checks.equal(f"{asked}: it says whose rules", origin,
                             [f"in the kernel, by {program}-{backend}-save (chains of a Service proxy are there):"])
                checks.equal(f"{asked} goes the desired way", [line for line in lines if line not in origin],
                             desired.splitlines())
            # Without Services there is the way alone.
            code, out, err = in_namespace(
                f"iptables-{backend}-restore --noflush && {explain} 203.0.113.9 198.51.100.0:80", inputs["iptables"])
            checks.equal(f"without Services, {backend}: explain exits with", (code, err), (0, ""))
            checks.contains("it says so", out, "nothing says where Services come from")
            checks.contains("and has the way", out, "--to-destination 10.244.7.1:8080")
            # What somebody else did to the rules shows; the reasons stay those of the Services.
            asked = f"rules that were flushed, {backend}"
            code, out, _ = in_namespace(
                f"iptables-{backend}-restore --noflush && iptables-{backend} -w -t nat -F KUBE-SERVICES && "
                f"{explain} 203.0.113.9 198.51.100.0:80 {path}", inputs["iptables"])
            checks.equal(f"{asked}: explain exits with", code, 0)
            checks.contains(f"{asked}: the reasons", out, "198.51.100.0 is an external IP")
            checks.contains(f"{asked}: the way", out, "100.0 %: goes on as it is")
        for asked, script, message in (
                ("nothing of ours", "iptables-nft -A INPUT -j ACCEPT; ",
                 "--kernel: iptables-nft-save has no chains of a Service proxy; is waypost-node running"),
                ("a proxy's chains in both backends",
                 "iptables-nft -N KUBE-SERVICES; iptables-legacy -w -N KUBE-SERVICES; ",
                 "chains of a Service proxy are in both iptables-nft and iptables-legacy"),
                ("the backend without them", "iptables-nft -N KUBE-SERVICES; set -- --backend iptables-legacy; ",
                 "--kernel: iptables-legacy is asked for, but chains of a Service proxy are there in iptables-nft"),
                ("a process without privilege", "set -- ; ",
                 "may not read the kernel's rules, expected one with CAP_NET_ADMIN")):
            limit = "setpriv --bounding-set=-net_admin " if "privilege" in asked else ""
            code, out, err = in_namespace(f"{script} {limit}{explain} \"$@\" 10.244.1.5 10.96.0.1:80 {path}", "")
            checks.equal(f"{asked}: explain exits with", (code, out), (1, ""))
            checks.contains(f"{asked}: it says", err, message)


def explanations_have_reasons():
    explained = [TOOL_PROGRAM, "explain", "--manifests", DEMO, "--node-name", "node-1", "--service-cidrs",
                 "10.96.0.0/16,fd00:96::/112", "--cluster-cidr", "10.244.0.0/16"]
    code, out, err = run(*explained, "10.244.1.9", "10.96.42.57:80/tcp")
    checks.equal("explain exits with", (code, err), (0, ""))
    checks.contains("it names the Service", out, "Service shop/search:http: 10.96.42.57 is the ClusterIP")
    checks.contains("and the verdict", out, "100.0 %: rejected")
    code, out, _ = run(*explained, "10.244.1.9", "10.96.200.200:80")
    checks.contains("an address without Service", out, "no Service has 10.96.200.200, port 80/tcp")


def mistakes_are_named():
    for arguments, message in (
            (["plan"], "say where objects come from: --manifests FOLDER, --kubeconfig FILE or --api-server URL"),
            (["explain", "10.0.0.1", "10.0.0.1:80"], "say where objects come from"),
            (["plan", "--manifests", DEMO, "extra.yaml"], "plan: found both files and --manifests"),
            (["plan", "--cleanup", "--manifests", DEMO], "--cleanup: found an unknown flag"),
            (["plan", "--ipvs-scheduler=rr", "--manifests", DEMO], "--ipvs-scheduler: a flag of kube-proxy, not offered"),
            (["plan", "--config", "/nonexistent.conf", "--manifests", DEMO], "/nonexistent.conf"),
            (["plan", "--node-addresses", "x", "--manifests", DEMO], "--node-addresses: found 'x', expected an IP address"),
            (["plan", "--detect-local-mode=NodeCIDR", "--node-name", "node-1", "--manifests", DEMO],
             "found no spec.podCIDRs of the node node-1; waypost-node programs nothing until"),
            (["plan", "--api-server", "http://127.0.0.1:9", "--node-ip", "x"], "--node-ip: found 'x'"),
            (["plan", "--api-server", "http://127.0.0.1:9"], "from http://127.0.0.1:9: Connection refused"),
            (["plan", "/nonexistent.yaml"], "/nonexistent.yaml"),
            (["plan", "--manifests", "/nonexistent"], "/nonexistent"),
            (["plan", "--node-ip", "x", "--manifests", DEMO], "--node-ip: found 'x', expected addresses, at most one"),
            (["plan", "--cluster-cidr", "10.0.0.1/33", "--manifests", DEMO], "--cluster-cidr: found '10.0.0.1/33'"),
            (["plan", "--rules", "x", "--manifests", DEMO], "--rules: found an unknown flag"),
            (["explain", "--manifests", DEMO], "explain: found no packet"),
            (["explain", "x", "10.0.0.1:80", "--manifests", DEMO], "found the source 'x'"),
            (["explain", "10.0.0.1", "10.0.0.1:80/icmp", "--manifests", DEMO], "found the destination"),
            (["explain", "10.0.0.1", "[::1]:80", "--manifests", DEMO], "different address families"),
            (["explain", "10.0.0.1", "10.0.0.2:80", "--rules", "x", "--kernel", "--manifests", DEMO],
             "found both --kernel and --rules"),
            (["plan", "--kernel", "--manifests", DEMO], "--kernel: found an unknown flag"),
            (["explain", "10.0.0.1", "10.0.0.2:80", "--rules", "/nonexistent", "--manifests", DEMO], "/nonexistent"),
            ([], "found no command, expected check-config, check-node-config, convert-corefile, plan, explain, "
                 "resolv-conf, env, inject, flush"),
            (["convert-corefle", "x"], "found the unknown command 'convert-corefle', expected perhaps 'convert-corefile'"),
            (["xyzzy"], "found the unknown command 'xyzzy', expected check-config")):
        code, out, err = run(TOOL_PROGRAM, *arguments)
        asked = f"waypost {' '.join(map(str, arguments))}"
        checks.equal(f"{asked} exits with", code, 1)
        checks.contains(f"{asked} says", err, message)
        checks.equal(f"{asked} on stdout", out, "")
    with Folder() as folder:
        path = folder.write("bad.yaml", service("zero", "clusterIP: 0.0.0.0, ports: [{port: 80}]") +
                            service("good", "clusterIP: 10.96.0.1, ports: [{port: 80}]"))
        code, out, err = run(TOOL_PROGRAM, "plan", path)
        checks.equal("a plan without one Service exits with", code, 1)
        checks.contains("it says which, and why", err, "Service default/zero is left out: ")
        checks.contains("and has the others", out, "default/good has no endpoints")


def peak_of_plan(path):
    """The most that `waypost plan PATH` holds, in octets; its rules go nowhere."""
    process = subprocess.Popen([TOOL_PROGRAM, "plan", path], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    checks.equal(f"a plan of {path.name} exits with", status, 0)
    return usage.ru_maxrss * 1024


def one_large_list_costs_little_more_than_its_objects():
    objects = []
    for number in range(2500):
        name = f"s{number}"
        objects.append({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                        "spec": {"clusterIP": f"10.96.{number // 250}.{number % 250}", "ports": [{"port": 80}]}})
        objects.append({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
                        "ports": [{"port": 8080}],
                        "endpoints": [{"addresses": [f"10.244.{i}.{number % 250}"], "nodeName": f"node-{i}"}
                                      for i in range(10)]})
    with Folder() as folder:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        apart = folder.write("apart.yaml", "".join(f"---\n{json.dumps(one)}\n" for one in objects))
        together = folder.write("together.json", text)
        extra = peak_of_plan(together) - peak_of_plan(apart)
        # Its tree, which has room to grow. The parser's tokens would take another twenty times the text.
        checks.less("octets of memory for an octet of one long list", extra / len(text), 12)


planned_rules_are_printed_back()
a_packet_goes_the_same_way_through_what_is_in_the_kernel()
the_kernel_itself_is_asked()
explanations_have_reasons()
mistakes_are_named()
one_large_list_costs_little_more_than_its_objects()
checks.finish()
