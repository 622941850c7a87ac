#!/usr/bin/env python3
"""What container/deploy gives the programs is enough for them, and no more: configuration, rights, capabilities."""

import os
import pathlib
import re
import subprocess
import urllib.request

import yaml

from api_scenarios import WATCHED, WEB, shop, web
from api_server import ApiServer
from apiserver.certificates import Authority
from harness import DNS_PROGRAM, ROOT, Answer, Checks, Folder, Server, free_port
from netns import NODE_PROGRAM, Namespace, for_each_backend, service, slices, why_not
from pod import DEPLOY, Program, ambient, asked, container_of, objects, patched, restrictions, rights

checks = Checks()
CONFIGURATION = DEPLOY / "cluster-dns" / "waypost.yaml"
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}


def status_of(space, url):
    return space.inside(lambda: urllib.request.urlopen(url, timeout=5).status)


def rights_of_dns():
    """With both ways to list, each right is used, and none is missing."""
    requests = []
    for is_streaming in (True, False):
        with ApiServer(watch_list=is_streaming) as api:
            shop(api, services=20)
            with Server("--api-server", api.url, "--health-listen", "127.0.0.1:0", "--ready-listen", "127.0.0.1:0",
                        "--metrics-listen", "127.0.0.1:0", config=CONFIGURATION):
                checks.equal("every kind is watched", api.wait_for_watches(*WATCHED), True)
            requests += api.requests()
    checks.equal("waypost-dns asks for what its role allows", asked(requests), rights("base/dns/rights.yaml"))


def rights_in_place_of_kube_dns():
    """What its ServiceAccount gets for Waypost is what Waypost asks for with kube-dns' arguments, and no more."""
    granted = rights("kube-dns-in-place/rights.yaml")
    requests = []
    for is_streaming in (True, False):
        with Folder() as folder, ApiServer(watch_list=is_streaming) as api:
            shop(api, services=20)
            (folder / "config").mkdir()
            with Server("--domain=cluster.local.", f"--dns-port={free_port()}", "--config-dir", folder / "config", "--v=2",
                        "--api-server", api.url, "--ready-listen", "127.0.0.1:0", listen=()):
                checks.equal("every kind is watched in kube-dns' place", api.wait_for_watches(*WATCHED), True)
            requests += api.requests()
    checks.equal("waypost-dns asks in kube-dns' place for what its role allows", asked(requests), granted)


def dns_as_in_its_pod():
    """Port 53 without being root, and probes where the kubelet asks."""
    workload, = objects("base/dns/deployment.yaml")
    box = container_of(workload)
    with Namespace("dns") as space, Folder() as folder:
        os.chmod(folder.path, 0o755)
        program = folder / "waypost-dns"  # A build folder may be closed to others.
        subprocess.run(["install", "-m", "755", DNS_PROGRAM, program], check=True)
        arguments = [folder / "waypost.yaml" if word == "/etc/waypost/waypost.yaml" else word for word in box["args"]]
        folder.write("waypost.yaml", CONFIGURATION.read_text())
        # The addresses of a folder with mode 755 are free to everybody; its socket has to be, too.
        with ApiServer(unix=folder / "api.sock") as api:
            os.chmod(folder / "api.sock", 0o777)
            shop(api)
            api.put(web("10.96.3.3"))
            command = [*restrictions(workload), *ambient(workload), program, *arguments,
                       "--api-server", f"unix://{folder / 'api.sock'}"]
            with Program(space, command) as dns:
                if not checks.equal("waypost-dns is ready as that user", dns.is_ready, True):
                    print("\n".join(dns.lines))
                    return
                status = pathlib.Path(f"/proc/{dns.process.pid}/status").read_text()
                checks.matches("it is not root", status, r"^Uid:\s+65532\s+65532")
                checks.matches("it may bind low ports and nothing else", status, r"^CapEff:\s+0000000000000400$")
                for transport in ("+notcp", "+tcp"):
                    answer = Answer(space.run("dig", "@127.0.0.1", transport, "+tries=1", "+time=2", WEB))
                    checks.equal(f"port 53 answers, {transport}", (answer.status, answer.values()),
                                 ("NOERROR", ["10.96.3.3"]))
                ports = {port["name"]: port["containerPort"] for port in box["ports"]}
                wanted = [(box[one]["httpGet"]["path"], ports[box[one]["httpGet"]["port"]])
                          for one in ("livenessProbe", "readinessProbe")] + [("/metrics", ports["metrics"])]
                for path, port in wanted:
                    url = f"http://127.0.0.1:{port}{path}"
                    checks.equal(f"{url} answers", status_of(space, url), 200)
                checks.equal("it stops in order", dns.stop(), 0)
            command[command.index("--bounding-set") + 1] = "-all"
            command = [word for word in command if not str(word).startswith(("-all,", "--inh-caps", "--ambient-caps"))]
            with Program(space, command, timeout=5) as dns:
                checks.equal("without the capability it is not", dns.is_ready, False)


def kube_proxy_files():
    """What the ConfigMap kube-proxy may hold: kubeadm's configuration, and the example of docs/install.md."""
    example = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "install.md").read_text(), re.DOTALL)[-1]
    of_docs = yaml.safe_load(example)["data"]
    kubeadm = (ROOT / "tests" / "data" / "kubernetes" / "kube-proxy.yaml").read_text()
    return {"kubeadm": {**of_docs, "config.conf": kubeadm}, "docs/install.md": of_docs}


