#!/usr/bin/python3
"""net.firewall beside `nft list ruleset` and `nft -j list ruleset`, on tables of nft's, of iptables-nft's and of our own.  LIMIT: 180"""
import json
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, equal, fails, invalid, test, want

e2e.enter()
# Rules that are known as text, a line each, as nft takes them.
KNOWN = r"""
ct state vmap { established : accept, related : accept, invalid : drop }
ct state established,related accept
ct state new tcp dport 22 counter accept comment "ssh"
ct state != established drop
meta l4proto { tcp, udp } th dport 53 accept
ip saddr 10.0.0.0/24 ip daddr != 10.1.2.3 drop
ip saddr != 10.0.0.0/16 drop
ip saddr 10.0.0.0/23 drop
ip saddr 10.0.0.1-10.0.0.5 drop
ip saddr != 10.0.0.1-10.0.0.5 drop
ip6 saddr fd00::/64 drop
ip6 daddr fd00::/61 ip6 saddr fd00::1 drop
iifname "eth0" oifname "br*" accept
iifname != "eth0" accept
iif "lo" accept
ip saddr @s1 tcp dport @s2 accept
ip saddr != @s1 accept
tcp dport { 80, 443 } accept
tcp dport != { 80, 443 } accept
tcp dport 1000-2000 accept
tcp dport != 5 accept
tcp dport > 5 accept
tcp sport 1-1024 accept
udp dport 53 accept
udp length 5 drop
sctp dport 5 drop
icmp type echo-request accept
icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
ip protocol icmp accept
ip protocol tcp tcp dport 5 accept
meta l4proto tcp accept
meta mark 0x10 accept
meta mark and 0xff == 0x10 accept
meta mark set 0x1
ct mark set mark
meta mark set ct mark
ct status dnat accept
limit rate 10/second burst 20 packets accept
limit rate over 10/minute drop
limit rate 1 mbytes/second drop
log prefix "x: " level info
log
log group 2
reject
reject with tcp reset
reject with icmpx type admin-prohibited
reject with icmp type host-prohibited
reject with icmpv6 type no-route
ip saddr vmap @m2
jump c2
goto c2
tcp flags syn / fin,syn,rst,ack accept
tcp flags & (fin|syn) == syn accept
ip ttl 64 accept
ip ttl < 5 accept
ip length 20 drop
ip frag-off & 0x1fff != 0 drop
meta skuid 1000 accept
meta pkttype broadcast drop
meta length > 100 drop
meta cpu 1 drop
ip saddr . tcp dport @s3 accept
ip saddr . tcp dport { 10.0.0.1 . 80, 10.0.0.2 . 81 } accept
ip saddr . tcp dport @s5 accept
add @s3 { ip saddr . tcp dport timeout 1m }
update @s3 { ip saddr . tcp dport timeout 1h30m }
fib daddr type local accept
fib saddr . iif oif 0 drop
ether saddr 02:00:00:00:00:01 accept
meta nfproto ipv6 drop
meta nfproto ipv4 tcp dport 3 drop
ct direction original drop
ct original ip saddr 10.0.0.1 drop
ct zone 5 drop
notrack
quota over 100 mbytes drop
iifname { "a", "b" } drop
iifgroup 5 drop
th dport 5 drop
continue
""".strip().splitlines()
NAT = r"""
dnat ip to 10.0.0.1
tcp dport 80 dnat ip to 10.0.0.1:8080
tcp dport 80 dnat ip to 10.0.0.1:8080-8090
dnat ip addr . port to tcp dport map @m1
dnat ip to meta l4proto . th dport map @m3
fib daddr type local dnat ip to meta l4proto . th dport map @m3
tcp dport 81 redirect to :8080
redirect
tcp dport 82 dnat ip6 to [fd00::1]:80
dnat ip6 to fd00::1
dnat ip to ip daddr map { 1.1.1.1 : 10.0.0.9 }
""".strip().splitlines()
SNAT = r"""
ip saddr 10.0.0.0/24 oifname "up0" masquerade comment "x"
masquerade random,persistent
masquerade fully-random
tcp dport 80 masquerade to :1024-65535
snat ip to 1.2.3.4
snat ip to 1.2.3.4-1.2.3.9
snat ip6 to fd00::1
""".strip().splitlines()
# Rules that have no text here.
UNKNOWN = r"""
ip dscp cs1 accept
vlan id 5 drop
rt type 0 drop
tcp option maxseg size set 1400
ct count over 3 drop
""".strip().splitlines()
SETS = r"""
set s1 { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.1.1-192.168.1.9, 172.16.0.1, 255.255.255.0/24 }; }
set s2 { type inet_service; elements = { 22, 80 }; }
set s3 { type ipv4_addr . inet_service; flags timeout,dynamic; timeout 5m; size 100; }
set s4 { type ifname; elements = { "eth0", "eth1" }; }
set s5 { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/24 . 80-90, 10.1.0.1 . 5 }; }
set s6 { type mark; elements = { 0x10, 0x01000000 }; }
set s7 { type ether_addr; elements = { 02:00:00:00:00:01 }; }
set s8 { type ipv6_addr; flags interval; elements = { fd00::/16, fe80::1 }; }
map m1 { type inet_service : ipv4_addr . inet_service; elements = { 80 : 10.0.0.1 . 8080 }; }
map m2 { type ipv4_addr : verdict; elements = { 10.1.1.1 : drop, 10.1.1.2 : jump c2 }; }
map m3 { type inet_proto . inet_service : ipv4_addr . inet_service; elements = { tcp . 80 : 10.0.0.1 . 8080, udp . 53 : 10.0.0.2 . 53 }; }
""".strip()


