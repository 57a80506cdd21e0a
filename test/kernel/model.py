"""All that IPVS can hold and we set, as a table: how one is drawn, what ipvsadm says of it, and
which operations lead from one to another. Nothing here knows our code: it is what we are held to.

    table = {"10.99.0.1:80/tcp": Service(...), "fwmark:5/v6": ...}
    Service.dests = {"10.77.0.101:8080": Dest(...), ...}
"""
import random
import re
import shlex
from dataclasses import dataclass, field, replace

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "mh", "sed", "nq", "fo", "ovf",
              "twos")
HASHES = ("sh", "mh")
MARKS = (1, 5, 2147483648, 4294967295)
FLAG_BITS = {"ops": 4, "fallback": 8, "port": 16}
FORWARD_NUMBERS = {"nat": 0, "tun": 2, "dr": 3}
TUNNEL_NUMBERS = {"ipip": 0, "gue": 1, "gre": 2}
WEIGHTS = (0, 0, 1, 1, 2, 100, 65534, 65535)
PERSISTENT_MAX = 2678400  # 31 days: what ipvsadm takes


@dataclass(frozen=True)
class Dest:
    weight: int = 1
    forward: str = "nat"
    tunnel: str = ""  # with forward tun: ipip, gre, gue:PORT
    lower: int = 0
    upper: int = 0


@dataclass(frozen=True)
class Service:
    scheduler: str = "wlc"
    flags: frozenset = frozenset()
    persistent: int = 0
    bits: int = 32  # of the netmask; the kernel looks at it with persistence only
    dests: dict = field(default_factory=dict)

    def same(self, other):
        """Is what is set of the service itself equal?"""
        return replace(self, dests={}) == replace(other, dests={})


def is_v6(vip):
    return vip.startswith("[") or vip.endswith("/v6")


def full(vip):
    return 128 if is_v6(vip) else 32


def any_port(vip):
    """Takes whatever port the packet has."""
    return vip.startswith("fwmark:") or ":0/" in vip


# Drawing.


