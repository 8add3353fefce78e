// json-rpc-2.0, which leaves the transport to its user: here node's http module over the Unix socket.
import assert from "node:assert/strict";
import { request } from "node:http";
import { createRequire } from "node:module";
import { finish, test } from "./tap.mjs";

const { JSONRPCClient, JSONRPCErrorException, createJSONRPCRequest } = createRequire(import.meta.url)("json-rpc-2.0");
const socketPath = process.argv[2];

function post(body) {
  return new Promise((done, broken) => {
    const asked = request({ socketPath, path: "/", method: "POST", headers: { "Content-Type": "application/json" } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => (text += part)).on("end", () => done({ status: answer.statusCode, text }));
    });
    asked.on("error", broken).end(JSON.stringify(body));
  });
}

let last;
const client = new JSONRPCClient(async (body) => {
  last = await post(body);
  if (last.status === 200) client.receive(JSON.parse(last.text));
  else assert.equal(last.status, 204);
});

await test("json-rpc-2.0: a call gives its result", async () => {
  assert.deepEqual(await client.request("rpc.health", {}), { status: "ok" });
  assert.equal((await client.request("net.interfaces", { name: "lo" })).interfaces[0].kind, "loopback");
});

await test("json-rpc-2.0: an error comes as an exception with code, message and data", async () => {
  await assert.rejects(client.request("net.bridge.add", { name: "no spaces allowed" }), (e) => {
    assert(e instanceof JSONRPCErrorException);
    assert.equal(e.code, -32602);
    assert.match(e.message, /"name".*1 to 15/);
    assert.equal(typeof e.data.detail, "string");
    return true;
  });
  await assert.rejects(client.request("no.such"), { code: -32601 });
});

await test("json-rpc-2.0: a notification is carried out, and answered with 204 and nothing", async () => {
  client.notify("net.bridge.add", { name: "pt-br-j2" });
  for (const end = Date.now() + 10000; last?.status !== 204; await new Promise((done) => setTimeout(done, 20))) assert(Date.now() < end, "no answer");
  assert.equal(last.text, "");
  assert.equal((await client.request("net.bridge", { name: "pt-br-j2" })).bridges.length, 1);
  assert.equal((await client.request("net.bridge.delete", { name: "pt-br-j2" })).removed, true);
});

await test("json-rpc-2.0: a batch of calls and a notification is answered, each to its id", async () => {
  const answers = await client.requestAdvanced([
    createJSONRPCRequest("a", "rpc.health", {}),
    createJSONRPCRequest("b", "no.such", {}),
    createJSONRPCRequest("c", "net.interfaces", { name: "lo" }),
  ]);
  const byId = Object.fromEntries(answers.map((a) => [a.id, a]));
  assert.deepEqual(byId.a.result, { status: "ok" });
  assert.equal(byId.b.error.code, -32601);
  assert.equal(byId.c.result.interfaces[0].name, "lo");
});

await test("json-rpc-2.0: a hundred calls at once are each answered", async () => {
  const all = await Promise.all(Array.from({ length: 100 }, (_, i) => client.request(i % 2 ? "rpc.health" : "net.status", {})));
  assert.equal(all.filter((a) => a.status === "ok").length, 50);
});

finish();
