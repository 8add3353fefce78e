"""Routes of postern's as net.routes shows them and as `ip -j -N route` does, in one form."""
import json

import ground
from e2e import call
from report import equal, want

OURS = 112  # rtm_protocol


def shown_by_ip():
    """Every route of our protocol, as ip sees it."""
    found = []
    for option, family in (("-4", "inet"), ("-6", "inet6")):
        for r in json.loads(ground.run("ip", option, "-N", "-j", "-d", "route", "show", "table", "all") or "[]"):
            if int(r["protocol"]) == OURS:
                dst, _, prefix = r["dst"].partition("/")
                if dst == "default":
                    dst, prefix = {"inet": "0.0.0.0", "inet6": "::"}[family], 0
                found.append({
                    "family": family, "dst": dst, "prefix": int(prefix) if prefix != "" else {"inet": 32, "inet6": 128}[family],
                    "gateway": r.get("gateway"), "device": r.get("dev"), "metric": r.get("metric", 0), "table": int(r.get("table", 254)),
                    "source": r.get("prefsrc"),
                })
    return sorted(found, key=json.dumps)


def shown_by_us():
    found, cursor = [], {}
    while True:
        page = call("net.routes", limit=1000, **cursor)
        for r in page["routes"]:
            if r["protocol"] == "postern":
                found.append({"family": r["family"], "dst": r["dst"], "prefix": r["prefix"], "gateway": r.get("gateway"), "device": r.get("device"),
                              "metric": r["metric"], "table": r["table"], "source": r.get("prefsrc")})
        if not page.get("next_cursor"):
            return sorted(found, key=json.dumps)
        cursor = {"cursor": page["next_cursor"]}


def ours():
    """The routes of postern's, after a comparison of the two."""
    routes = shown_by_us()
    equal(routes, shown_by_ip(), "net.routes beside ip -j route")
    return routes


def every():
    """All of everybody's, as ip prints them, without what comes and goes with the carrier and what the kernel adds by itself a while after."""
    text = "".join(ground.run("ip", option, "route", "show", "table", "all") for option in ("-4", "-6"))
    lines = (line.replace(" linkdown", "").strip() for line in text.splitlines())
    return sorted(line for line in lines if "fe80::" not in line and "ff00::" not in line and not line.startswith("anycast"))


def unchanged(before, what="the routes"):
    now = every()
    want(now == before, "%s: gone %r, new %r" % (what, [r for r in before if r not in now][:3], [r for r in now if r not in before][:3]))
