"""What the benchmarks share: tables that can be pasted into a page, quantiles, the agent's clock, and what a process costs."""
import time


def clock():
    """Seconds on the agents' clock: monotonic_us of watch, over a million."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def quantile(values, q):
    """The least value that at least that share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * q // 100) - 1)]


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
    """A row: median, least, greatest."""
    return [name, median(values), min(values), max(values)]


def latency(name, values):
    return [name, *(quantile(values, q) for q in (50, 90, 99)), max(values)]


def anonymous(pid):
    """Bytes of anonymous memory that are in RAM."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon:"))


def cpu(pid):
    """Seconds of processor, all its threads; 0 where the kernel does not keep it this fine."""
    total = 0
    import os
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9
