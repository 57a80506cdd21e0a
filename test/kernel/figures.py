"""What the benchmarks share: tables that can be pasted into a page, quantiles, the agents' clock,
and what a process costs."""
import os
import time


def clock():
    """Seconds on the agents' clock: monotonic_us of watch, over a million."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def quantile(values, q):
    """The least value that at least that share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, int(-(-len(ordered) * q // 100)) - 1)]


def median(values):
    return quantile(values, 50)


def number(x):
    """Three figures, no more: the rest is noise."""
    if isinstance(x, str):
        return x
    if isinstance(x, int) or x == 0 or abs(x) >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def table(title, head, rows):
    rows = [[number(x) for x in row] for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells):
        first, *rest = (f"{c:<{w}}" if i == 0 else f"{c:>{w}}"
                        for i, (c, w) in enumerate(zip(cells, widths)))
        return "| " + " | ".join([first, *rest]) + " |"

    rule = ["-" * widths[0]] + ["-" * (w - 1) + ":" for w in widths[1:]]
    print("\n".join(["", title, "", line(head), line(rule), *map(line, rows)]), flush=True)


def spread(name, values):
    return [name, median(values), min(values), max(values)]


def latency(name, values):
    return [name, *(quantile(values, q) for q in (50, 90, 99)), max(values)]


LATENCY = ["", "p50", "p90", "p99", "max"]


def anonymous(pid):
    """Bytes of anonymous memory that are in RAM."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon:"))


def resident(pid):
    """Bytes of memory that are in RAM."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS:"))


def cpu(pid):
    """Seconds of processor that all its threads have had."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def idle(lbs, seconds, shown=3):
    """What the first agents send and what they cost while nothing happens: a table."""
    def counts(lb):
        packets = lb.status()["packets"]
        return packets["sent"], packets["sent_bytes"], cpu(lb.process.pid)

    before, began = [counts(lb) for lb in lbs[:shown]], clock()
    time.sleep(seconds)
    took = clock() - began
    rows = []
    for lb, was in zip(lbs, before):
        sent, size, busy = (now - then for now, then in zip(counts(lb), was))
        rows.append([lb.name, sent / took, size / took, (size + 28 * sent) / took,
                     busy / took * 1000])
    table(f"idle for {seconds} s, {len(lbs)} agents; a second and agent",
          ["", "datagrams sent", "payload B", "B with IP and UDP", "CPU ms"], rows)


def chains(events, first, then):
    """From the events of every node, [0] the one that was told: for each `first` there, the
    seconds until each of `then` = [(event, nodes)] has happened on the last of those nodes."""
    seen = [{(e["event"], e.get("vip"), e.get("backend")): e["monotonic_us"] for e in node
             if "seq" in e} for node in events]
    out = []
    for (event, *what), began in seen[0].items():
        if event == first:
            out.append([max(seen[n][(name, *what)] for n in nodes) - began
                        for name, nodes in then])
    return out
