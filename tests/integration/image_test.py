#!/usr/bin/env python3
"""The images: the same octets each time, nothing in them that is not needed, and the programs run from them as
container/deploy has them run."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.request

import yaml

from api_scenarios import WEB, shop, web
from api_server import ApiServer
from apiserver.certificates import Authority
from harness import BUILD, ROOT, Answer, Checks, Folder, run
from netns import Namespace, for_each_backend, service, slices, why_not
from pod import DEPLOY, Program, asked, container_of, objects, rights

checks = Checks()
CAPABILITIES = {"NET_BIND_SERVICE": 10, "NET_ADMIN": 12, "NET_RAW": 13}  # linux/capability.h
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
RUNTIME = pathlib.Path(__file__).resolve().parent / "container.py"
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}


def build(output, programs, *words, **settings):
    code, out, err = run("env", *[f"{name}={value}" for name, value in settings.items()], sys.executable,
                         ROOT / "container" / "image.py", programs, output, *words, "--packages",
                         BUILD / "image" / "packages", timeout=200)
    if code != 0:
        raise RuntimeError(err)
    return out


def digests(text):
    return re.findall(r"(waypost-\w+): \S+, (sha256:[0-9a-f]{64}),", text)


def same_octets(folder, first):
    """Whoever builds, whenever and wherever: one commit, one digest."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("waypost", "waypost-dns", "waypost-node"):
        shutil.copy(BUILD / "src" / "programs" / name, programs / name)
        os.chmod(programs / name, 0o700)
    os.umask(0o077)
    second = build(folder / "second", programs, TZ="Asia/Tokyo", LC_ALL="C", HOME="/nowhere")
    os.umask(0o022)
    checks.equal("two builds give two images", [name for name, _ in digests(first)], ["waypost-dns", "waypost-node"])
    checks.equal("and the same ones", digests(second), digests(first))
    for name, _ in digests(first):
        checks.equal(f"{name}.tar, octet by octet",
                     (folder / "second" / f"{name}.tar").read_bytes() == (folder / "first" / f"{name}.tar").read_bytes(),
                     True)
    later = build(folder / "third", programs, SOURCE_DATE_EPOCH="1700000000")
    checks.equal("another time gives others", set(digests(later)) & set(digests(first)), set())


def sizes(told):
    """What docs/install.md says is what is printed, to a megabyte or a tenth."""
    page = (ROOT / "docs" / "install.md").read_text()
    said = {name: (float(packed), float(whole)) for name, packed, whole in re.findall(
        r"^\| `(waypost-\w+)` \|.*\| about (\d+) MB \| (\d+) MB \|", page, re.MULTILINE)}
    found = {name: (float(packed), float(whole)) for name, packed, whole in re.findall(
        r"(waypost-\w+): \S+, \S+, ([\d.]+) MB, ([\d.]+) MB unpacked$", told, re.MULTILINE)}
    checks.equal("sizes are told of both images", sorted(found), ["waypost-dns", "waypost-node"])
    for name, now in found.items():
        near = [abs(one - other) <= max(1, other / 10) for one, other in zip(said.get(name, (0, 0)), now)]
        checks.equal(f"docs/install.md and the size of {name}: {said.get(name)}, {now}", near, [True, True])


def unpacked(folder, name):
    """What another program makes of an image: (root file system, configuration)."""
    layout = folder / "first" / name
    index = json.loads((layout / "index.json").read_text())
    tag = index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
    bundle = folder / f"{name}.bundle"
    code, _, err = run("umoci", "unpack", "--image", f"{layout}:{tag}", bundle)
    checks.equal(f"{name}: umoci unpacks it", (code, err if code else ""), (0, ""))

    def blob(entry):
        return json.loads((layout / "blobs" / "sha256" / entry["digest"].removeprefix("sha256:")).read_text())

    return bundle / "rootfs", blob(blob(index["manifests"][0])["config"])["config"]