class Dice(random.Random):
    """`schedulers`: those that this kernel has. What is `kept` changes and does not go."""

    def __init__(self, seed, schedulers, prefix="10.99.0"):
        super().__init__(seed)
        self.schedulers, self.kept = schedulers, set()
        self.vips = [f"{address}:{port}/{proto}"
                     for address in [f"{prefix}.{n}" for n in range(1, 7)] +
                     [f"[fd00:99::{n}]" for n in range(1, 7)]
                     for port in (80, 53, 0) for proto in ("tcp", "udp", "sctp")]
        self.vips += [f"fwmark:{mark}{v6}" for mark in MARKS for v6 in ("", "/v6")]

    def service(self, vip):
        scheduler = self.choice(self.schedulers)
        flags = {f for f in ("fallback", "port") if scheduler in HASHES and self.random() < 0.5}
        if vip.endswith("/udp") and self.random() < 0.4:
            flags.add("ops")
        persistent = self.choice((1, 300, 7200, PERSISTENT_MAX, self.randint(1, PERSISTENT_MAX)))
        if not (":0/" in vip or self.random() < 0.4):
            persistent = 0
        bits = full(vip) if self.random() < 0.4 else self.randint(1, full(vip))
        return Service(scheduler, frozenset(flags), persistent, bits)

    def dest(self, vip, endpoint):
        mixed = is_v6(vip) != endpoint.startswith("[")
        forward = "tun" if mixed else self.choice(("nat", "dr", "tun"))
        tunnel = ""
        if forward == "tun":
            tunnel = self.choice(("ipip", "gre", f"gue:{self.choice((1, 6080, 65535))}"))
        upper = self.choice((0, 0, 1, 50, 100000))
        lower = self.choice((0, upper, self.randint(0, upper)))
        weight = self.choice(WEIGHTS + (self.randint(0, 65535),))
        return Dest(weight, forward, tunnel, lower, upper)

    def endpoint(self, vip):
        v6 = is_v6(vip) != (self.random() < 0.15)
        ports = (80, 8080, 65535) + ((0, 0) if any_port(vip) else ())
        n, port = self.randint(101, 106), self.choice(ports)
        return f"[fd00:77::{n}]:{port}" if v6 else f"10.77.0.{n}:{port}"

    def filled(self, vip):
        service = self.service(vip)
        for _ in range(self.randint(0, 5)):
            endpoint = self.endpoint(vip)
            service.dests[endpoint] = self.dest(vip, endpoint)
        return service

    def table(self, count):
        return {vip: self.filled(vip) for vip in self.sample(self.vips, count)}

    def changed_service(self, vip, service):
        """Some of its fields, some of its destinations; or nothing."""
        drawn, dests = self.service(vip), dict(service.dests)
        for name in ("scheduler", "persistent", "bits"):
            if self.random() < 0.4:
                service = replace(service, **{name: getattr(drawn, name)})
        flags = {f for f in drawn.flags | service.flags
                 if f == "ops" or service.scheduler in HASHES}
        service = replace(service, flags=frozenset(f for f in flags if self.random() < 0.7))
        for endpoint in list(dests):
            die = self.random()
            if die < 0.2:
                del dests[endpoint]
            elif die < 0.6:
                dests[endpoint] = self.changed_dest(vip, endpoint, dests[endpoint])
        for _ in range(self.choice((0, 0, 1, 2))):
            endpoint = self.endpoint(vip)
            dests.setdefault(endpoint, self.dest(vip, endpoint))
        return replace(service, dests=dests)

    def changed_dest(self, vip, endpoint, dest):
        drawn = self.dest(vip, endpoint)
        what = self.choice(("weight", "thresholds", "forward", "all"))
        if what == "weight":
            return replace(dest, weight=drawn.weight)
        if what == "thresholds":
            return replace(dest, lower=drawn.lower, upper=drawn.upper)
        if what == "forward":
            return replace(dest, forward=drawn.forward, tunnel=drawn.tunnel)
        return drawn

    def edited(self, table):
        """The next state: a tenth of the services goes, as many others come, half of them change."""
        out = {}
        for vip, service in table.items():
            die = 0.5 if vip in self.kept else self.random()
            if die >= 0.1:
                out[vip] = self.changed_service(vip, service) if die < 0.6 else service
        absent = [v for v in self.vips if v not in out]
        for vip in self.sample(absent, min(len(table) - len(out) + 1, len(absent))):
            out[vip] = self.filled(vip)
        return out


def operations(old, new):
    """What has to be done, and nothing else, as {"op VIP DEST"}. A service takes its destinations
    along when it goes; whatever is in both is edited or left alone."""
    ops = {f"service_del {vip} -" for vip in old if vip not in new}
    for vip, service in new.items():
        before = old.get(vip, Service())
        if vip not in old:
            ops.add(f"service_add {vip} -")
        elif not before.same(service):
            ops.add(f"service_edit {vip} -")
        for endpoint, dest in service.dests.items():
            if endpoint not in before.dests:
                ops.add(f"dest_add {vip} {endpoint}")
            elif before.dests[endpoint] != dest:
                ops.add(f"dest_edit {vip} {endpoint}")
        ops |= {f"dest_del {vip} {e}" for e in before.dests if e not in service.dests}
    return ops


def coverage(tables):
    """Everything of the model that occurs in these, in words."""
    out = set()
    for table in tables:
        for vip, service in table.items():
            family = "v6" if is_v6(vip) else "v4"
            proto = "fwmark" if vip.startswith("fwmark:") else vip.rsplit("/", 1)[1]
            out |= {f"{proto} {family}", service.scheduler}
            out |= {f"{service.scheduler} {f}" for f in service.flags if f != "ops"}
            out |= {"ops"} if "ops" in service.flags else set()
            if service.persistent:
                whole = "whole" if service.bits == full(vip) else "part"
                out.add(f"persistent {whole} {family}")
            for endpoint, d in service.dests.items():
                mixed = is_v6(vip) != endpoint.startswith("[")
                out.add(" ".join(filter(None, (d.forward, d.tunnel.split(":")[0], family,
                                               "mixed" if mixed else ""))))
                out.add(f"weight {d.weight}")
                out.add(f"upper {d.upper > 0} lower {d.lower > 0}")
    return out