def load(text):
    path = os.path.join(ground.HOME, "rules.nft")
    with open(path, "w") as f:
        f.write(text)
    ground.run("nft", "-f", path)


def foreign():
    ground.run("nft", "flush", "ruleset")
    load("table inet f {\n%s\nchain c2 { return; }\n"
         "chain c1 { type filter hook forward priority filter; policy drop;\n%s\n}\n"
         "chain odd { %s\n}\n"
         "chain n1 { type nat hook prerouting priority dstnat;\n%s\n}\nchain n2 { type nat hook postrouting priority srcnat - 5;\n%s\n}\n}\n"
         "table ip g { chain c { type filter hook input priority -150; ip saddr 10.0.0.1 tcp dport 22 accept\nip protocol tcp tcp dport 5 drop\nip protocol icmp icmp type echo-request drop\nip protocol tcp drop\nicmp type echo-reply drop\n"
         "reject\nreject with icmp host-unreachable\n}\nchain n { type nat hook postrouting priority 100; masquerade\nudp dport 5 snat to 1.2.3.4:80-90\n}\n}\n"
         "table ip6 h { chain c { type filter hook output priority 0; ip6 daddr fd00::1 udp dport 1 drop\nicmpv6 type echo-request accept\nreject with icmpv6 addr-unreachable\n}\n}\n"
         "table bridge b { chain c { type filter hook forward priority 0; ether type ip ip saddr 10.0.0.1 accept\nether daddr 02:00:00:00:00:02 drop\n}\n}\n"
         "table arp a {\nchain c { type filter hook input priority 0; }\n}\ntable inet empty { flags dormant; }\n"
         "table inet f2 { set s1 { type inet_service; elements = { 1 }; }\nchain c1 { tcp dport @s1 drop; }\n}\n"
         % (SETS, "\n".join(KNOWN), "\n".join(UNKNOWN), "\n".join(NAT), "\n".join(SNAT)))