def tree_of(root):
    """Path → what it is, without times."""
    found = {}
    for path in root.rglob("*"):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = (status.st_mode, status.st_uid, status.st_gid, content, *(
            [] if path.is_symlink() else [(one, os.getxattr(path, one)) for one in os.listxattr(path)]))
    return found


def contents(name, root):
    """No shell, nothing that gives rights away, and no place of this machine."""
    paths = [path for path in root.rglob("*")]
    checks.equal(f"{name}: no shell", [str(path) for path in paths if path.name in ("sh", "bash", "dash", "busybox")], [])
    scripts = [str(path) for path in paths if path.is_file() and path.open("rb").read(2) == b"#!"]
    checks.equal(f"{name}: nothing that needs one", scripts, [])
    checks.equal(f"{name}: no program that runs as somebody else",
                 [str(path) for path in paths if not path.is_symlink() and path.stat().st_mode & 0o6000], [])
    checks.equal(f"{name}: nothing that all may write but /tmp",
                 [path.name for path in paths if not path.is_symlink() and path.lstat().st_mode & 0o2], ["tmp"])
    broken = [str(path.relative_to(root)) for path in paths
              if path.is_symlink() and not (root / os.path.relpath(os.path.join(
                  "/", path.parent.relative_to(root), os.readlink(path)), "/")).exists()]
    checks.equal(f"{name}: every link leads somewhere", broken, [])
    bundle = (root / "etc" / "ssl" / "certs" / "ca-certificates.crt").read_text()
    checks.equal(f"{name}: certificates of authorities", bundle.count("BEGIN CERTIFICATE") > 50, True)
    # What was installed, for scanners.
    fields = [(file.name, file.read_text()) for file in (root / "var/lib/dpkg/status.d").iterdir()]
    checks.equal(f"{name}: packages are told", [file for file, text in fields if f"Package: {file}\n" not in text
                                                or "\nVersion: " not in text], [])
    checks.equal(f"{name}: and their licenses are there",
                 [file for file, _ in fields if not (root / "usr/share/doc" / file / "copyright").exists()], [])
    places = [str(ROOT).encode(), str(pathlib.Path.home()).encode() + b"/"]
    found = [str(path) for path in paths if path.is_file() and not path.is_symlink()
             and any(place in path.read_bytes() for place in places)]
    checks.equal(f"{name}: no path of the machine that built it", found, [])


class Container:
    """An image's root file system, started as its workload of container/deploy would be."""

    def __init__(self, root, image, workload, mounts):
        self._root = root
        security = {"runAsUser": image["User"].split(":")[0],
                    **workload["spec"]["template"]["spec"].get("securityContext", {}),
                    **container_of(workload)["securityContext"]}
        self._user = str(security["runAsUser"])
        self._capabilities = ",".join(str(CAPABILITIES[one]) for one in security["capabilities"]["add"])
        self._mounts = ",".join(f"{source}={target}" for source, target in mounts.items())
        for source, target in mounts.items():  # As a runtime does, before the root is read-only.
            place = root / target.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if pathlib.Path(source).is_dir():
                place.mkdir(exist_ok=True)
            else:
                place.touch()
        self.environment = dict(entry.split("=", 1) for entry in image["Env"])

    def command(self, *words):
        return [sys.executable, RUNTIME, self._root, self._user, self._capabilities, self._mounts, *words]


def api_for_pods(space, folder):
    """An API server with TLS in a namespace; `account` in the folder is what a Pod has of its service account."""
    authority = Authority(folder / "authority")
    certificate, key = authority.server()
    folder.write("account/ca.crt", authority.certificate.read_text())
    folder.write("account/token", "of-the-pod")
    return space.inside(lambda: ApiServer(certificate=certificate, key=key, tokens=["of-the-pod"]))


def where_it_is(api):
    return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)}


def readable(path):
    """Mounts of a kubelet can be read by a user that is not root."""
    for place in [path, *path.rglob("*")]:
        place.chmod(0o755 if place.is_dir() else 0o644)


