#!/usr/bin/env python3
"""Help, man page and completion say the same as the rows."""
import os, re, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from clitest import BUILD, ROOT, Skip, check, equal, main, postern, rows, test  # noqa: E402

ROWS = rows()


def page(name):
    with open(os.path.join(BUILD, "man", name)) as f:
        return f.read()


def completion(*words):
    """What bash would offer for the last of the words."""
    script = '. %s/completion/postern.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _postern; printf "%%s\\n" "${COMPREPLY[@]}"' % BUILD
    return subprocess.run(["bash", "-c", script, "bash", "postern", *words], capture_output=True, text=True, check=True).stdout.split()


@test("help lists every method of the rows, with its right")
def _():
    code, out, _ = postern("help", "methods")
    equal(code, 0)
    equal({m: r for m, r in re.findall(r"^  (\S+) +(\w+) ", out, re.M)}, {m: right.lower() for m, (right, _) in ROWS.items()})


@test("the man page lists the same methods as help")
def _():
    text = page("postern-rpc.7")
    methods = text[text.index(".Sh METHODS"):text.index(".Sh OBJECTS")]
    equal(sorted(re.findall(r"^\.Ss (\S+)$", methods, re.M)), sorted(ROWS))


@test("--help of each method shows every parameter and an example")
def _():
    for method, (right, params) in ROWS.items():
        code, out, err = postern(*method.split("."), "--help")
        equal((code, err), (0, ""))
        for name, (_, need) in params.items():
            check(re.search(r"^  --%s +%s" % (name, "required" if need == "REQ" else ""), out, re.M), "%s: no --%s" % (method, name))
        equal("--dry_run" in out, right != "READ")
        check("\n  postern " + method.replace(".", " ") in out, "%s has no example" % method)


@test("the example in each method's help is taken by the command line")
def _():
    for method in ROWS:
        example = postern(*method.split("."), "--help")[1].rpartition("Example:\n")[2].split()
        code, _, err = postern("--socket", "/nonexistent/socket", *example[1:])
        equal((method, code), (method, 3))


@test("a method is found whether its words are apart, joined by dots, or written with dashes")
def _():
    for words in (["net", "bridge", "add_port"], ["net.bridge.add_port"], ["net.bridge", "add-port"]):
        code, out, _ = postern(*words, "--help")
        check(code == 0 and out.startswith("net.bridge.add_port"), words)


@test("every verb has help")
def _():
    verbs = re.findall(r"^VERB\((\w+),", open(os.path.join(ROOT, "unpriv/postern/cli.def")).read(), re.M)
    check(len(verbs) > 5)
    for verb in verbs:
        for words in ((verb, "--help"), ("help", verb)):
            code, out, err = postern(*words)
            check(code == 0 and len(out) > 40, words)


@test("completion offers every method's words, options and closed lists of values")
def _():
    for method, (_, params) in ROWS.items():
        words = method.split(".")
        for i in range(len(words)):
            check(words[i] in completion(*words[:i], ""), "%s: %s isn't offered" % (method, words[i]))
        offered = completion(*words, "--")
        for name in params:
            check("--" + name in offered, "%s: --%s isn't offered" % (method, name))
    equal(completion("compute", "vm", "create", "--vmm", ""), ["cloud-hypervisor", "firecracker", "qemu"])
    equal(completion("compute", "vm", "status", "web", "--he"), ["--help"])
    check("import" in completion("image", "") and "run" in completion(""))


@test("completion for zsh and fish holds every method")
def _():
    for shell, quote in (("zsh", "'%s')"), ("fish", "__postern_at '%s'")):
        with open(os.path.join(BUILD, "completion/postern." + shell)) as f:
            text = f.read()
        for method in ROWS:
            check(quote % method.replace(".", " ") in text, "%s: no %s" % (shell, method))


@test("the helper's page says why each operation is safe")
def _():
    with open(os.path.join(ROOT, "proto/helper.def")) as f:
        operations = re.findall(r'^OP\s*\((\w+), \w+, "[^"]*", "[^"]*", "([^"]*)"\)', f.read(), re.M)
    check(len(operations) > 10)
    text = " ".join(page("postern-helper.8").split())
    for name, why in operations:
        check(".It Ic %s Pq" % name in text, "no operation %s" % name)
        check(" ".join(why.replace("…", "\\[u2026]").split()) in text, "operation %s: no reason" % name)


@test("policy.conf.5 explains every keyword that the helper reads")
def _():
    with open(os.path.join(ROOT, "helper/launcher/policy_parse.c")) as f:
        keywords = re.findall(r'^\s+\{"([a-z-]+)", \d', f.read(), re.M)
    check(len(keywords) > 10)
    text = page("policy.conf.5")
    for keyword in keywords:
        check(re.search(r"^\.It Ic.*\b%s\b" % keyword, text, re.M), keyword)


@test("postern.toml.5 explains every key that posternd reads")
def _():
    with open(os.path.join(ROOT, "unpriv/posternd/config.c")) as f:
        keys = re.findall(r'^\s*(?:TEXT|LIST|NUMBER)\("(\w+)"|= \{TEXT\("(\w+)"', f.read(), re.M)
    keys = [a or b for a, b in keys]
    check(len(keys) > 10)
    text = page("postern.toml.5")
    for key in keys:
        check(re.search(r"^\.It Ic.*\b%s\b" % key, text, re.M), key)


@test("mandoc finds nothing wrong with the man pages")
def _():
    try:
        pages = [os.path.join(BUILD, "man", n) for n in sorted(os.listdir(os.path.join(BUILD, "man")))]
        equal(len(pages), 7)
        out = subprocess.run(["mandoc", "-Tlint", "-W", "all", *pages], capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise Skip("no mandoc")
    # They refer to each other, and aren't installed here.
    wrong = [line for line in out.splitlines() if "referenced manual not found" not in line]
    check(not wrong, "; ".join(wrong))


main()
