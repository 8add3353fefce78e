#!/usr/bin/python3
"""What README.md tells people to type does what it says: each block of "Try it", "Install" and "Use" is taken from there as it stands.
A block that nobody here knows is a failure, so that no example goes untried."""
# LIMIT: 600
import errno
import json
import os
import pty
import re
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ground
from report import Failed, Skipped, equal, main, test, want

INSIDE = "POSTERN_TEST_WORLD" in os.environ
SECTIONS = ("Try it", "Install", "Use")
# What can't be run from a test, by how the line begins.
ELSEWHERE = {
    "make demo": "by this test, without installing packages",
    "make check": "whoever runs this test runs it",
    "make && make install": "tests/e2e/cli-install.py",
    "systemctl enable": "needs a service manager that runs postern",
    "postern image default": "needs Debian's mirrors; tests/e2e/cli-image.py",
}


def blocks():
    """{section: [blocks of lines]} of the indented blocks."""
    found, section = {}, None
    with open(os.path.join(ground.TOP, "README.md")) as f:
        text = f.read()
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.split("\n")
        if lines[0].startswith("## "):
            section = lines[0][3:].strip()
        elif section and all(line.startswith("    ") for line in lines):
            found.setdefault(section, []).append([line[4:] for line in lines])
    return found


BLOCKS = blocks()
known = set()  # first lines of the blocks that a test has asked for


def block(section, begins):
    """The one block of a section whose first line begins so."""
    those = [b for b in BLOCKS.get(section, []) if b[0].startswith(begins)]
    want(len(those) == 1, "README's section %s has %d blocks that begin with %s" % (section, len(those), begins))
    return those[0]


def line(section, begins):
    """The one line of a section that begins so."""
    those = [text for b in BLOCKS.get(section, []) for text in b if text.startswith(begins)]
    want(len(those) == 1, "README's section %s has %d lines that begin with %s" % (section, len(those), begins))
    return those[0]


def shell(text, stdin="", timeout=200):
    """Runs a line as a person's shell would: (exit code, standard output, standard error)."""
    done = subprocess.run(["bash", "-c", text], input=stdin, capture_output=True, text=True, timeout=timeout, cwd=ground.TOP)
    return done.returncode, done.stdout, done.stderr


def succeeds(text, **more):
    code, out, err = shell(text, **more)
    equal(code, 0, "the exit code of `%s` (%s)" % (text, err.strip()[-300:]))
    return out


def guest():
    want(os.path.exists(os.path.join(ground.BUILD, "guest/default/kernel")), "there is no guest: make guest")


# ---- from a checkout -----------------------------------------------------------------------------------------------------------------------

def try_run():
    guest()
    code, out, err = shell(line("Try it", "tests/with-daemon postern run"))
    equal((code, out), (7, "out\n"), "exit code and output (%s)" % err)
    want("err" in err.split("\n"), "the error output is %r" % err)


def try_bridge():
    bridges = json.loads(succeeds(line("Try it", "tests/with-daemon sh -c")).splitlines()[-1])["bridges"]
    equal([(b["name"], b["addresses"][0]["address"], b["managed"]) for b in bridges], [("pt-br0", "10.7.0.1", True)], "the bridges")


def try_shell():
    code, out, _ = shell(line("Try it", "tests/with-daemon bash"), stdin="postern rpc health\nexit 5\n")
    equal((code, json.loads(out)), (5, {"status": "ok"}), "exit code and answer")


def try_demo():
    guest()
    line("Try it", "make demo")
    before = ground.run("ip", "-o", "link"), os.listdir("/srv") if os.path.isdir("/srv") else None
    out = succeeds("tests/demo", timeout=300)
    want(len(out.splitlines()) > 20, "the demo says only %s" % out)
    equal((ground.run("ip", "-o", "link"), os.listdir("/srv") if os.path.isdir("/srv") else None), before, "the host after the demo")


def every_line_has_its_test():
    with open(os.path.realpath(__file__)) as f:
        own = re.findall(r'(?:line|block)\("([\w ]+)", "([^"]+)"\)', f.read())
    for section in SECTIONS:
        want(BLOCKS.get(section), "README has no block in %s" % section)
        for b in BLOCKS[section]:
            if any(s == section and b[0].startswith(begins) for s, begins in own) and not b[0].startswith(("postern", "tests/", "make")):
                continue  # a program, run as a whole
            for text in b:
                tried = any(s == section and text.startswith(begins) for s, begins in own) or any(text.startswith(e) for e in ELSEWHERE)
                want(tried, "README's `%s` in %s has no test" % (text, section))


# ---- beside a daemon -----------------------------------------------------------------------------------------------------------------------

def use_interfaces():
    names = [i["name"] for i in json.loads(succeeds(line("Use", "postern net interfaces")))["interfaces"]]
    want("lo" in names, "the interfaces are %s" % names)


def use_bridge_and_nat():
    added = json.loads(succeeds(line("Use", "postern net bridge add")))
    equal((added["changed"], added["bridge"]["name"]), (True, "pt-br0"), "the answer")
    equal(json.loads(succeeds(line("Use", "postern net nat add_snat")))["changed"], True, "changed")
    rules = ground.run("nft", "list", "ruleset")
    want("10.7.0.0/24" in rules and "masquerade" in rules, "the rules are %s" % rules)


