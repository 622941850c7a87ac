"""A node, its Pods, another node's Pod and an outside host as network namespaces, and waypost-node in them.

         client ── 203.0.113.0/24 ── node ── 192.168.50.0/24 ── far (remote Pod 10.244.2.10)
                                      │ 10.244.1.0/24
                              pod-a (.10), pod-b (.20)

and the same in IPv6. Sockets of all of them belong to this process: a thread enters a namespace, makes the
socket, and leaves again. Namespaces carry this process's id in their names and are removed when it ends,
however it ends.
"""

import atexit
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import BUILD, message_of  # noqa: E402

NODE_PROGRAM = BUILD / "src" / "programs" / "waypost-node"
CLONE_NEWNET = 0x40000000
SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="waypost-netns-"))
LIBC = ctypes.CDLL(None, use_errno=True)

NODE_OUTSIDE = {4: "203.0.113.1", 6: "2001:db8:113::1"}
NODE_FAR = {4: "192.168.50.1", 6: "2001:db8:50::1"}
NODE_PODS = {4: "10.244.1.1", 6: "fd00:244:1::1"}
CLIENT = {4: "203.0.113.2", 6: "2001:db8:113::2"}
POD_A = {4: "10.244.1.10", 6: "fd00:244:1::10"}
POD_B = {4: "10.244.1.20", 6: "fd00:244:1::20"}
FAR_POD = {4: "10.244.2.10", 6: "fd00:244:2::10"}
CLUSTER_CIDR = "10.244.0.0/16,fd00:244::/32"
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}

_cleanups = []


def _clean_up():
    while _cleanups:
        _cleanups.pop()()
    shutil.rmtree(SCRATCH, ignore_errors=True)


def _on_signal(number, _):
    _clean_up()
    os._exit(128 + number)


atexit.register(_clean_up)
for _number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(_number, _on_signal)