def api_with_tls(space, folder, is_streaming):
    """An API server in a namespace; the folder gets what a Pod has in that of its service account."""
    authority = Authority(folder.path)
    certificate, key = authority.server()
    folder.write("token", "of-the-pod")
    return space.inside(lambda: ApiServer(certificate=certificate, key=key, tokens=["of-the-pod"],
                                          watch_list=is_streaming))


def node_as_in_its_pod(backend):
    """With kube-proxy's files and two capabilities, rules get into the kernel."""
    workload, = objects("base/node/daemonset.yaml")
    patch, = objects("node-kube-proxy/kube-proxy-configuration.yaml")
    box = container_of(workload)
    port, = (one["containerPort"] for one in box["ports"])
    requests = []
    with Namespace(backend) as space:
        space.run("ip", "route", "add", "default", "dev", "lo")
        for (origin, files), is_streaming in zip(kube_proxy_files().items(), (True, False)):
            what = f"{backend}, {origin}"
            with Folder() as folder, api_with_tls(space, folder, is_streaming) as api:
                api.load(objects=[NODE, service("web", ["10.96.0.1"], [("main", 80, 8080, "TCP")]),
                                  *slices("web", [("10.244.1.10", "node-1")], [("main", 8080, "TCP")])])
                here = {"/var/lib/kube-proxy": str(folder.path), "https://api.example.org:6443": api.url,
                        "/var/run/secrets/kubernetes.io/serviceaccount": str(folder.path), "$(NODE_NAME)": "node-1"}

                def placed(text):
                    for place, own in here.items():
                        text = text.replace(place, own)
                    return text

                for name, text in files.items():
                    folder.write(name, placed(text))
                command = [*restrictions(workload), NODE_PROGRAM, *map(placed, container_of(patch)["args"]),
                           "--backend", backend]
                with Program(space, command, {**os.environ, "XTABLES_LOCKFILE": str(folder / "lock")}) as node:
                    if not checks.equal(f"{what}: waypost-node is ready with its capabilities", node.is_ready, True):
                        print("\n".join(node.lines))
                        return
                    status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
                    checks.equal(f"{what}: it has NET_ADMIN and NET_RAW only",
                                 re.search(r"^CapEff:\s+(\w+)$", status, re.MULTILINE).group(1), "0000000000003000")
                    checks.contains(f"{what}: the rules are there", space.run(f"{backend}-save", "-t", "nat"),
                                    "--to-destination 10.244.1.10:8080")
                    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                        url = f"http://127.0.0.1:{port}{box[probe]['httpGet']['path']}"
                        checks.equal(f"{what}: {probe}", status_of(space, url), 200)
                    checks.equal(f"{what}: it stops in order", node.stop(), 0)
                requests += api.requests()
    checks.equal(f"{backend}: waypost-node asks for what its role allows", asked(requests),
                 rights("base/node/rights.yaml"))


def node_dns_as_in_its_pod(backend):
    """Both overlays with DNS on the node: its addresses are answered with three capabilities, and each right is used."""
    component = "components/node-dns"
    for overlay, own in (("node-kube-proxy-dns", ()), ("node-dns-beside", ("node-dns-beside/kustomization.yaml",))):
        what = f"{backend}, {overlay}"
        changes = (f"{component}/kustomization.yaml", *own)
        base, = objects("base/node/daemonset.yaml")
        workload = patched(base, *changes)
        more, = objects(f"{component}/daemonset.yaml")
        container_of(workload)["securityContext"]["capabilities"] = \
            container_of(more)["securityContext"]["capabilities"]
        port, = (one["containerPort"] for one in container_of(workload)["ports"])
        probe = f"http://127.0.0.1:{port}{container_of(workload)['readinessProbe']['httpGet']['path']}"
        requests = []
        for is_streaming in (True, False):
            with Namespace("dns-node") as space, Folder() as folder, \
                    ApiServer(unix=folder / "api.sock", watch_list=is_streaming) as api:
                space.run("ip", "route", "add", "default", "dev", "lo")
                shop(api)
                api.put(web("10.96.3.3"))
                api.put(NODE)
                folder.write("dns.yaml", (DEPLOY / component / "dns.yaml").read_text())
                here = {"$(NODE_NAME)": "node-1", "/etc/waypost": str(folder.path)}
                arguments = container_of(workload)["args"]
                for place, there in here.items():
                    arguments = [word.replace(place, there) for word in arguments]
                command = [*restrictions(workload), NODE_PROGRAM, *arguments, "--backend", backend,
                           "--api-server", f"unix://{folder / 'api.sock'}"]
                with Program(space, command, {**os.environ, "XTABLES_LOCKFILE": str(folder / "lock")}) as node:
                    if not checks.equal(f"{what}: waypost-node is ready with its capabilities", node.is_ready, True):
                        print("\n".join(node.lines))
                        return
                    answer = Answer(space.run("dig", "@169.254.20.10", "+tries=1", "+time=2", WEB))
                    checks.equal(f"{what}: it answers", (answer.status, answer.values()), ("NOERROR", ["10.96.3.3"]))
                    checks.equal(f"{what}: readinessProbe", status_of(space, probe), 200)
                    checks.equal(f"{what}: it stops in order", node.stop(), 0)
                requests += api.requests()
        checks.equal(f"{what}: it asks for what its role allows", asked(requests),
                     rights("base/node/rights.yaml", *changes))


rights_of_dns()
rights_in_place_of_kube_dns()
reason = why_not()
if reason:
    checks.skip(f"nothing is started as in its Pod: {reason}")
else:
    dns_as_in_its_pod()
    for_each_backend(checks, node_as_in_its_pod)
    for_each_backend(checks, node_dns_as_in_its_pod)
checks.finish()
