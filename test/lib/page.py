"""The page at / of an agent, for the tests that hold it against what gossipvs says with --json."""

import html.parser

SIGNS = "!≠×"


class Page(html.parser.HTMLParser):
    """cards: {title: {name: text}}, tables: {id: rows of texts}, marked: texts that are bold, tags:
    what there is of each kind. No attribute may make a browser fetch or run anything."""

    def __init__(self, text):
        super().__init__()
        self.text, self.tags, self.attributes = text, set(), []
        self.cards, self.tables, self.marked, self.notes = {}, {}, [], []
        self.title, self.style, self.head, self.heading = "", "", "", ""
        self.where, self.card, self.table, self.name, self.bold = None, None, None, "", None
        self.feed(text)
        self.close()
        self.head = self.head.strip()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        attrs = dict(attrs)
        if tag in ("title", "style", "header", "p", "h1"):
            self.where = tag if tag != "p" or self.where != "header" else "header"
            if tag == "p" and self.where == "p":
                self.notes.append("")
        elif tag == "h2":
            self.where, self.heading = "h2", ""
        elif tag == "dl":
            self.card = self.cards.setdefault(self.heading.strip(), {})
        elif tag in ("dt", "dd"):
            self.where = tag
            if tag == "dt":
                self.name = ""
            else:
                self.card[self.name.strip()] = ""
        elif tag == "table":
            self.table = self.tables.setdefault(attrs["id"], [])
        elif tag == "tr":
            self.table.append([])
            self.where = None
        elif tag in ("td", "th"):
            self.table[-1].append("")
            self.where = "td"
        elif tag == "b":
            self.bold = ""

    def handle_endtag(self, tag):
        if tag == "b":
            self.marked.append(self.bold.strip())
            self.bold = None
        elif tag in ("title", "style", "header", "dl", "table", "tr", "h2"):
            self.where = None
        elif tag == "p" and self.where == "p":
            self.notes[-1] = self.notes[-1].strip()
            self.where = None
        elif tag == "h1":
            self.where = "header"

    def handle_data(self, data):
        if self.bold is not None:
            self.bold += data
        if self.where in ("title", "style"):
            setattr(self, self.where, getattr(self, self.where) + data)
        elif self.where in ("header", "h1"):
            self.head += data
        elif self.where == "h2":
            self.heading += data
        elif self.where == "p":
            self.notes[-1] += data
        elif self.where == "dt":
            self.name += data
        elif self.where == "dd":
            self.card[self.name.strip()] += data
        elif self.where == "td":
            self.table[-1][-1] += data

    def rows(self, table):
        """Without the heads; each a list of texts."""
        return [[cell.strip() for cell in row] for row in self.tables[table][1:]]

    def count(self, card, name):
        return int(plain(self.cards[card][name]))


def plain(text):
    """Without its sign."""
    text = text.strip()
    return text[1:].strip() if text[:1] in SIGNS else text


def sign(text):
    return text.strip()[:1] if text.strip()[:1] in SIGNS else ""


class Differences:
    def __init__(self):
        self.found = []

    def same(self, what, seen, expected):
        if seen != expected:
            self.found.append(f"{what}: {seen!r}, not {expected!r}")

    def near(self, what, seen, value, unit, scale, digits):
        """A number that moves; one that is not known is a dash."""
        if value is None or seen == "-":
            self.same(what, seen, "-" if value is None else seen)
            return
        number, _, of = seen.partition(" ")
        self.same(f"{what}: unit", of, unit)
        if abs(float(number) - value * scale) > 10 ** -digits:
            self.found.append(f"{what}: {seen}, not {value * scale}")


STATE_SIGNS = {"ok": "", "observed": "", "failed": "×", "alive": "", "left": "", "suspect": "!",
               "dead": "×"}


