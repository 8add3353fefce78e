// jayson, the client most used with Node, as its users use it: over HTTP and over its stream of lines, by the path of a Unix socket.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { finish, test } from "./tap.mjs";

const jayson = createRequire(import.meta.url)("jayson/promise");
const path = process.argv[2];
const clients = {
  HTTP: jayson.Client.http({ socketPath: path, path: "/rpc" }),
  lines: jayson.Client.tcp({ path }),
};

async function bridges(client) {
  return (await client.request("net.bridge", {})).result.bridges.map((b) => b.name);
}

async function eventually(what) {
  for (const end = Date.now() + 10000; !(await what()); ) assert(Date.now() < end, "it never came true");
}

for (const [framing, client] of Object.entries(clients)) {
  await test(`jayson over ${framing}: a call gives its result, by name and by position`, async () => {
    const named = await client.request("net.interfaces", { name: "lo" });
    assert.equal(named.result.interfaces[0].name, "lo");
    assert.equal(named.error, undefined);
    assert.equal((await client.request("net.interfaces", ["lo"])).result.interfaces[0].index, named.result.interfaces[0].index);
  });

  await test(`jayson over ${framing}: an error keeps its code, message and data, and its request's id`, async () => {
    const unknown = await client.request("no.such", {}, "seven");
    assert.deepEqual([unknown.error.code, unknown.id], [-32601, "seven"]);
    const invalid = await client.request("net.interfaces", { nmae: "lo" });
    assert.equal(invalid.error.code, -32602);
    assert.match(invalid.error.data.detail, /"nmae".*name/);
    const failed = await client.request("compute.vm.status", { id: "nobody" });
    assert.deepEqual([failed.error.code, failed.error.data.kind], [-32000, "not_found"]);
  });

  await test(`jayson over ${framing}: a notification is carried out and not answered`, async () => {
    const name = `pt-br-j${framing[0].toLowerCase()}`;
    assert.equal(await client.request("net.bridge.add", { name }, null), undefined);
    await eventually(async () => (await bridges(client)).includes(name));
    // The kernel shows it before its maker is through; until then it is busy.
    await eventually(async () => (await client.request("net.bridge.delete", { name })).result?.removed);
  });

  await test(`jayson over ${framing}: a batch is answered with one answer for each call that wants one`, async () => {
    const call = (method, params, id) => client.request(method, params, id, false);
    const answers = await client.request([
      call("rpc.health", {}, 1),
      call("no.such", {}, 2),
      call("rpc.health", {}, null),
      call("net.interfaces", { name: "lo" }, 3),
    ]);
    const byId = Object.fromEntries(answers.map((a) => [a.id, a]));
    assert.deepEqual(Object.keys(byId).sort(), ["1", "2", "3"]);
    assert.equal(byId[1].result.status, "ok");
    assert.equal(byId[2].error.code, -32601);
    assert.equal(byId[3].result.interfaces[0].name, "lo");
  });
}

finish();
