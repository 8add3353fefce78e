// Judges OpenRPC documents by @open-rpc/schema-utils-js.  Standard input: {documents: [...], calls: [[method, params]], results: [[method, result]]};
// calls and results are held against the first document.  Standard output: {documents: [null or what is wrong], calls: [...], results: [...]}.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as types from "@open-rpc/spec-types";

// The validator requires this ES module, which Node before 20.19 refuses: so it finds it loaded.
const require = createRequire(import.meta.url);
const path = require.resolve("@open-rpc/spec-types");
require.cache[path] = { id: path, filename: path, loaded: true, exports: types };
const { parseOpenRPCDocument, validateOpenRPCDocument, MethodCallValidator } = require("@open-rpc/schema-utils-js");
const Ajv = require("ajv");

const asked = JSON.parse(readFileSync(0, "utf8"));

// By the specification's own schema, then by following every reference.
async function judge(document) {
  const verdict = validateOpenRPCDocument(document);
  if (verdict !== true) return verdict.message;
  try {
    await parseOpenRPCDocument(structuredClone(document));
    return null;
  } catch (e) {
    return String(e.message);
  }
}

const said = { documents: [], calls: [], results: [] };
for (const document of asked.documents) said.documents.push(await judge(document));
if (asked.calls || asked.results) {
  const document = await parseOpenRPCDocument(asked.documents[0]);
  const calls = new MethodCallValidator(document);
  for (const [method, params] of asked.calls ?? []) {
    const found = calls.validate(method, params);
    said.calls.push(Array.isArray(found) ? (found.length ? found.map((e) => e.message).join("; ") : null) : "no such method");
  }
  for (const [name, result] of asked.results ?? []) {
    const ajv = new Ajv();
    const fine = ajv.validate(document.methods.find((m) => m.name === name).result.schema, result);
    said.results.push(fine ? null : ajv.errorsText());
  }
}
process.stdout.write(JSON.stringify(said));
