"""Real agents on loopback, which only observe: no kernel is needed. For the test/tools/test_* that
start some.

GVS_BIN is the directory of gossipvsd. Each script prints `ok FACT` or `not ok FACT`; status 1 if a
fact does not hold. Arguments name the tests to run.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

BIN = os.path.abspath(os.environ.get("GVS_BIN", "build"))
PORT = 20000 + os.getpid() % 20000
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= primary\n"
OTHER = "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= primary\n"
WEB = "10.99.0.1:80/tcp"

with open(f"{BIN}/gossipvsd", "rb") as program:
    SANITIZED = b"__asan_init" in program.read()  # freed memory is kept


def wait(seconds, condition):
    """On a machine that has time; a busy one gets four times as much. No fact is how long it took."""
    end = time.monotonic() + 4 * seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


class Client:
    """One connection to an agent's socket."""

    def __init__(self, agent):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(agent.socket)
        self.lines = self.socket.makefile("rb")

    def send(self, command, *args, timeout=10):
        self.socket.sendall(json.dumps({"command": command, "args": list(args),
                                        "timeout": timeout}).encode() + b"\n")

    def hear(self):
        line = self.lines.readline()
        return json.loads(line) if line else None

    def close(self):
        self.lines.close()
        self.socket.close()


class Agent:
    def __init__(self, top, number, peers=(), key=KEY):
        self.name = f"lb{number}"
        self.address = f"127.0.0.{number}:{PORT}"
        self.dir = os.path.join(top, self.name)
        self.socket = os.path.join(self.dir, "s")
        self.services = os.path.join(self.dir, "services.d")
        self.peers = [f"127.0.0.{n}:{PORT}" for n in peers]
        self.more = ""
        self.process = None
        os.makedirs(self.services)
        with open(os.path.join(self.dir, "keyring"), "w", encoding="ascii") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(key)
        self.admission = ""
        self.configure()

    def keyring(self, *lines):
        """Another keyring, written as tools that care write files."""
        path = os.path.join(self.dir, "keyring")
        with open(path + ".new", "w", encoding="ascii") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write("".join(lines))
        os.rename(path + ".new", path)

    def configure(self, more=""):
        peers = ", ".join(f'"{p}"' for p in self.peers)
        with open(os.path.join(self.dir, "conf"), "w", encoding="ascii") as f:
            f.write(f'''cluster = "test"
node {{ name = "{self.name}" bind = "{self.address}" peers = {{ {peers} }}
  keyring = "{self.dir}/keyring" state = "{self.dir}/state" services = "{self.services}"
  {self.admission} }}
kernel {{ mode = observe }}
control {{ socket = "{self.socket}" }}
{self.more}{more}
''')

    def advertise(self, address):
        with open(f"{self.dir}/conf", encoding="ascii") as f:
            text = f.read()
        with open(f"{self.dir}/conf", "w", encoding="ascii") as f:
            f.write(text.replace("peers =", f'advertise = "{address}:{PORT}" peers =', 1))

    def start(self, prefix=()):
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.process = subprocess.Popen([*prefix, f"{BIN}/gossipvsd", "-c", f"{self.dir}/conf"],
                                        stderr=self.log, stdin=subprocess.DEVNULL)
        assert wait(10, self.answers), self.log_text()
        return self

    def answers(self):
        with contextlib.suppress(OSError):
            return "schema" in self.ask("version")
        return False

    def log_text(self):
        with open(os.path.join(self.dir, "log"), encoding="utf-8") as f:
            return f.read()

    def stop(self, sig=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
        status = self.process.wait(20) if self.process else 0
        self.log.close()
        return status

    def ask(self, command, *args, timeout=10):
        client = Client(self)
        client.send(command, *args, timeout=timeout)
        answer = client.hear()
        client.close()
        return answer

    def must(self, command, *args, **more):
        answer = self.ask(command, *args, **more)
        assert answer and "error" not in answer, (self.name, command, args, answer)
        return answer

    def refuses(self, code, words, command, *args, **more):
        error = self.ask(command, *args, **more).get("error", {})
        assert error.get("code") == code and words in error["message"], error

    def claim(self, name, text):
        with open(os.path.join(self.services, name), "w", encoding="ascii") as f:
            f.write(text)
        self.must("reload")

    def vip(self, which="web"):
        return self.must("vip show", which)["vips"][0]

    def backend(self, address, which="web"):
        return next((b for b in self.vip(which)["backends"] if b["address"] == address), None)

    def problems(self, code):
        return [p["message"] for p in self.must("status")["problems"] if p["code"] == code]

    def state_of(self, name):
        return {m["name"]: m["state"] for m in self.must("members", "--all")["members"]}.get(name)


@contextlib.contextmanager
def agents(count, start=True, **more):
    with tempfile.TemporaryDirectory(prefix="gvs") as top:
        list_ = [Agent(top, n, peers=[p for p in range(1, count + 1) if p != n], **more)
                 for n in range(1, count + 1)]
        try:
            for a in list_ if start else []:
                a.start()
            if start:
                assert wait(15, lambda: all(a.must("status")["members"]["alive"] == count
                                            for a in list_)), "they do not find each other"
                list_[0].must("status", "--wait-converged", "10")
            yield list_
        finally:
            for a in list_:
                if a.process:
                    a.stop()


def claim_of(vip, *backends, name="web"):
    text = "".join(f'  backend "{b}" {{ weight = 10 }}\n' for b in backends)
    return f'service {name} {{\n  vip = "{vip}"\n{text}}}\n'


def main(tests):
    """Runs the tests whose names begin with one of the arguments, or all."""
    failed = 0
    chosen = sorted((name, test) for name, test in tests.items()
                    if name.startswith(tuple("test_" + word for word in sys.argv[1:] or [""])))
    if not chosen:
        sys.exit(f"{sys.argv[0]}: no test of that name: {' '.join(sys.argv[1:])}")
    for name, test in chosen:
        began = time.monotonic()
        try:
            test()
            print(f"ok {name[5:].replace('_', ' ')} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {name[5:].replace('_', ' ')}\n{traceback.format_exc()}", flush=True)
    sys.exit(1 if failed else 0)
