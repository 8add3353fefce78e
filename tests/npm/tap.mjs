// Tests that print a line each, as every test of postern does.
let failed = 0;

export async function test(sentence, body) {
  try {
    await body();
    console.log(`ok - ${sentence}`);
  } catch (e) {
    failed++;
    console.log(`not ok - ${sentence}: ${String(e.message ?? e).replace(/\s+/g, " ").slice(0, 400)}`);
  }
}

export function finish() {
  process.exit(failed ? 1 : 0);
}
