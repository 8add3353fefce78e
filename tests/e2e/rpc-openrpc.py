#!/usr/bin/python3
"""The OpenRPC document: a validator that isn't ours takes it, and it says the same as the rows, the help, the man page, the completions and
what the daemon really takes and answers."""
import copy
import http.client
import json
import os
import re
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
import ground
import leasekit
import npm
import ovs
import rows
from e2e import call, equal, test, want

npm.install()
e2e.enter()

METHODS, KINDS, ENUMS, OBJECTS = rows.TABLES
document = call("rpc.discover")


def fetched():
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(os.environ["POSTERN_SOCKET"])
    connection.request("GET", "/openrpc.json")
    answer = connection.getresponse()
    equal((answer.status, answer.getheader("Content-Type").partition(";")[0]), (200, "application/json"), "the answer's head")
    return json.loads(answer.read())


def judged(**asked):
    code, out, err = npm.node("openrpc.mjs", stdin=json.dumps(asked))
    equal(code, 0, "the validator's exit code (%s)" % err.strip())
    return json.loads(out)


# ---- the document itself -------------------------------------------------------------------------------------------------------------------

@test("schema-utils-js takes rpc.discover's document and GET /openrpc.json's as OpenRPC 1.3.2, with all references")
def _():
    equal(document["openrpc"], "1.3.2", "openrpc")
    equal(judged(documents=[document, fetched()])["documents"], [None, None], "what is wrong")


@test("schema-utils-js refuses the document once it is spoilt: so the judgement above means something")
def _():
    def spoilt(change):
        copied = copy.deepcopy(document)
        change(copied)
        return copied
    method = next(i for i, m in enumerate(document["methods"]) if m["params"])
    documents = [
        spoilt(lambda d: d["info"].pop("version")),
        spoilt(lambda d: d["methods"][method].pop("params")),
        spoilt(lambda d: d["methods"][method].pop("name")),
        spoilt(lambda d: d["methods"][method]["params"][0].pop("schema")),
        spoilt(lambda d: d["methods"][method]["params"][0]["schema"].update(type="text")),
        spoilt(lambda d: d["methods"][method].update(paramStructure="named")),
        spoilt(lambda d: d["methods"][method].update(right="read")),
        spoilt(lambda d: d["methods"][method]["result"].update(schema={"$ref": "#/components/schemas/nowhere"})),
    ]
    for i, verdict in enumerate(judged(documents=documents)["documents"]):
        want(verdict is not None, "spoilt document %d passed" % i)


def schema_of(field):
    if field.list:
        inner = schema_of(field._replace(list=False))
        return {"type": "array", "items": inner, **({"maxItems": field.max} if field.max else {})}
    if field.kind in ENUMS or field.kind in OBJECTS:
        return {"$ref": "#/components/schemas/" + field.kind}
    kind = KINDS[field.kind]
    if kind.cls == "TEXT":
        more = {"minLength": kind.min} if kind.min else {}
        if kind.pattern and "[:" not in kind.pattern:
            more["pattern"] = kind.pattern
        return {"type": "string", "maxLength": kind.max, **more}
    if kind.cls == "INT":
        return {"type": "integer", **({"minimum": kind.min} if kind.min > -2**63 else {}), **({"maximum": kind.max} if kind.max < 2**63 - 1 else {})}
    return {"FLAG": {"type": "boolean"}, "NUM": {"type": "number"}, "RAW": {}, "MAP": {"type": "object", "additionalProperties": {"type": "string"}}}[kind.cls]


def object_schema(fields, more=(), required=()):
    names = list(required) + [f.name for f in fields if f.need == "REQ"]
    properties = {f.name: schema_of(f) for f in fields}
    properties.update(more)
    return {"type": "object", "properties": properties, **({"required": sorted(names)} if names else {})}


def ordered(schema):
    return dict(schema, required=sorted(schema["required"])) if "required" in schema else schema


@test("the document has exactly the rows' methods, in their order, each with its right")
def _():
    got, wanted = [(m["name"], m["x-right"]) for m in document["methods"]], [(m.name, m.right.lower()) for m in METHODS.values()]
    want(got == wanted, "only the document: %s; only the rows: %s; or another order" % (set(got) - set(wanted), set(wanted) - set(got)))


@test("each method has exactly the rows' parameters, in their order, required where they are, with the limits of their kinds")
def _():
    for m in document["methods"]:
        got = [(p["name"], bool(p["required"]), p["schema"]) for p in m["params"]]
        equal(got, [(f.name, f.need == "REQ", schema_of(f)) for f in rows.all_params(METHODS[m["name"]])], "the parameters of " + m["name"])
        equal(m["paramStructure"], "either" if len(METHODS[m["name"]].params) <= 3 else "by-name", "paramStructure of " + m["name"])


