#!/usr/bin/env python3
"""JSON-RPC 2.0 to the letter, in both framings, over raw sockets."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from rpctest import Line, both, check, call, equal, main, test  # noqa: E402

NOTE = '{"jsonrpc":"2.0","method":"rpc.health"}'


def code(c, text):
    answer = c.ask(text)
    check("result" not in answer, answer)
    equal(answer["jsonrpc"], "2.0")
    return answer["error"]["code"], answer["id"]


@test("a request is answered with jsonrpc, result and id, and nothing else")
@both
def _(c):
    equal(c.ask(call("rpc.health")), {"jsonrpc": "2.0", "result": {"status": "ok"}, "id": 1})


@test("the id comes back as it was written: 1.0, 1e3, 2^64, null, strings with their escapes")
@both
def _(c):
    for token in ("0", "-0", "1.0", "1e3", "1E+3", "18446744073709551616", "1e999", "null", '""', '"\\u00e9\\/"', '"1"', '"é"'):
        text = c.raw('{"jsonrpc":"2.0","method":"rpc.health","id":%s}' % token)
        check(text.endswith('"id":%s}' % token), text)


@test("the id of an error is that of its request")
@both
def _(c):
    equal(code(c, call("no.such.method", id_="x")), (-32601, "x"))
    equal(code(c, '{"jsonrpc":"2.0","method":1,"id":"x"}'), (-32600, "x"))
    equal(code(c, '{"jsonrpc":"2.0","method":"rpc.health","params":{"a":1},"id":7}'), (-32602, 7))


@test("what is no JSON is -32700 with id null")
@both
def _(c):
    for text in ('{"jsonrpc":"2.0","method":"foobar,"params":"bar","baz]', "[1,2", '{"a":1}}', "{'a':1}", '{"a":01}', '{"a":1,}', "[1] x", '{"a":NaN}'):
        equal(code(c, text), (-32700, None))


@test("duplicate keys, NUL, lone surrogates, broken UTF-8 and deep nesting are -32700 and say why")
@both
def _(c):
    for text, why in ((b'{"jsonrpc":"2.0","method":"rpc.health","id":1,"id":1}', "uplicate"),
                      (b'{"jsonrpc":"2.0","method":"rpc.health","params":{"a":1,"\\u0061":2},"id":1}', "uplicate"),
                      (b'{"jsonrpc":"2.0","method":"rpc.health\\u0000","id":1}', "NUL"),
                      (b'{"jsonrpc":"2.0","method":"\\ud800","id":1}', "surrogate"),
                      (b'{"jsonrpc":"2.0","method":"\xff","id":1}', "UTF-8"),
                      (b'{"jsonrpc":"2.0","method":"\xc0\xaf","id":1}', "UTF-8"),
                      (b"[" * 33 + b"]" * 33, "32")):
        answer = c.ask(text)
        equal((answer["error"]["code"], answer["id"]), (-32700, None))
        check(why in answer["error"]["message"] and why in answer["error"]["data"]["detail"], answer)


@test("what is JSON but no request is -32600")
@both
def _(c):
    for text in ('{"method":1}', "{}", '{"jsonrpc":"2.0"}', '{"jsonrpc":"1.0","method":"rpc.health"}', '{"jsonrpc":2.0,"method":"rpc.health"}',
                 '{"method":"rpc.health"}', '{"jsonrpc":"2.0","method":"rpc.health","params":"bar"}',
                 '{"jsonrpc":"2.0","method":"rpc.health","params":null}', '{"jsonrpc":"2.0","method":"rpc.health","id":{}}',
                 '{"jsonrpc":"2.0","method":"rpc.health","id":[1]}', '{"jsonrpc":"2.0","method":"rpc.health","id":false}'):
        equal(code(c, text), (-32600, None))


@test("an empty batch is one error, not a list of none")
@both
def _(c):
    answer = c.ask("[]")
    check(isinstance(answer, dict), answer)
    equal((answer["error"]["code"], answer["id"]), (-32600, None))


@test("[1,2,3] is a list of three -32600 with id null")
@both
def _(c):
    equal([(a["error"]["code"], a["id"]) for a in c.ask("[1,2,3]")], [(-32600, None)] * 3)


@test("the batch of the specification's section 7 is answered as it says")
@both
def _(c):
    answers = c.ask('[%s,%s,{"foo":"boo"},%s,%s]' % (call("rpc.health", id_="1"), NOTE, call("foo.get", {"name": "myself"}, "5"), call("rpc.health", id_="9")))
    equal(len(answers), 4)
    by_id = {a["id"]: a for a in answers}
    equal(by_id["1"]["result"], {"status": "ok"})
    equal(by_id[None]["error"]["code"], -32600)
    equal(by_id["5"]["error"]["code"], -32601)
    equal(by_id["9"]["result"], {"status": "ok"})


@test("a batch with one request is answered with a list of one")
@both
def _(c):
    equal(c.ask("[%s]" % call("rpc.health")), [{"jsonrpc": "2.0", "result": {"status": "ok"}, "id": 1}])


@test("a broken batch is one -32700")
@both
def _(c):
    equal(code(c, '[{"jsonrpc":"2.0","method":"rpc.health","id":"1"},{"jsonrpc":"2.0","method"]'), (-32700, None))


@test("notifications are never answered, not even with errors, alone or in a batch")
def _():
    c = Line()
    c.send(NOTE + "\n")
    c.send('{"jsonrpc":"2.0","method":"no.such"}\n')
    c.send('{"jsonrpc":"2.0","method":"rpc.health","params":{"x":1}}\n')
    c.send("[%s,%s]\n" % (NOTE, NOTE))
    # The next line that comes is the answer to this.
    equal(c.ask(call("rpc.health", id_="after"))["id"], "after")


@test("members that the specification doesn't know are passed over")
@both
def _(c):
    equal(c.ask('{"jsonrpc":"2.0","extra":{"a":[1,{"b":2}]},"method":"rpc.health","id":1}')["result"], {"status": "ok"})


@test("escapes in keys and method names mean the same as the characters")
@both
def _(c):
    equal(c.ask('{"json\\u0072pc":"2.0","method":"rpc.\\u0068ealth","id":1}')["result"], {"status": "ok"})


@test("parameters go by name and by position, empty or absent")
@both
def _(c):
    for params in ("", ',"params":{}', ',"params":[]'):
        equal(c.ask('{"jsonrpc":"2.0","method":"rpc.health"%s,"id":1}' % params)["result"], {"status": "ok"})
    equal(c.ask(call("net.interfaces", {"name": "lo"})), c.ask(call("net.interfaces", ["lo"])))


@test("an unknown parameter is named in the error, and so are those there are")
@both
def _(c):
    e = c.ask(call("net.interfaces", {"nmae": "lo"}))["error"]
    equal(e["code"], -32602)
    check('"nmae"' in e["message"] and "name" in e["message"], e)


@test("many requests on one connection are all answered, sent at once or one by one")
def _():
    c = Line()
    c.send("".join(call("rpc.health", id_=i) + "\n" for i in range(500)))
    equal(sorted(json.loads(c.read())["id"] for _ in range(500)), list(range(500)))
    for i in range(200):
        equal(c.ask(call("rpc.health", id_=i))["id"], i)


@test("a batch of 1024 is answered whole; a longer one is one -32600 that says the limit, and none of it runs")
@both
def _(c):
    equal(len(c.ask("[" + ",".join([call("rpc.health")] * 1024) + "]")), 1024)
    for member in ("1", call("net.bridge.add", {"name": "pt-br-batch"}), NOTE):
        answer = c.ask("[" + ",".join([member] * 1025) + "]")
        equal((answer["error"]["code"], answer["id"]), (-32600, None))
        check("1024" in answer["error"]["message"] and "1024" in answer["error"]["data"]["detail"], answer)
    check("pt-br-batch" not in c.raw(call("net.bridge")), "a request of the batch was carried out")


@test("a batch that is too long and broken behind that is -32700")
@both
def _(c):
    equal(code(c, "[" + ",".join(["1"] * 1025) + ",}"), (-32700, None))


main()
