"""Table inet postern as `nft -j` shows it, turned into what the methods say: an independent reading, by none of the project's own code."""
import json

import ground

PORTS = {"tcp", "udp", "sctp"}


def objects():
    """[(kind, object)] of the table, or None where there is none."""
    try:
        text = ground.run("nft", "-j", "list", "table", "inet", "postern")
    except ground.Refused as e:
        if "No such file or directory" in str(e):
            return None
        raise
    return [next(iter(o.items())) for o in json.loads(text)["nftables"] if "metainfo" not in o]


def text_of(v):
    """An address, network or port range as the methods write it."""
    if isinstance(v, dict) and "prefix" in v:
        return "%s/%d" % (v["prefix"]["addr"], v["prefix"]["len"])
    if isinstance(v, dict) and "range" in v:
        return "%s-%s" % tuple(v["range"])
    return v


def whole(address):
    return address if "/" in address else address + ("/128" if ":" in address else "/32")


def elements():
    """[(set's name, key's parts, value's parts or None, comment)]"""
    found = []
    for kind, o in objects() or []:
        for e in o.get("elem", []) if kind in ("set", "map") else []:
            key, value = e if kind == "map" else (e, None)
            comment = None
            if isinstance(key, dict) and "elem" in key:
                comment, key = key["elem"].get("comment"), key["elem"]["val"]
            parts = [text_of(p) for p in (key["concat"] if isinstance(key, dict) and "concat" in key else [key])]
            target = [text_of(p) for p in (value["concat"] if isinstance(value, dict) and "concat" in value else [value])]
            found.append((o["name"], parts, None if value is None else target, comment))
    return found


def forwards():
    """Port forwards by id, with the members that net.nat.status has."""
    found = {}
    for name, key, value, comment in elements():
        if not name.startswith("dnat"):
            continue
        names = (["interface"] if "_if" in name else []) + (["source"] if "_src" in name else []) + (["host_ip"] if "_host" in name else []) + ["proto", "host_port"]
        one = dict(zip(names, key), id=comment, dest_ip=value[0], dest_port=value[1])
        if "source" in one:
            one["source"] = whole(one["source"])
        found[comment] = one
    return found


def translations():
    """Source translations, by the comment of their elements: {id: (source, to or None, uplinks)}."""
    found = {}
    for name, key, value, comment in elements():
        if name.startswith(("masq", "snat")):
            source, to, links = found.setdefault(comment, (whole(key[1]), None if value is None else value[0], set()))
            links.add(key[0])
    return found


def match_of(expr):
    """One allow rule's own conditions."""
    one = {}
    for e in expr:
        if "match" not in e:
            continue
        left, right = e["match"]["left"], text_of(e["match"]["right"])
        if "meta" in left and left["meta"]["key"] == "iifname":
            one["interface"] = right
        elif "meta" in left and left["meta"]["key"] == "l4proto":
            one["proto"] = {"ipv6-icmp": "icmpv6"}.get(right, right)
        elif "payload" in left and left["payload"].get("field") == "saddr":
            one["source"] = whole(right)
        elif "payload" in left and left["payload"].get("field") in ("protocol", "nexthdr"):
            one["proto"] = {"ipv6-icmp": "icmpv6"}.get(right, right)
        elif "payload" in left and left["payload"].get("field") == "dport":
            if left["payload"]["protocol"] in PORTS:
                one["proto"] = left["payload"]["protocol"]
            one["port_range"] = right
    return one


def rules():
    """Firewall rules by id, with the members that net.firewall.add_rule answers (but for people's comments)."""
    found = {}
    for name, key, _, comment in elements():
        if name.startswith("allow"):
            names = (["interface"] if "_if" in name else []) + (["source"] if "_src" in name else []) + ["proto", "port"]
            one = dict(zip(names, key), id=comment)
            if "source" in one:
                one["source"] = whole(one["source"])
            found[comment] = one
    for kind, o in objects() or []:
        if kind == "rule" and o["chain"] == "input" and "comment" in o:
            found[o["comment"]] = dict(match_of(o["expr"]), id=o["comment"])
    return found