def everything(schedulers):
    """What `coverage` has to reach."""
    out = {f"{p} {f}" for p in ("tcp", "udp", "sctp", "fwmark") for f in ("v4", "v6")}
    out |= set(schedulers) | {f"{s} {f}" for s in HASHES for f in ("fallback", "port")} | {"ops"}
    out |= {f"persistent {w} {f}" for w in ("whole", "part") for f in ("v4", "v6")}
    for family in ("v4", "v6"):
        out |= {f"{f} {family}" for f in ("nat", "dr")}
        out |= {f"tun {t} {family}{m}" for t in ("ipip", "gre", "gue") for m in ("", " mixed")}
    out |= {f"weight {w}" for w in (0, 1, 65535)}
    return out | {"upper False lower False", "upper True lower False", "upper True lower True"}


# What ipvsadm says.


def number(word):
    """Marks come signed."""
    return int(word) & 0xffffffff


def mask_bits(mask):
    if "." not in mask:
        return int(mask)
    bits = "".join(f"{int(x):08b}" for x in mask.split("."))
    assert "01" not in bits, mask
    return bits.count("1")


def vip_of(words):
    """Takes the service out of the words of a rule."""
    option = words.pop(0)
    if option == "-f":
        mark = number(words.pop(0))
        if words and words[0] == "-6":
            words.pop(0)
            return f"fwmark:{mark}/v6"
        return f"fwmark:{mark}"
    proto = {"-t": "tcp", "-u": "udp", "--sctp-service": "sctp"}[option]
    return f"{words.pop(0)}/{proto}"


def parse_service(vip, words):
    out = {"bits": full(vip), "flags": set()}
    while words:
        option = words.pop(0)
        if option == "-s":
            out["scheduler"] = words.pop(0)
        elif option == "-p":
            out["persistent"] = int(words.pop(0))
        elif option == "-M":
            out["bits"] = mask_bits(words.pop(0))
        elif option == "-o":
            out["flags"].add("ops")
        elif option == "-b":
            for flag in words.pop(0).split(","):
                scheduler, name = flag.split("-")
                assert scheduler == out["scheduler"] and name in ("fallback", "port"), flag
                out["flags"].add(name)
        else:
            raise ValueError(f"{vip}: {option}")
    out["flags"] = frozenset(out["flags"])
    return Service(**out)


def parse_dest(words):
    out, kind, port = {}, "ipip", None
    while words:
        option = words.pop(0)
        if option in ("-m", "-g", "-i"):
            out["forward"] = {"-m": "nat", "-g": "dr", "-i": "tun"}[option]
        elif option == "-w":
            out["weight"] = int(words.pop(0))
        elif option == "--tun-type":
            kind = words.pop(0)
        elif option == "--tun-port":
            port = int(words.pop(0))
        elif option != "--tun-nocsum":
            raise ValueError(option)
    if out["forward"] == "tun":
        out["tunnel"] = kind if port is None else f"{kind}:{port}"
    else:
        assert (kind, port) == ("ipip", None), (kind, port)
    return Dest(**out)


def parse_rules(text):
    """`ipvsadm -Sn`: all but thresholds, and the netmask of what is not persistent."""
    table = {}
    for line in text.splitlines():
        words = shlex.split(line)
        action, vip = words.pop(0), vip_of(words)
        if action == "-A":
            assert vip not in table, vip
            table[vip] = parse_service(vip, words)
        else:
            assert (action, words.pop(0)) == ("-a", "-r"), line
            endpoint = words.pop(0)
            assert endpoint not in table[vip].dests, line
            table[vip].dests[endpoint] = parse_dest(words)
    return table


SERVICE_LINE = re.compile(r"(TCP|UDP|SCTP|FWM) +(\S+)( IPv6)?\b")


