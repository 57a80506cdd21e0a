"""A cluster to test with: network namespaces, real agents, real servers, real clients.

    cluster = Cluster(3)              lb1..lb3, w1, w2 and client c on one bridge, agents running
    cluster[0].ask("vip list")        one request over the agent's socket, the answer as a dict
    cluster[0].must("vip add", ...)   the same, which has to succeed
    cluster[0].ipvs()                 what ipvsadm says, as a set of lines, anchors left out
    ok("name", condition, detail)     one line of output; done() exits with the verdict

lbK is 10.77.0.K, wK is 10.77.0.(100+K). The client has a leg 10.78.K.2 behind each balancer, whose
packets and answers pass that balancer and no other, so that every kernel can be tested with
connections of its own.
Runs inside test/kernel/vm. GVS_BIN names the directory of gossipvsd and gossipvs.
"""
import atexit
import ctypes
import json
import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

BIN = os.environ.get("GVS_BIN", "build")
LONG = os.environ.get("GVS_LONG") == "1"
WORK = "/tmp/gossipvs-test"
ANCHORS = ("1735786500", "1735786502")
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

_failed = []
_passed = 0
_children = []


def ok(name, condition, detail=""):
    """Reports one fact."""
    global _passed
    if condition:
        _passed += 1
        print(f"ok {name}", flush=True)
    else:
        _failed.append(name)
        print(f"not ok {name}", flush=True)
        if detail != "":
            print(f"# {detail}", flush=True)
    return bool(condition)


def note(text):
    print(f"# {text}", flush=True)


def done():
    """The end: exits 0 only if something was tested and all of it held."""
    sys.exit(0 if _passed and not _failed else 1)


def sh(command, check=True, given=None):
    """Runs a command; returns its standard output. A shell is started only for what needs one:
    in the virtual machine programs take long to start."""
    argv = shlex.split(command)
    if set(command) & set("|&;<>()$`*?~"):
        argv = ["sh", "-c", command]
    r = subprocess.run(argv, input=given, capture_output=True, text=True)
    if check and r.returncode:
        raise RuntimeError(f"{command}: {r.stderr.strip()} {r.stdout.strip()}")
    return r.stdout