def shown():
    """nft's text of each rule: {(family, table): {chain: [(handle, text)]}}"""
    tables, table, chain = {}, None, None
    for line in ground.run("nft", "-a", "list", "ruleset").splitlines():
        text, _, handle = line.strip().partition(" # handle ")
        if text.startswith("table "):
            _, family, name, _ = text.split()
            table = tables.setdefault((family, name), {})
        elif text.startswith(("set ", "map ")) and handle:
            chain = None
        elif text.startswith("chain ") and handle:
            chain = table.setdefault(text.split()[1], [])
        elif handle and chain is not None:
            chain.append((int(handle), text))
    return tables


def whole(**params):
    """All pages as one."""
    tables, pages, cursor = [], 0, None
    while True:
        page = call("net.firewall", **params, **({"cursor": cursor} if cursor else {}))
        pages += 1
        for t in page["tables"]:
            same = [x for x in tables if (x["family"], x["name"]) == (t["family"], t["name"])]
            if not same:
                want("handle" in t, "a table begins without its handle")
                tables.append(t)
                continue
            for part, items in (("chains", "rules"), ("sets", "elements")):
                for x in t[part]:
                    old = [y for y in same[0][part] if y["name"] == x["name"]]
                    if old:
                        old[0][items] += x[items]
                    else:
                        same[0][part].append(x)
        cursor = page.get("next_cursor")
        if not cursor:
            return tables


def text_of(rule):
    return rule["text"] + (' comment "%s"' % rule["comment"] if "comment" in rule else "")


@test("net.firewall writes the rules that it knows as nft writes them, to the letter, and the others as expressions")
def _():
    foreign()
    theirs, strange = shown(), []
    for t in whole():
        chains = theirs.pop((t["family"], t["name"]))
        equal(sorted(c["name"] for c in t["chains"]), sorted(chains), "the chains of %s %s" % (t["family"], t["name"]))
        for c in t["chains"]:
            equal([r["handle"] for r in c["rules"]], [h for h, _ in chains[c["name"]]], "the rules of " + c["name"])
            for r, (_, text) in zip(c["rules"], chains[c["name"]]):
                if r["syntax"] == "nft":
                    equal(text_of(r), text, "a rule's text")
                else:
                    strange.append((c["name"], text))
                    want(r["text"].startswith("[ "), "bytecode %r" % r["text"])
    equal(sorted(theirs), [], "tables that aren't listed")
    equal([text for name, text in strange if name != "odd"], [], "rules without text")
    equal(len(strange), len(UNKNOWN), "rules of `odd` without text: %r" % strange)


def j(kind):
    return [item[kind] for item in json.loads(ground.run("nft", "-j", "list", "ruleset"))["nftables"] if kind in item]