@test("each method's result has exactly the rows' members, with changed on writes and next_cursor on lists")
def _():
    for m in document["methods"]:
        row = METHODS[m["name"]]
        if row.result and KINDS.get(row.result[0].kind, KINDS["str"]).cls == "RAW":
            equal(m["result"]["schema"], {"type": "object"}, "the result of " + m["name"])
            continue
        write = row.right != "READ"
        more = {**({"changed": {"type": "boolean"}} if write else {}), **({"next_cursor": {"type": "string"}} if row.page else {})}
        equal(ordered(m["result"]["schema"]), object_schema(row.result, more, ["changed"] if write else []), "the result of " + m["name"])


@test("the components are exactly the rows' objects and closed lists of words")
def _():
    schemas = {name: {k: v for k, v in ordered(s).items() if k != "description"} for name, s in document["components"]["schemas"].items()}
    wanted = {name: object_schema(fields) for name, fields in OBJECTS.items()}
    wanted.update({name: {"type": "string", "enum": words} for name, words in ENUMS.items()})
    equal(sorted(schemas), sorted(wanted), "the components")
    for name in wanted:
        equal(schemas[name], wanted[name], name)


# ---- what is printed elsewhere -------------------------------------------------------------------------------------------------------------

def parameters():
    return {m["name"]: [p["name"] for p in m["params"]] for m in document["methods"]}


@test("postern help lists exactly the document's methods, and each method's --help exactly its parameters")
def _():
    code, out, _ = e2e.postern("help", "methods")
    equal((code, re.findall(r"^  (\S+) +(?:read|write|admin) ", out.decode(), re.M)), (0, list(parameters())), "postern help methods")
    for m in document["methods"]:
        code, out, _ = e2e.postern(*m["name"].split("."), "--help")
        options = re.findall(r"^  --(\S+) +(required: )?", out.decode().partition("\nAnswer:")[0], re.M)
        equal((code, [(n, bool(r)) for n, r in options]), (0, [(p["name"], p["required"]) for p in m["params"]]), "--help of " + m["name"])


@test("postern-rpc(7) lists exactly the document's methods, parameters and answers")
def _():
    with open(os.path.join(ground.BUILD, "man/postern-rpc.7")) as f:
        text = f.read()
    sections = re.split(r"^\.Ss (\S+)\n", text[text.index(".Sh METHODS"):text.index(".Sh OBJECTS")], flags=re.M)[1:]
    found = dict(zip(sections[::2], sections[1::2]))
    equal(sorted(found), sorted(parameters()), "the methods")
    for m in document["methods"]:
        blocks = dict(re.findall(r"^(Parameters|Answer):\n(.*?)^\.El", found[m["name"]], re.M | re.S))
        items = lambda name: re.findall(r"^\.It Fa (\S+)( Pq required)?$", blocks.get(name, ""), re.M)
        equal([(n, bool(r)) for n, r in items("Parameters")], [(p["name"], p["required"]) for p in m["params"]], "the parameters of " + m["name"])
        members = [n for n, _ in items("Answer")]
        if "properties" in m["result"]["schema"]:
            equal(sorted(members), sorted(m["result"]["schema"]["properties"]), "the answer of " + m["name"])
        equal(re.findall(r"^Right: (\w+)", found[m["name"]], re.M), [m["x-right"]], "the right of " + m["name"])


def offered(shell):
    """{words before the cursor: words and options that a shell's completion offers}."""
    with open(os.path.join(ground.BUILD, "completion/postern." + shell)) as f:
        text = f.read()
    found = {}
    if shell != "fish":
        for at, words in re.findall(r"^\t'([^']*)'\) echo \"([^\"]*)\" ;;$", text, re.M):
            if " --" not in at:  # there: the values of an option
                found.setdefault(at, []).extend(words.split())
        return found
    for at, options in re.findall(r"""^complete -c postern -n "__postern_at '([^']*)'" (.*)$""", text, re.M):
        option = re.match(r"-l (\S+)", options)
        found.setdefault(at, []).extend(["--" + option.group(1)] if option else re.match(r"-a '([^']*)'", options).group(1).split())
    return found


@test("the completions of bash, zsh and fish offer exactly the document's methods and parameters")
def _():
    ours = {"--json", "--help", "--socket", "--version"}
    for shell in ("bash", "zsh", "fish"):
        found = offered(shell)
        for name, params in parameters().items():
            at = name.replace(".", " ")
            want(at in found, "%s doesn't know %s" % (shell, name))
            below = {m[len(name) + 1:].split(".")[0] for m in parameters() if m.startswith(name + ".")}
            equal({w for w in found[at] if w not in ours}, {"--" + p for p in params} | below, "what %s offers after %s" % (shell, at))
        for domain in {m.split(".")[0] for m in parameters()}:
            inner = {at for at in found if at == domain or at.startswith(domain + " ")}
            known = {" ".join(m.split(".")[:n]) for m in parameters() for n in range(1, m.count(".") + 2) if m.split(".")[0] == domain}
            equal(inner, known, "where %s completes below %s" % (shell, domain))


# ---- what the daemon takes and answers -----------------------------------------------------------------------------------------------------