def wait(seconds, condition, step=0.1):
    """Waits until condition() is true; returns its last value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


def enter(netns):
    """Moves the calling thread into a network namespace, for good."""
    fd = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {netns}")
    finally:
        os.close(fd)


def inside(netns, call):
    """What call() returns, on a thread that is in the namespace: so are the programs and sockets
    that it makes."""
    result = []

    def run():
        try:
            enter(netns)
            result.append((call(), None))
        except Exception as e:
            result.append((None, e))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    value, error = result[0]
    if error:
        raise error
    return value


def spawn(netns, argv, **kw):
    """Starts a program in a namespace; it is ended with this script."""
    p = inside(netns, lambda: subprocess.Popen(argv, **kw))
    _children.append(p)
    return p


@atexit.register
def _end_children():
    for p in _children:
        if p.poll() is None:
            p.send_signal(signal.SIGCONT)
            p.kill()
    for p in _children:
        p.wait()


class Net:
    """Commands of ip, gathered: one program for each namespace, instead of one for each command.

    The namespaces are made first, then their links, then what is said of them, in order.
    """

    def __init__(self):
        self.made, self.links, self.said = [], [], {}

    def netns(self, name):
        self.made.append(f"netns add {name}")
        self.ip(name, "link set lo up")

    def ip(self, netns, command):
        self.said.setdefault(netns, []).append(command)

    def link(self, netns, name, address, peer_netns, peer_name, peer_address=None, bridge=None):
        self.links.append(f"link add {name} netns {netns} type veth "
                          f"peer name {peer_name} netns {peer_netns}")
        self.ip(netns, f"link set {name} up")
        if address:
            self.ip(netns, f"addr add {address} dev {name}")
        if bridge:
            self.ip(peer_netns, f"link set {peer_name} master {bridge}")
        elif peer_address:
            self.ip(peer_netns, f"addr add {peer_address} dev {peer_name}")
        self.ip(peer_netns, f"link set {peer_name} up")

    def make(self):
        sh("ip -batch -", given="\n".join(self.made))
        sh("ip -batch -", given="\n".join(self.links))
        for netns, commands in self.said.items():
            sh(f"ip -n {netns} -batch -", given="\n".join(commands))


def link(*args, **kw):
    net = Net()
    net.link(*args, **kw)
    net.make()


def make_netns(name):
    net = Net()
    net.netns(name)
    net.make()


def sysctl(netns, path, value):
    """Sets /proc/sys/net/PATH as it is in a namespace."""
    def write():
        with open(f"/proc/sys/net/{path}", "w", encoding="ascii") as f:
            f.write(value)
    inside(netns, write)


class Lb:
    """One balancer and its agent."""

    def __init__(self, index, peers, **options):
        self.name = f"lb{index + 1}"
        self.address = f"10.77.0.{index + 1}"
        self.dir = f"{WORK}/{self.name}"
        self.conf = f"{self.dir}/gossipvs.conf"
        self.services = f"{self.dir}/services.d"
        self.socket = f"{self.dir}/gossipvs.sock"
        self.process = None
        self.options = {"cluster": "test", "kernel": "audit = 1", "node": "", "more": "",
                        "keyring": f"{WORK}/keyring", "state": f"{self.dir}/state",
                        "peers": peers, **options}
        os.makedirs(self.services, exist_ok=True)
        self.write_conf()

    def write_conf(self, **options):
        o = self.options
        o.update(options)
        peers = ", ".join(f'"{p}"' for p in o["peers"])
        with open(self.conf, "w", encoding="ascii") as f:
            f.write(f'''cluster = "{o["cluster"]}"
node {{
  name = "{self.name}"
  bind = "{self.address}:7900"
  peers = {{ {peers} }}
  keyring = "{o["keyring"]}"
  state = "{o["state"]}"
  services = "{self.services}"
  {o["node"]}
}}
kernel {{ {o["kernel"]} }}
control {{ socket = "{self.socket}" }}
{o["more"]}
''')

    def start(self, wait_for_socket=True, argv=()):
        self.log = open(f"{self.dir}/log", "ab")
        self.process = spawn(self.name, [f"{BIN}/gossipvsd", "-c", self.conf, *argv],
                             stderr=self.log, stdin=subprocess.DEVNULL)
        if wait_for_socket:
            self.wait_for_socket()
        return self

    def wait_for_socket(self):
        if not wait(20, self.answers):
            raise RuntimeError(f"{self.name} does not answer:\n{self.log_text()}")

    def answers(self):
        try:
            return "schema" in self.ask("version")
        except OSError:
            return False

    def log_text(self):
        with open(f"{self.dir}/log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def kill(self, sig=signal.SIGKILL):
        self.process.send_signal(sig)
        return self.process.wait()

    def ask(self, command, *args, timeout=10):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout + 10)
            s.connect(self.socket)
            request = {"command": command, "args": list(args), "timeout": timeout}
            s.sendall(json.dumps(request).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                piece = s.recv(1 << 20)
                if not piece:
                    raise ConnectionError(f"{self.name}: closed after {answer[:200]}")
                answer += piece
        return json.loads(answer)

    def must(self, command, *args, timeout=10):
        answer = self.ask(command, *args, timeout=timeout)
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {command} {args}: {answer['error']}")
        return answer

    def status(self):
        return self.must("status")

    def operations(self):
        return self.status()["kernel"]["operations"]

    def converged(self, seconds=20):
        """Waits until everybody alive says that he has our table; the error, or None."""
        return self.ask("status", "--wait-converged", str(seconds), timeout=seconds).get("error")

    def run(self, command):
        """A command in the balancer's namespace."""
        return inside(self.name, lambda: sh(command))

    def events(self, since):
        """A thread that gathers what watch shows after event `since`, until its stop() is called."""
        return Watch(self, since)

    def ipvs(self):
        lines = self.run("ipvsadm -Sn").splitlines()
        return {x.strip() for x in lines if not any(a in x for a in ANCHORS)}

    def stats(self):
        """Per virtual service, how many connections the kernel has counted since it was added."""
        out = {}
        for line in self.run("ipvsadm -Ln --stats --exact").splitlines():
            word = line.split()
            if word and word[0] in ("TCP", "UDP", "SCTP"):
                out[f"{word[1]}/{word[0].lower()}"] = int(word[2])
        return out