def dns_runs(what, root, image, workload, entrypoint, files, allowed):
    """A workload's Pod answers on port 53, over an API server that it asks for no more than it may.  `files` are texts
    by where they are mounted."""
    space = Namespace("dns")
    with Folder() as folder, api_for_pods(space, folder) as api:
        shop(api)
        api.put(web("10.96.3.3"))
        folder.write("resolv.conf", "nameserver 192.0.2.1\n")  # Nobody is there (RFC 5737).
        mounts = {folder / "account": SERVICE_ACCOUNT, folder / "resolv.conf": "/etc/resolv.conf"}
        for number, (place, text) in enumerate(files.items()):
            folder.write(f"config-{number}/{os.path.basename(place)}", text)
            mounts[folder / f"config-{number}"] = os.path.dirname(place)
        readable(folder.path)
        box = Container(root, image, workload, mounts)
        with Program(space, box.command(*entrypoint, *container_of(workload)["args"]),
                     {**box.environment, **where_it_is(api)}) as dns:
            if not checks.equal(f"{what}: it is ready", dns.is_ready, True):
                print("\n".join(dns.lines))
                return
            status = pathlib.Path(f"/proc/{dns.process.pid}/status").read_text()
            checks.matches(f"{what}: as its user", status, r"^Uid:\s+65532\s+65532")
            checks.matches(f"{what}: with its capability, from the file", status, r"^CapEff:\s+0000000000000400$")
            mounts = pathlib.Path(f"/proc/{dns.process.pid}/mountinfo").read_text()
            checks.matches(f"{what}: over a root that is read-only", mounts, r" / ro,")
            for transport in ("+notcp", "+tcp"):
                answer = Answer(space.run("dig", "@127.0.0.1", transport, "+tries=1", "+time=2", WEB))
                checks.equal(f"{what}: it answers on port 53, {transport}", (answer.status, answer.values()),
                             ("NOERROR", ["10.96.3.3"]))
            ports = {port["name"]: port["containerPort"] for port in container_of(workload)["ports"]}
            for probe in ("livenessProbe", "readinessProbe"):
                asks = container_of(workload)[probe]["httpGet"]
                url = f"http://127.0.0.1:{ports[asks['port']]}{asks['path']}"
                checks.equal(f"{what}: {probe}", space.inside(lambda u=url: urllib.request.urlopen(u, timeout=5).status),
                             200)
            checks.equal(f"{what}: it may ask what it asks", asked(api.requests()) - allowed, set())
            checks.equal(f"{what}: it stops in order", dns.stop(), 0)
    space.remove()


def name_servers(root, image):
    configuration = (DEPLOY / "cluster-dns" / "waypost.yaml").read_text()
    with Folder() as folder:
        file = folder.write("waypost.yaml", configuration)
        workload, = objects("base/dns/deployment.yaml")
        resolv_conf = folder.write("resolv.conf", "nameserver 192.0.2.1\n")
        box = Container(root, image, workload, {file: "/waypost.yaml", resolv_conf: "/etc/resolv.conf"})
        out = Namespace("tool").run(*box.command("/usr/local/bin/waypost", "check-config", "/waypost.yaml"))
        checks.contains("waypost runs from the image", out, "/waypost.yaml: ok")
    checks.equal("waypost-dns: the image has the workload's user", image["User"].split(":")[0],
                 str(workload["spec"]["template"]["spec"]["securityContext"]["runAsUser"]))
    dns_runs("cluster-dns", root, image, workload, image["Entrypoint"], {"/etc/waypost/waypost.yaml": configuration},
             rights("base/dns/rights.yaml"))
    # Another image in the Deployment that kubeadm makes: everything else is CoreDNS'.
    data = ROOT / "tests" / "data"
    theirs = data / "kubernetes" / "coredns.yaml"
    corefile = {"/etc/coredns/Corefile": (data / "corefile" / "kubeadm.corefile").read_text()}
    workload = objects(theirs)[0]
    for entrypoint in (image["Entrypoint"], ["/coredns"]):
        dns_runs(f"kubeadm's Deployment, {entrypoint[0]}", root, image, workload, entrypoint, corefile, rights(theirs))