def why_not():
    """Why namespaces cannot be made here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None or shutil.which("iptables-nft") is None:
        return "ip and iptables are not installed"
    probe = f"wp{os.getpid()}-probe"
    done = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "del", probe], capture_output=True)
    return None if done.returncode == 0 else f"no network namespace can be made: {done.stderr.strip()}"


def why_not_backend(backend):
    """Why a backend does not work here, or None."""
    space = Namespace("try")
    try:
        for program in (backend, backend.replace("iptables", "ip6tables")):
            for arguments in (["-t", "nat", "-A", "POSTROUTING", "-m", "statistic", "--mode", "random",
                               "--probability", "0.5", "-m", "conntrack", "--ctstate", "DNAT", "-j", "MASQUERADE"],
                              ["-A", "FORWARD", "-j", "REJECT"]):
                done = subprocess.run(["ip", "netns", "exec", space.name, program, *arguments],
                                      capture_output=True, text=True)
                if done.returncode != 0:
                    return f"{program}: {done.stderr.strip()}"
        return None
    finally:
        space.remove()


def for_each_backend(checks, check):
    """Calls check(backend) for each backend that works here, and says which do not, and why."""
    reason = why_not()
    if reason:
        checks.skip(reason)
        return
    for backend in ("iptables-nft", "iptables-legacy"):
        reason = why_not_backend(backend)
        if reason:
            checks.skip(f"{backend}: {reason}")
        else:
            check(backend)


class Namespace:
    def __init__(self, label):
        self.label = label
        self.name = f"wp{os.getpid()}-{label}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        _cleanups.append(self.remove)
        self.run("ip", "link", "set", "lo", "up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)

    def command(self, *arguments):
        return ["ip", "netns", "exec", self.name, *map(str, arguments)]

    def run(self, *arguments, check=True, stdin=None, timeout=60):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, input=stdin, timeout=timeout)
        if check and done.returncode != 0:
            raise RuntimeError(f"{arguments}: {done.stderr}")
        return done.stdout

    def inside(self, work):
        """Runs work() with this namespace around it, and returns what it returns."""
        result = []

        def enter():
            with open(f"/run/netns/{self.name}") as handle:
                if LIBC.setns(handle.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            result.append(work())

        thread = threading.Thread(target=enter)  # A thread of its own, which does not come back.
        thread.start()
        thread.join()
        return result[0]

    def socket(self, family, kind=socket.SOCK_STREAM):
        """A socket of this namespace."""
        return self.inside(lambda: socket.socket(FAMILY[family], kind))


class Echo:
    """Answers TCP and UDP on a port of a namespace with "NAME PEER-ADDRESS"."""

    def __init__(self, space, name, family, port, address=None):
        self.name = name
        self.tcp = space.socket(family, socket.SOCK_STREAM)
        self.udp = space.socket(family, socket.SOCK_DGRAM)
        self.count = 0
        for sock in (self.tcp, self.udp):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address or ("0.0.0.0" if family == 4 else "::"), port))
        self.tcp.listen(512)
        for target in (self._serve_tcp, self._serve_udp):
            threading.Thread(target=target, daemon=True).start()

    def _serve_tcp(self):
        while True:
            try:
                peer, address = self.tcp.accept()
            except OSError:
                return
            self.count += 1
            try:
                peer.settimeout(2)
                peer.sendall(f"{self.name} {address[0]}".encode())
                peer.recv(1)  # Until the client closes, so that TIME_WAIT is its.
            except OSError:
                pass
            peer.close()

    def _serve_udp(self):
        while True:
            try:
                _, address = self.udp.recvfrom(2048)
                if address is None:  # It was shut down.
                    return
                self.udp.sendto(f"{self.name} {address[0]}".encode(), address)
            except OSError:
                return

    def close(self):
        # Wakes the threads that wait on them.
        for sock in (self.tcp, self.udp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()


def ask_tcp(space, family, address, port, timeout=2.0, bind=None):
    """"NAME PEER", "REFUSED" or "TIMEOUT"."""
    sock = space.socket(family)
    sock.settimeout(timeout)
    try:
        if bind:
            sock.bind((bind, 0))
        sock.connect((address, port))
        return sock.recv(200).decode() or "EMPTY"
    except ConnectionRefusedError:
        return "REFUSED"
    except (TimeoutError, socket.timeout):
        return "TIMEOUT"
    except OSError as error:
        return f"{error.strerror}"
    finally:
        sock.close()


class UdpClient:
    """A client that keeps its port, as resolvers and media do."""

    def __init__(self, space, family, address, port, timeout=1.0):
        self.sock = space.socket(family, socket.SOCK_DGRAM)
        self.sock.settimeout(timeout)
        self.sock.connect((address, port))

    def ask(self):
        try:
            self.sock.send(b"?")
            return self.sock.recv(200).decode()
        except (ConnectionRefusedError, PermissionError):  # REJECT in one's own OUTPUT is EPERM at once.
            return "REFUSED"
        except (TimeoutError, socket.timeout):
            return "TIMEOUT"

    def close(self):
        self.sock.close()


class Topology:
    def __init__(self):
        self.node = Namespace("node")
        self.client = Namespace("client")
        self.pod_a = Namespace("pod-a")
        self.pod_b = Namespace("pod-b")
        self.far = Namespace("far")
        run = self.node.run
        run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
            # How often it says that something is refused is the kernel's business, not the rules'.
            "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        self._join(self.client, "out0", CLIENT, NODE_OUTSIDE, 24, 64)
        self._join(self.far, "far0", {4: "192.168.50.2", 6: "2001:db8:50::2"}, NODE_FAR, 24, 64)
        run("ip", "link", "add", "pods", "type", "bridge")
        run("ip", "link", "set", "pods", "up")
        run("ip", "addr", "add", NODE_PODS[4] + "/24", "dev", "pods")
        run("ip", "addr", "add", NODE_PODS[6] + "/64", "dev", "pods", "nodad")
        self._join(self.pod_a, "poda", POD_A, NODE_PODS, 24, 64, bridge=True)
        self._join(self.pod_b, "podb", POD_B, NODE_PODS, 24, 64, bridge=True)
        # What a Pod sends to itself through a Service comes back through the port it went out by.
        run("ip", "link", "set", "poda", "type", "bridge_slave", "hairpin", "on")
        # Service addresses are routed before they are translated.
        run("ip", "route", "add", "default", "via", CLIENT[4])
        run("ip", "-6", "route", "add", "default", "via", CLIENT[6])
        self.far.run("ip", "addr", "add", FAR_POD[4] + "/32", "dev", "lo")
        self.far.run("ip", "addr", "add", FAR_POD[6] + "/128", "dev", "lo", "nodad")
        run("ip", "route", "add", "10.244.2.0/24", "via", "192.168.50.2")
        run("ip", "-6", "route", "add", "fd00:244:2::/64", "via", "2001:db8:50::2")

    def _join(self, space, device, inner, outer, bits4, bits6, bridge=False):
        """A veth pair from the node to another namespace, whose default route leads to the node."""
        run = self.node.run
        run("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", space.name)
        run("ip", "link", "set", device, "up")
        if bridge:
            run("ip", "link", "set", device, "master", "pods")
        else:
            run("ip", "addr", "add", f"{outer[4]}/{bits4}", "dev", device)
            run("ip", "addr", "add", f"{outer[6]}/{bits6}", "dev", device, "nodad")
        space.run("ip", "addr", "add", f"{inner[4]}/{bits4}", "dev", "eth0")
        space.run("ip", "addr", "add", f"{inner[6]}/{bits6}", "dev", "eth0", "nodad")
        space.run("ip", "link", "set", "eth0", "up")
        space.run("ip", "route", "add", "default", "via", outer[4])
        space.run("ip", "-6", "route", "add", "default", "via", outer[6])

    def remove(self):
        for space in (self.node, self.client, self.pod_a, self.pod_b, self.far):
            space.remove()


class NodeProgram:
    """waypost-node in a node's namespace, over a folder of manifests or, without one, as the arguments say."""

    def __init__(self, space, folder, *arguments, backend="iptables-nft", node="node-1", wait=True, environment=None):
        self.space = space
        self.out = []
        self.log = []
        source = ["--manifests", folder] if folder else []
        command = space.command(NODE_PROGRAM, *source, "--node-name", node, "--backend", backend,
                                "--metrics-listen", "127.0.0.1:10249", "--log-level", "debug", *arguments)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "XTABLES_LOCKFILE": str(SCRATCH / "xtables.lock"),
                                             **(environment or {})})
        _cleanups.append(self.kill)
        for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.log)):
            threading.Thread(target=lambda s=stream, l=lines: l.extend(iter_lines(s, l)), daemon=True).start()
        if wait and not self.wait_for(lambda: "ready" in map(message_of, self.out), 20):
            self.kill()
            raise RuntimeError(f"waypost-node did not become ready\n" + "\n".join(self.out + self.log))

    def wait_for(self, condition, timeout=5.0):
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end or (self.process.poll() is not None and not condition()):
                return condition()
            time.sleep(0.01)
        return True

    def logged(self, part):
        return [line for line in self.log if part in line]

    def kill(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        return self.process.wait(timeout=20)

    def stop(self):
        return self.kill(signal.SIGTERM)


def iter_lines(stream, lines):
    for line in stream:
        lines.append(line.rstrip("\n"))
    return []


def saved(space, backend, table=None):
    """What iptables-save and ip6tables-save print, without counters and dates."""
    texts = []
    for program in (backend, backend.replace("iptables", "ip6tables")):
        text = space.run(program + "-save", *(["-t", table] if table else []))
        for line in text.splitlines():
            if not line.startswith("#"):
                texts.append(re.sub(r" \[\d+:\d+\]$", "", line))
    return texts


# ---- manifests ----------------------------------------------------------------------------------


def service(name, addresses, ports, **spec):
    """A Service; ports are (name, port, target, protocol[, node port]). Other fields by their names."""
    families = ["IPv6" if ":" in address else "IPv4" for address in addresses]
    listed = []
    for port in ports:
        entry = {"name": port[0], "port": port[1], "targetPort": port[2], "protocol": port[3]}
        if len(port) > 4:
            entry["nodePort"] = port[4]
        listed.append(entry)
    status = spec.pop("status", None)
    made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "test"},
            "spec": {"type": "ClusterIP", "clusterIP": addresses[0], "clusterIPs": addresses, "ipFamilies": families,
                     "ipFamilyPolicy": "RequireDualStack" if len(addresses) > 1 else "SingleStack",
                     "ports": listed, **spec}}
    if status:
        made["status"] = status
    return made


def slices(name, endpoints, ports):
    """EndpointSlices; endpoints are (address, node name[, conditions]), ports (name, target, protocol)."""
    made = []
    for family, kind in ((4, "IPv4"), (6, "IPv6")):
        mine = [e for e in endpoints if (":" in e[0]) == (family == 6)]
        if not mine:
            continue
        made.append({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-{family}", "namespace": "test", "labels": {"kubernetes.io/service-name": name}},
            "addressType": kind,
            "ports": [{"name": p[0], "port": p[1], "protocol": p[2]} for p in ports],
            "endpoints": [{"addresses": [e[0]], "nodeName": e[1],
                           "conditions": e[2] if len(e) > 2 else {"ready": True}} for e in mine]})
    return made