class Watch(threading.Thread):
    """Everything that one agent tells from an event on."""

    def __init__(self, lb, since=None):
        super().__init__(daemon=True)
        self.seen = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(lb.socket)
        args = [] if since is None else ["--since", str(since)]
        requests = {"command": "version"}, {"command": "watch", "args": args}
        self.socket.sendall(b"".join(json.dumps(r).encode() + b"\n" for r in requests))
        self.rest = b""
        while b"\n" not in self.rest:  # answered in turn: what comes after this, it sees
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise ConnectionError(f"{lb.name}: closed before it answered")
            self.rest += piece
        self.rest = self.rest.split(b"\n", 1)[1]
        self.start()

    def run(self):
        rest = self.rest
        while True:
            try:
                piece = self.socket.recv(1 << 20)
            except OSError:
                return
            if not piece:
                return
            *lines, rest = (rest + piece).split(b"\n")
            self.seen += [json.loads(line) for line in lines]

    def last(self):
        return max((e["seq"] for e in self.seen if "seq" in e), default=0)

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.join(10)
        self.socket.close()
        return self.seen


class Cluster(list):
    def __init__(self, count=3, workers=2, start=True, **options):
        super().__init__()
        shutil.rmtree(WORK, ignore_errors=True)
        os.makedirs(WORK)
        net = Net()
        net.netns("net")
        net.ip("net", "link add br0 type bridge")
        net.ip("net", "link set br0 up")
        net.netns("c")
        for w in range(1, workers + 1):
            net.netns(f"w{w}")
            net.link(f"w{w}", "eth0", f"10.77.0.{100 + w}/24", "net", f"w{w}", bridge="br0")
        for i in range(count):
            n = i + 1
            net.netns(f"lb{n}")
            net.link(f"lb{n}", "eth0", f"10.77.0.{n}/24", "net", f"lb{n}", bridge="br0")
            net.link(f"lb{n}", "client", f"10.78.{n}.1/24", "c", f"leg{n}", f"10.78.{n}.2/24")
            net.ip("c", f"rule add from 10.78.{n}.2 table {n}")
            net.ip("c", f"route add default via 10.78.{n}.1 table {n}")
            for w in range(1, workers + 1):
                net.ip(f"w{w}", f"route add 10.78.{n}.0/24 via 10.77.0.{n}")
        net.make()
        for i in range(count):
            sysctl(f"lb{i + 1}", "ipv4/ip_forward", "1")
        with open(f"{WORK}/keyring", "w", encoding="ascii") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(subprocess.run([f"{BIN}/gossipvs", "keys", "generate"], check=True,
                                   capture_output=True, text=True).stdout)
        for i in range(count):
            peers = ["10.77.0.1:7900"] if i else (["10.77.0.2:7900"] if count > 1 else [])
            self.append(Lb(i, peers, **options))
        if start:
            for lb in self:
                lb.start()
            if not wait(20, lambda: all(lb.status()["members"]["alive"] == count for lb in self)):
                raise RuntimeError("the agents do not find each other:\n" +
                                   "\n".join(lb.log_text() for lb in self))

    def converged(self, seconds=20):
        return [e for e in (lb.converged(seconds) for lb in self) if e]

    def cut(self, lb, on=True):
        """Takes a balancer off the bridge, or puts it back."""
        sh(f"ip -n net link set {lb.name} {'down' if on else 'up'}")

    def mute(self, lb, on=True):
        """Drops what a balancer's agent sends and is sent, and nothing else; or stops doing so."""
        if not on:
            sh(f"tc -n {lb.name} qdisc del dev eth0 clsact")
            return
        sh(f"tc -n {lb.name} qdisc add dev eth0 clsact")
        for way in ("ingress", "egress"):
            sh(f"tc -n {lb.name} filter add dev eth0 {way} protocol ip u32 match ip protocol 17 "
               "0xff match ip dport 7900 0xffff action drop")