@test("what the rows call wrong by type, range, length or pattern, the document's schemas call wrong too; what they call right, right")
def _():
    good, bad = [], []
    for method in METHODS.values():
        complete = rows.example(method)
        good.append((method.name, complete))
        for field in rows.all_params(method):
            good.append((method.name, dict(complete, **{field.name: rows.good(field)})))
            bad += [(method.name, dict(complete, **{field.name: w.value})) for w in rows.wrong(field) if w.plain]
    want(len(bad) > 500, "only %d wrong calls" % len(bad))
    verdicts = judged(documents=[document], calls=good + bad)["calls"]
    for asked, verdict in zip(good, verdicts):
        want(verdict is None, "%s %.200r: %s" % (*asked, verdict))
    for asked, verdict in zip(bad, verdicts[len(good):]):
        # The validator never looks at calls of rpc.discover.
        want(verdict is not None or asked[0] == "rpc.discover", "%s %.200r passed" % asked)


def closed(node):
    """The document with no member allowed that it doesn't name."""
    if isinstance(node, dict):
        node = {k: closed(v) for k, v in node.items()}
        if node.get("type") == "object" and "properties" in node:
            node["additionalProperties"] = False
        return node
    return [closed(n) for n in node] if isinstance(node, list) else node


def answers():
    """A true answer of each method that works without a running guest."""
    leasekit.prefix_of_dhclient()
    yield "net.bridge.add", call("net.bridge.add", name="pt-br1", address="10.9.0.1/24", dry_run=True)
    yield "net.bridge.add", call("net.bridge.add", name="pt-br1", address="10.9.0.1/24")
    yield "net.vm.create_tap", call("net.vm.create_tap", name="pt-one", bridge="pt-br1")
    many = call("net.vm.create_tap", count=2)
    yield "net.vm.create_tap", many
    yield "net.bridge.remove_port", call("net.bridge.remove_port", bridge="pt-br1", port="pt-one")
    yield "net.bridge.add_port", call("net.bridge.add_port", bridge="pt-br1", port="pt-one")
    snat = call("net.nat.add_snat", source="10.9.0.0/24")
    yield "net.nat.add_snat", snat
    forward = {"proto": "tcp", "host_port": 8080, "dest_ip": "10.9.0.2", "dest_port": 80}
    dnat = call("net.nat.add_dnat", **forward)
    yield "net.nat.add_dnat", dnat
    yield "net.nat.add_dnat", call("net.nat.add_dnat", forwards=[forward, dict(forward, host_port=81, source="10.0.0.0/8", host_ip="10.9.0.1", interface="pt-br1")])
    rule = call("net.firewall.add_rule", proto="tcp", port_range="1-9", comment="ours", source="10.0.0.0/8", interface="pt-br1")
    yield "net.firewall.add_rule", rule
    yield "net.firewall.add_rule", call("net.firewall.add_rule", rules=[{"proto": "udp", "service": "domain"}, {"proto": "icmp"}])
    ovs.start()
    ovs.bridge("document0")
    for method in METHODS.values():
        if method.right == "READ" and not any(f.need == "REQ" for f in method.params):
            yield method.name, call(method.name)
    yield "net.ovs.conntrack.flush", call("net.ovs.conntrack.flush")
    yield "net.vm.list", call("net.vm.list", limit=1)
    yield "net.nat.remove_snat", call("net.nat.remove_snat", id=snat["id"])
    yield "net.nat.remove_dnat", call("net.nat.remove_dnat", id=dnat["id"])
    yield "net.firewall.remove_rule", call("net.firewall.remove_rule", id=rule["id"])
    yield "net.vm.delete_tap", call("net.vm.delete_tap", names=[t["name"] for t in many["taps"]])
    yield "net.bridge.delete", call("net.bridge.delete", name="pt-br1", force=True)
    yield "net.vm.delete_tap", call("net.vm.delete_tap", name="pt-one")
    yield "vol.unmount", call("vol.unmount", path="nothing/here")
    e2e.guest_needed()
    yield "compute.vm.create", call("compute.vm.create", name="document")
    yield "compute.vm.status", call("compute.vm.status", id="document")
    yield "compute.vm.list", call("compute.vm.list")
    yield "compute.vm.events.tail", call("compute.vm.events.tail")
    yield "compute.vm.remove", call("compute.vm.remove", id="document")


@test("true answers hold what the document promises, and no member that it doesn't name")
def _():
    given = list(answers())
    verdicts = judged(documents=[closed(document)], results=given)["results"]
    for (method, result), verdict in zip(given, verdicts):
        want(verdict is None, "%s: %s in %.300s" % (method, verdict, json.dumps(result)))
    spoilt = [(m, dict(r, more=1)) for m, r in given if m == "net.bridge"] + [(m, {}) for m, _ in given if m == "net.status"]
    want(spoilt and all(judged(documents=[closed(document)], results=spoilt)["results"]), "spoilt answers passed")


e2e.main()