def node_runs(root, image, backend):
    """With the files of docs/install.md, from the Pod's service account."""
    workload, = objects("base/node/daemonset.yaml")
    patch, = objects("node-kube-proxy/kube-proxy-configuration.yaml")
    example = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "install.md").read_text(), re.DOTALL)[-1]
    space = Namespace(backend)
    space.run("ip", "route", "add", "default", "dev", "lo")
    with Folder() as folder, api_for_pods(space, folder) as api:
        api.load(objects=[NODE, service("web", ["10.96.0.1"], [("main", 80, 8080, "TCP")]),
                          *slices("web", [("10.244.1.10", "node-1")], [("main", 8080, "TCP")])])
        for name, text in yaml.safe_load(example)["data"].items():
            folder.write(f"config/{name}", text.replace("https://api.example.org:6443", api.url))
        folder.write("lock", "")
        box = Container(root, image, workload, {folder / "config": "/var/lib/kube-proxy",
                                                folder / "account": SERVICE_ACCOUNT, folder / "lock": "/run/xtables.lock"})
        arguments = [word.replace("$(NODE_NAME)", "node-1") for word in container_of(patch)["args"]]
        with Program(space, box.command(*image["Entrypoint"], *arguments, "--backend", backend), box.environment) as node:
            if not checks.equal(f"waypost-node runs from the image, {backend}", node.is_ready, True):
                print("\n".join(node.lines))
                return
            checks.contains("the rules are there", space.run(f"{backend}-save", "-t", "nat"),
                            "--to-destination 10.244.1.10:8080")
            checks.contains("of IPv6, too", space.run(f"{backend.replace('ip', 'ip6', 1)}-save", "-t", "nat"),
                            "KUBE-SERVICES")
            checks.equal("it stops in order", node.stop(), 0)
        # As the DaemonSet that kubeadm makes starts it.
        in_place = ["/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf", "--hostname-override=node-1"]
        with Program(space, box.command(*in_place), box.environment) as node:
            checks.equal("it runs as kube-proxy", node.is_ready, True)
            checks.matches("and goes on with the backend that there is", "\n".join(node.lines), f"^backend {backend}:")
        space.run(*box.command("/usr/local/bin/waypost-node", "--cleanup"))
        checks.lacks("and cleans up until nothing is left", space.run(f"{backend}-save"), "KUBE-")
    space.remove()


def containerfile():
    """For those with an engine; here only what it names is looked at."""
    text = (ROOT / "container" / "Containerfile").read_text()
    code, out, _ = run(ROOT / "dev", "help")
    for job in re.findall(r"\./dev ([a-z-]+)", text):
        checks.equal(f"Containerfile: ./dev {job} is a job", (code, re.search(rf"^  {job}\b", out, re.M) is not None),
                     (0, True))
    stages = re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE)
    checks.equal("Containerfile: stages", stages, ["build", "waypost-node", "waypost-dns"])


containerfile()
with Folder() as scratch:
    told = build(scratch / "first", BUILD / "src" / "programs", "--unpack")
    print(told)
    sizes(told)
    same_octets(scratch, told)
    if os.geteuid() != 0 or shutil.which("umoci") is None:
        checks.skip("nothing is run from the images: that needs root, and umoci")
    else:
        images = {name: unpacked(scratch, name) for name in ("waypost-dns", "waypost-node")}
        for label, (tree, _) in images.items():
            contents(label, tree)
            # What container/Containerfile copies.
            other = tree_of(scratch / "first" / f"{label}.root")
            mine = tree_of(tree)
            checks.equal(f"{label}: --unpack gives the same files",
                         [path for path in {*mine, *other} if mine.get(path) != other.get(path)], [])
        why = why_not()
        if why:
            checks.skip(f"nothing is run from the images: {why}")
        else:
            name_servers(*images["waypost-dns"])
            for_each_backend(checks, lambda backend: node_runs(*images["waypost-node"], backend))
checks.finish()