def redis(worker, port):
    """A real redis-server in a worker's namespace."""
    p = spawn(f"w{worker}", ["redis-server", "--port", str(port), "--save", "", "--bind",
                             "*", "-::*", "--protected-mode", "no", "--dir", WORK, "--loglevel",
                             "warning"], stdout=subprocess.DEVNULL)
    if not wait(20, lambda: "PONG" in sh(f"ip netns exec w{worker} redis-cli -p {port} ping",
                                         check=False)):
        raise RuntimeError(f"redis-server on w{worker}:{port} does not answer")
    return p


def http(worker, text, port=80):
    """A web server in a worker's namespace that answers every request with `text`."""
    root = f"{WORK}/www{worker}-{port}"
    os.makedirs(root, exist_ok=True)
    with open(f"{root}/index.html", "w", encoding="ascii") as f:
        f.write(text + "\n")
    return spawn(f"w{worker}", ["busybox", "httpd", "-f", "-p", str(port), "-h", root])


class Client(threading.Thread):
    """Holds one connection to a Redis server through a VIP and talks all the time, until stopped.

    `answers` counts; `error` says how the connection ended before its time; `retransmissions` is
    what its own TCP says, but for those that were not needed: where a machine is slow, an answer
    may come after what asks for it again, and then the other side tells that it has both (DSACK).
    """

    def __init__(self, lb, vip, port=6379, source=None, netns="c", pause=0.05):
        super().__init__(daemon=True)
        self.lb, self.vip, self.port = lb, vip, port
        self.source = f"10.78.{lb}.2" if source is None else source
        self.netns, self.pause = netns, pause
        self.answers, self.error, self.slowest = 0, None, 0.0
        self.retransmissions = 0
        self.stopping = False
        self.abort = False  # end it by a reset: of that IPVS remembers nothing for long
        self.connected = threading.Event()
        self.start()

    def talk(self, s):
        began = time.monotonic()
        s.sendall(b"PING\r\n")
        got = b""
        while not got.endswith(b"\r\n"):
            piece = s.recv(64)
            if not piece:
                raise ConnectionError("closed by the server")
            got += piece
        if got != b"+PONG\r\n":
            raise ConnectionError(f"not Redis: {got!r}")
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.answers += 1

    def run(self):
        try:
            enter(self.netns)
            family = socket.AF_INET6 if ":" in self.vip else socket.AF_INET
            s = socket.socket(family, socket.SOCK_STREAM)
            s.settimeout(30)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.source:
                s.bind((self.source, 0))
            s.connect((self.vip, self.port))
            self.talk(s)
            self.connected.set()
            while not self.stopping:
                self.talk(s)
                time.sleep(self.pause)
            for _ in range(20):  # that it came twice may still have to be told
                info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
                # struct tcp_info: tcpi_total_retrans and tcpi_dsack_dups
                total, twice = (struct.unpack_from("=I", info, at)[0] for at in (100, 216))
                self.retransmissions = max(0, total - twice)
                if not self.retransmissions:
                    break
                time.sleep(0.1)
            if self.abort:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        except OSError as e:
            self.error = f"{type(e).__name__}: {e}"
        finally:
            self.connected.set()

    def stop(self):
        self.stopping = True
        self.join(40)
        return self

    def unharmed(self):
        return self.error is None and self.retransmissions == 0 and self.answers > 0

    def __str__(self):
        return (f"lb{self.lb} {self.vip}:{self.port}: {self.answers} answers, "
                f"{self.retransmissions} retransmissions, slowest {self.slowest * 1000:.0f} ms, "
                f"{self.error or 'no error'}")
