#!/usr/bin/env python3
"""tests/guest/boot, which other tests rely on: a command in Debian's kernel, its output, its exit code, files and modules it needs."""
import os, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def attempt(sentence, options, command, code, output):
    run = subprocess.run([os.path.join(ROOT, "tests/guest/boot")] + options + ["--"] + command, capture_output=True, text=True)
    good = run.returncode == code and run.stdout == output
    print("ok - " + sentence if good else "not ok - %s: exit %d, %r, %r" % (sentence, run.returncode, run.stdout[-500:], run.stderr[-500:]))
    return good


with tempfile.TemporaryDirectory() as directory:
    os.makedirs(directory + "/tree/sub")
    with open(directory + "/tree/sub/file", "w") as f:
        f.write("from the host\n")
    results = [
        attempt("a booted guest gives the command's output and exit code, and finds what was added",
                ["--add", directory + "/tree=/data"], ["sh", "-c", "cat /data/sub/file; echo 'a  b'; echo err >&2; exit 42"], 42,
                "from the host\na  b\nerr\n"),
        attempt("a booted guest has the modules that were asked for, with what they need",
                ["--modules", "nf_tables,overlay"], ["sh", "-c", "lsmod | grep -c -E '^(nf_tables|nfnetlink|overlay) '"], 0, "3\n"),
        attempt("a guest that can't boot is told from a command that failed",
                ["--deadline", "6", "--append", "rdinit=/nowhere root=/dev/none panic=-1"], ["true"], 125, ""),
    ]
sys.exit(0 if all(results) else 1)