@test("net.firewall's tables, chains, sets and maps are those of nft -j, field by field")
def _():
    mine = whole()
    equal(sorted((t["family"], t["name"], t["handle"]) for t in mine), sorted((t["family"], t["name"], t["handle"]) for t in j("table")), "the tables")
    # nft 1.0.6 writes the name of another table for `dormant` in JSON.
    equal([t["name"] for t in mine if "dormant" in t.get("flags", [])], ["empty"], "dormant tables")
    fields = ("name", "handle", "type", "hook", "policy")
    equal(sorted([t["family"], t["name"], *[str(c.get(f)) for f in fields], str(c.get("priority"))] for t in mine for c in t["chains"]),
          sorted([c["family"], c["table"], *[str(c.get(f)) for f in fields], str(c.get("prio"))] for c in j("chain")), "the chains")
    for kind in ("set", "map"):
        listed = {(s["family"], s["table"], s["name"]): s for s in j(kind)}
        for t in mine:
            for s in t["sets"]:
                if ("map" in s) != (kind == "map"):
                    continue
                his = listed.pop((t["family"], t["name"], s["name"]))
                words = his["type"] if isinstance(his["type"], list) else [his["type"]]
                equal((s["handle"], s["type"]), (his["handle"], " . ".join(words)), "set " + s["name"])
                words = his.get("map", [])
                equal(s.get("map"), " . ".join([words] if isinstance(words, str) else words) or None, "what map %s leads to" % s["name"])
                equal((sorted(set(s.get("flags", [])) - {"dynamic"}), s.get("size"), s.get("timeout_ms", 0) // 1000), (sorted(his.get("flags", [])), his.get("size"), his.get("timeout", 0)), "set " + s["name"])
                want(("dynamic" in s.get("flags", [])) == (s["name"] == "s3"), "dynamic, which nft writes in its text alone")
                equal(len(s["elements"]), len(his.get("elem", [])), "elements of " + s["name"])
        equal(sorted(listed), [], "%ss that aren't listed" % kind)


@test("net.firewall's elements are written as nft writes them")
def _():
    text = ground.run("nft", "list", "table", "inet", "f")
    for s in next(t for t in whole(family="inet", table="f") if True)["sets"]:
        block = re.search(r"(?:set|map) %s \{(.*?)\n\t\}" % s["name"], text, re.S).group(1)
        elements = re.search(r"elements = \{(.*?)\}", block, re.S)
        theirs = re.sub(r"\s+", " ", elements.group(1)).strip().split(", ") if elements else []
        equal(sorted(s["elements"]), sorted(theirs), "the elements of " + s["name"])


@test("net.firewall lists what iptables-nft made, decoded as far as it is nft's own, and our own table as managed")
def _():
    ground.run("nft", "flush", "ruleset")
    for rule in ("-A INPUT -s 10.0.0.1 -j ACCEPT", "-A INPUT -i eth0 -p udp -j DROP", "-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT", "-N DOCKER", "-A FORWARD -j DOCKER", "-P FORWARD DROP"):
        ground.run("iptables-nft", *rule.split())
    ground.run("iptables-nft", "-t", "nat", "-A", "POSTROUTING", "-s", "10.0.0.0/24", "-j", "MASQUERADE")
    call("net.bridge.add", name="pt-br0", address="10.73.0.1/24")
    call("net.nat.add_snat", source="10.73.0.0/24")
    tables = {(t["family"], t["name"]): t for t in whole()}
    equal(sorted(tables), [("inet", "postern"), ("ip", "filter"), ("ip", "nat")], "the tables")
    equal([t["managed"] for _, t in sorted(tables.items())], [True, False, False], "managed")
    chains = {c["name"]: c for c in tables["ip", "filter"]["chains"]}
    equal((chains["FORWARD"]["policy"], chains["FORWARD"]["hook"], chains["FORWARD"]["priority"], chains["INPUT"]["policy"]), ("drop", "forward", 0, "accept"), "the chains")
    equal([(r["syntax"], r["text"]) for r in chains["INPUT"]["rules"]][:2],
          [("nft", "ip saddr 10.0.0.1 counter packets 0 bytes 0 accept"), ("nft", 'iifname "eth0" meta l4proto udp counter packets 0 bytes 0 drop')], "the rules of INPUT")
    equal([r["text"] for r in chains["FORWARD"]["rules"]], ["counter packets 0 bytes 0 jump DOCKER"], "the rule of FORWARD")
    nat = tables["ip", "nat"]["chains"]
    rule = next(c for c in nat if c["name"] == "POSTROUTING")["rules"][0]
    want(rule["syntax"] == "nft" and "masquerade" in rule["text"] or "MASQUERADE" in rule["text"], "the rule of nat: %r" % rule)
    theirs = shown()["inet", "postern"]
    for c in tables["inet", "postern"]["chains"]:
        equal([text_of(r) for r in c["rules"]], [text for _, text in theirs[c["name"]]], "own rules of " + c["name"])
        equal([r["syntax"] for r in c["rules"]], ["nft"] * len(c["rules"]), "how they are written")
    call("net.bridge.delete", name="pt-br0", force=True)
    for rule in call("net.nat.status")["snat"]:
        call("net.nat.remove_snat", id=rule["id"])


@test("net.firewall for a family or a table lists those alone")
def _():
    foreign()
    every = whole()
    for params, fits in (({"family": "inet"}, lambda t: t["family"] == "inet"), ({"table": "f"}, lambda t: t["name"] == "f"), ({"family": "ip", "table": "f"}, lambda t: False),
                         ({"family": "ip6", "table": "h"}, lambda t: t["name"] == "h")):
        equal(whole(**params), [t for t in every if fits(t)], "tables of %r" % params)
    for named, bad in (("family", "ipx"), ("table", ""), ("table", "a" * 256), ("limit", 0), ("limit", 10001)):
        invalid("net.firewall", named, **{named: bad})
    e = fails("net.firewall", -32000, "not_found", cursor="x")
    want("cursor" in e.message + json.dumps(e.data), "%s doesn't name the cursor" % e)


@test("net.firewall in pages of any size gives everything once, of one moment, whatever changes meanwhile")
def _():
    every = whole(limit=10000)
    for limit in (1, 3, 20, 1000):
        equal(whole(limit=limit), every, "the rules in pages of %d" % limit)
    first = call("net.firewall", limit=20)
    ground.run("nft", "delete", "table", "inet", "f")
    pages, page = [first], first
    while "next_cursor" in page:
        page = call("net.firewall", limit=1000, cursor=page["next_cursor"])
        pages.append(page)
    equal(sum(len(c["rules"]) for p in pages for t in p["tables"] for c in t["chains"]), sum(len(c["rules"]) for t in every for c in t["chains"]), "the rules of that moment")
    equal({p["generation"] for p in pages}, {first["generation"]}, "the generation")
    want(call("net.firewall")["generation"] != first["generation"], "the next listing is of the same generation")


@test("net.firewall is consistent while rules come and go, and many at once are answered")
def _():
    ground.run("nft", "flush", "ruleset")
    load("table inet w {\nchain a { }\nchain b { }\n}\n")
    stop, bad = threading.Event(), []

    def churn():
        while not stop.is_set():
            load("flush chain inet w a\nflush chain inet w b\nadd rule inet w a tcp dport 1 accept\nadd rule inet w b tcp dport 1 accept\n")
            load("flush chain inet w a\nflush chain inet w b\nadd rule inet w a tcp dport 2 accept\nadd rule inet w b tcp dport 2 accept\n")
    other = threading.Thread(target=churn, daemon=True)
    other.start()

    def ask():
        client = e2e.Client()
        for _ in range(15):
            answer = client.ask("net.firewall")
            if "error" in answer:
                if answer["error"]["data"]["kind"] != "busy":
                    bad.append(answer)
                continue
            rules = [[r["text"] for r in c["rules"]] for t in answer["result"]["tables"] for c in t["chains"]]
            if len(rules) != 2 or rules[0] != rules[1]:
                bad.append(rules)
    threads = [threading.Thread(target=ask) for _ in range(5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    stop.set()
    other.join()
    equal(bad, [], "answers that are of no one moment")
    ground.run("nft", "flush", "ruleset")


@test("net.firewall reads 20,000 rules and a map of 10,000 elements")
def _():
    load("table ip big { map m { type inet_service : ipv4_addr; elements = { %s } }\nchain c {\n%s\n}\n}\n" % (
        ", ".join("%d : 10.0.%d.%d" % (n + 1, n >> 8, n & 255) for n in range(10000)),
        "\n".join("ip saddr 10.1.%d.%d tcp dport %d counter accept" % (n >> 8, n & 255, n % 60000 + 1) for n in range(20000))))
    tables = whole(limit=10000)
    equal((len(tables[0]["chains"][0]["rules"]), len(tables[0]["sets"][0]["elements"])), (20000, 10000), "rules and elements")
    equal(tables[0]["chains"][0]["rules"][777]["text"], "ip saddr 10.1.3.9 tcp dport 778 counter packets 0 bytes 0 accept", "a rule")
    want("5 : 10.0.0.4" in tables[0]["sets"][0]["elements"], "an element isn't there")
    ground.run("nft", "flush", "ruleset")


e2e.main()