def compare_status(d, page, status):
    kernel, observes = status["kernel"], status["kernel"]["mode"] == "observe"
    ops = kernel["operations"]
    here = "Kernel, observing" if observes else "Kernel"
    for card, name, value, mark in (
            *[("Members", s, status["members"][s], STATE_SIGNS[s])
              for s in ("alive", "suspect", "dead")],
            ("Members", "left for ever", status["members"]["left"], ""),
            ("Table", "entries", status["table"]["entries"], ""),
            ("Table", "tombstones", status["table"]["tombstones"], ""),
            ("Table", "VIPs wanted", status["table"]["services"], ""),
            ("Table", "servers wanted", status["table"]["backends"], ""),
            (here, "VIPs", kernel["services"], ""),
            (here, "servers", kernel["destinations"], ""),
            (here, "draining", kernel["draining"], ""),
            (here, "pending", kernel["pending"], "" if observes else "!"),
            (here, "failed", kernel["failed"], "×"),
            (here, "held by the brake",
             kernel["braked"]["services"] + kernel["braked"]["destinations"], "!"),
            ("Drift", "open", kernel["drift"]["open"], "≠"),
            ("Drift", "found", kernel["drift"]["found"], ""),
            ("Drift", "put right", kernel["drift"]["repaired"], ""),
            ("Drift", "audits", kernel["audits"], ""),
            *[("Written since the start", f"{what} {done}", ops[key], "") for what, done, key in (
                ("VIPs", "added", "service_add"), ("VIPs", "edited", "service_edit"),
                ("VIPs", "removed", "service_del"), ("servers", "added", "dest_add"),
                ("servers", "edited", "dest_edit"), ("servers", "removed", "dest_del"))]):
        seen = page.cards[card][name]
        d.same(f"{card}, {name}", (plain(seen), sign(seen)), (str(value), mark if value else ""))
    seen = page.cards[here]["as wanted"]
    d.same(f"{here}, as wanted", (plain(seen), sign(seen)),
           ("yes", "") if kernel["in_step"] else ("no", "" if observes else "≠"))
    if kernel["last_error"]:
        d.same("last error", page.notes[0], f"last error {kernel['last_error']}")
    d.same("the node's name", page.head.split(" of ")[0], status["node"]["name"])


def compare_members(d, page, status, members):
    rows = page.rows("m")
    d.same("members", [r[0].removesuffix(" (this node)") for r in rows],
           [m["name"] for m in members])
    if d.found:
        return
    differ = 0
    for row, m in zip(rows, members):
        live, known = m["state"] in ("alive", "suspect"), m["fingerprint"] is not None
        differs = live and known and not m["in_sync"]
        differ += differs
        d.same("self", row[0].endswith(" (this node)"), m["self"])
        d.same("address", row[1], m["address"])
        d.same("state", (plain(row[2]), sign(row[2])), (m["state"], STATE_SIGNS[m["state"]]))
        d.near("heard", row[3], None if m["self"] else m["seen_seconds"], "s", 1, 0)
        d.near("round trip", row[4], m["rtt_seconds"], "ms", 1000, 2)
        d.near("clock", row[5], m["clock_offset_seconds"], "s", 1, 3)
        d.same("table", (plain(row[6]), sign(row[6])),
               (m["fingerprint"] or "-", "≠" if differs else ""))
        d.same("kernel", row[7], "-" if not live else "observing" if m["mode"] == "observe" else
               "in step" if m["in_step"] else "≠ not in step")
        d.same("version", row[8], m["version"])
    seen = page.cards["Table"]["members with another"]
    d.same("members with another", (plain(seen), sign(seen)), (str(differ), "≠" if differ else ""))


def compare_vips(d, page, vips):
    rows = [r for r in page.rows("v") if "not wanted" not in r[7]]
    d.same("VIPs and servers", [r[0] for r in rows],
           [x for v in vips for x in (v["vip"], *(b["address"] for b in v["backends"]))])
    if d.found:
        return

    def state(row, o):
        words = o["state"] + (f" {o['reason']}" if o.get("reason") else "")
        d.same(f"{row[0]}: state", (plain(row[7]), sign(row[7])),
               (words, STATE_SIGNS.get(o["state"], "!")))
    for v in vips:
        row = rows.pop(0)
        usable = sum(b["weight"] > 0 for b in v["backends"])
        d.same(v["vip"], row[1:4] + row[5:7] + row[8:],
               [v["name"], v["scheduler"], f"{usable} of {len(v['backends'])}", "", "",
                v["owner"] or "", v["changed"][:19].replace("T", " ")])
        state(row, v)
        for b in v["backends"]:
            row = rows.pop(0)
            by = b["forward"] + (f" {b['tunnel']}" if "tunnel" in b else "")
            d.same(b["address"], row[1:4] + row[5:7] + row[8:],
                   ["", by, str(b["weight"]), *("-" if b[k] is None else str(b[k])
                                                for k in ("active", "inactive")),
                    ", ".join(b["owners"]), ""])
            state(row, b)


def differences(page, status, members, vips):
    """What the page says otherwise than these documents do, in words."""
    d = Differences()
    compare_status(d, page, status)
    compare_members(d, page, status, members["members"])
    compare_vips(d, page, vips["vips"])
    return d.found


def event_differences(page, events):
    """Of watch all that there were, as they came."""
    d = Differences()
    latest = [e for e in reversed(events) if e["event"] != "gap"][:20]
    rows = page.rows("e")
    d.same("events", [r[1].lstrip(SIGNS + " ") for r in rows], [e["event"] for e in latest])
    if d.found:
        return d.found
    for row, e in zip(rows, latest):
        d.same(f"event {e['seq']}", [row[0], *row[2:4], *row[5:]],
               [e["time"].replace("T", " ").rstrip("Z"),
                *(e.get(key) or "" for key in ("vip", "backend", "node", "via", "by"))])
        d.same(f"event {e['seq']}: why", row[4].endswith(e.get("reason") or ""), True)
    return d.found