def parse_columns(text):
    """`ipvsadm -Ln --thresholds` or `--stats --exact`: the numbers behind each service (None) and
    destination, as {(VIP, ADDR:PORT or None): [..]}."""
    out, vip = {}, None
    for line in text.splitlines()[3:]:
        words = line.split()
        if words[0] == "->":
            out[vip, words[1]] = [int(x) for x in words[2:]]
            continue
        proto, name, v6 = SERVICE_LINE.match(line).groups()
        vip = f"{name}/{proto.lower()}"
        if proto == "FWM":
            vip = f"fwmark:{number(name)}{'/v6' if v6 else ''}"
        out[vip, None] = [int(x) for x in words[3 if v6 else 2:] if x.isdigit()]
    return out


def as_shown(table):
    """A table as ipvsadm can show it."""
    return {vip: replace(s, bits=s.bits if s.persistent else full(vip))
            for vip, s in table.items()}


def read(run, anchors):
    """What the kernel holds, by ipvsadm, which `run` runs; without our anchors."""
    rules, columns = run("sh -c 'ipvsadm -Sn; echo ===; ipvsadm -Ln --thresholds'").split("===\n")
    table = parse_rules(rules)
    for (vip, endpoint), numbers in parse_columns(columns).items():
        if endpoint is not None:
            dest = table[vip].dests[endpoint]
            table[vip].dests[endpoint] = replace(dest, upper=numbers[0], lower=numbers[1])
    for mark in anchors:
        for vip in (f"fwmark:{mark}", f"fwmark:{mark}/v6"):
            table.pop(vip, None)
    return table


def differences(got, want):
    """A line for each object that is otherwise; none: they are equal."""
    out = []
    for vip in sorted(got.keys() | want.keys()):
        a, b = got.get(vip), want.get(vip)
        if a is None or b is None:
            out.append(f"{vip}: {a}, not {b}")
            continue
        if not a.same(b):
            out.append(f"{vip}: {replace(a, dests={})}, not {replace(b, dests={})}")
        out += [f"{vip} {e}: {a.dests.get(e)}, not {b.dests.get(e)}"
                for e in sorted(a.dests.keys() | b.dests.keys())
                if a.dests.get(e) != b.dests.get(e)]
    return out


# In our words.


def mask(vip, bits):
    if is_v6(vip):
        return str(bits)
    value = 0xffffffff << (32 - bits) & 0xffffffff
    return ".".join(str(value >> s & 255) for s in (24, 16, 8, 0))


def service_words(vip, service):
    return {"scheduler": service.scheduler, "flags": ",".join(sorted(service.flags)) or "none",
            "persistent": str(service.persistent), "netmask": mask(vip, service.bits)}


def dest_words(dest):
    out = {"weight": str(dest.weight), "forward": dest.forward, "lower": str(dest.lower),
           "upper": str(dest.upper)}
    if dest.tunnel:
        out["tunnel"] = dest.tunnel
    return out


def flat(words):
    return [x for pair in words.items() for x in pair]


def file_text(table, names):
    """A file of services.d."""
    def quoted(words):
        return "".join(f'  {k} = "{v}"\n' for k, v in words.items())
    text = ""
    for vip, service in table.items():
        text += f'service {names[vip]} {{\n  vip = "{vip}"\n{quoted(service_words(vip, service))}'
        for endpoint, dest in service.dests.items():
            text += f'  backend "{endpoint}" {{\n{quoted(dest_words(dest))}  }}\n'
        text += "}\n"
    return text


def driver_lines(old, new):
    """What test/kernel/model_live is told to get from one to the other."""
    lines = [f"drop {vip}" for vip in old if vip not in new]
    for vip, s in new.items():
        if old.get(vip) == s:
            continue
        flags = sum(FLAG_BITS[f] for f in s.flags)
        lines.append(f"service {vip} {s.scheduler} {flags} {s.persistent} {s.bits}")
        for endpoint, d in s.dests.items():
            kind, _, port = d.tunnel.partition(":")
            lines.append(f"dest {endpoint} {d.weight} {FORWARD_NUMBERS[d.forward]} "
                         f"{TUNNEL_NUMBERS[kind or 'ipip']} {port or 0} {d.lower} {d.upper}")
        lines.append("want")
    return lines