def use_forward():
    equal(json.loads(succeeds(line("Use", "postern net nat add_dnat")))["changed"], True, "changed")
    want("10.7.0.2 . 80" in ground.run("nft", "list", "ruleset"), "nft shows no forward to 10.7.0.2 . 80")
    equal(json.loads(succeeds(line("Use", "postern net verify"))), {"in_sync": True, "drift": []}, "what net.verify says")
    want(json.loads(succeeds(line("Use", "postern net health")))["status"] in ("ok", "degraded"), "what net.health says")


def use_checkpoint():
    made = json.loads(succeeds(line("Use", "postern net checkpoint create")))["checkpoint"]["id"]
    listed = json.loads(succeeds(line("Use", "postern net checkpoint list")))["checkpoints"]
    equal([c["id"] for c in listed], [made], "the checkpoints")
    confirm = re.sub(r"--id \d+", "--id " + made, line("Use", "postern net checkpoint confirm"))
    equal(json.loads(succeeds(confirm))["changed"], True, "changed")
    plan = json.loads(succeeds(line("Use", "postern call net.apply")))["plan"]
    want(("create", "pt-br1") in [(step["action"], step["id"]) for step in plan], "the plan is %r" % plan)


def use_vm():
    guest()
    created = json.loads(succeeds(line("Use", "postern compute vm create")))
    equal((created["id"], created["state"]), ("web", "Configured"), "the answer")
    equal(json.loads(succeeds(line("Use", "postern compute vm start")))["state"], "Running", "the state")
    want("pt-br0" in ground.run("ip", "-o", "link", "show", "type", "tun"), "the VM's tap isn't on the bridge")


def use_exec():
    out = succeeds(line("Use", "postern exec web -- sh -c"))
    want(re.fullmatch(r"Linux version .*\n3\n", out), "it printed %r" % out)


def use_exec_terminal():
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp("bash", ["bash", "-c", line("Use", "postern exec -it")])
    seen, typed, end = b"", False, time.monotonic() + 60
    while True:
        want(time.monotonic() < end, "nothing more came after %r" % seen[-200:])
        if not select.select([fd], [], [], 0.1)[0]:
            continue
        try:
            seen += os.read(fd, 4096)
        except OSError as e:
            equal(e.errno, errno.EIO, "the errno of the end")
            break
        if not typed and b"#" in seen:
            os.write(fd, b"tty; echo $((6 * 7)); exit 9\n")
            typed = True
    os.close(fd)
    equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 9, "the exit code")
    want(b"/dev/pts/" in seen and b"\n42\r" in seen, "the terminal showed %r" % seen)


def use_list():
    vms = json.loads(succeeds(line("Use", "postern compute vm list")))["vms"]
    equal([(v["id"], v["state"], v["memory_mib"]) for v in vms], [("web", "Running", 512)], "the VMs")


def install_doctor():
    out = succeeds(line("Install", "postern doctor"))
    want(len(out.splitlines()) > 8 and "BAD" not in out, "it says %s" % out)


def install_run():
    guest()
    want(succeeds(line("Install", "postern run")).startswith("Linux run-"), "that's no Linux")


def use_curl():
    answer = json.loads(succeeds("\n".join(block("Use", "curl"))))
    equal((answer["id"], "lo" in [i["name"] for i in answer["result"]["interfaces"]]), (1, True), "the answer")


def use_python():
    done = subprocess.run([sys.executable, "-W", "error::SyntaxWarning", "-c", "\n".join(block("Use", "import json"))], capture_output=True, text=True, timeout=60)
    equal((done.returncode, done.stdout, done.stderr), (0, "{'status': 'ok'}\n", ""), "what python says")


def use_node():
    try:
        done = subprocess.run(["node", "-e", "\n".join(block("Use", "const options"))], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        raise Skipped("no node")
    equal((done.returncode, done.stdout, done.stderr), (0, "{ status: 'ok' }\n", ""), "what node says")


if INSIDE:
    test("Use: postern net interfaces lists the interfaces")(use_interfaces)
    test("Use: a bridge and its address translation are made as shown")(use_bridge_and_nat)
    test("Use: a forward is made as shown, and what is set up is in sync")(use_forward)
    test("Use: a checkpoint is made, listed and confirmed as shown, and a document planned")(use_checkpoint)
    test("Use: a VM is created and started as shown, with its tap on the bridge")(use_vm)
    test("Use: postern exec gives the guest's output and the command's exit code")(use_exec)
    test("Use: postern exec -it gives a terminal in the guest, and its exit code")(use_exec_terminal)
    test("Use: postern compute vm list shows the VM running")(use_list)
    test("Use: the curl example answers")(use_curl)
    test("Use: the Python example answers")(use_python)
    test("Use: the Node example answers")(use_node)
    test("Install: postern doctor finds nothing bad")(install_doctor)
    test("Install: postern run boots a VM for one command")(install_run)
    main()

test("every line of README's Try it, Install and Use has a test")(every_line_has_its_test)
test("Try it: the command in a VM gives its output, its error output and its exit code")(try_run)
test("Try it: the bridge made is the bridge shown")(try_bridge)
test("Try it: the shell beside a daemon reaches it, and its exit code comes through")(try_shell)
test("Try it: the demo runs to its end and leaves the host as it was")(try_demo)
inner = subprocess.run([os.path.join(ground.TOP, "tests/with-daemon"), os.path.realpath(__file__), *sys.argv[1:]]).returncode
try:
    main()
except SystemExit as e:
    sys.exit(e.code or inner)
