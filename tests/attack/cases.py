#!/usr/bin/python3
"""The checklist of attacks, A1 to I10, against the names of the tests: each case is tried somewhere, or stands here with the reason why not.

A test names what it tries at the beginning of its sentence ("D2: a symlink …") or at its end ("… is refused (D2, D3)").
"""
import glob
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
os.chdir(TOP)
PLACES = ("tests/attack/*.py", "tests/attack/*_test.c", "tests/unit/helper/*/*_test.c", "tests/unit/proto/*_test.c")
CASES = {"A": 40, "B": 24, "C": 11, "D": 15, "E": 17, "F": 11, "G": 10, "H": 8, "I": 10}

# No operation takes what the case needs.
NO_OPERATION = {
    "C7": "no operation takes a namespace's descriptor",
    "C8": "every memfd that is read more than once is sealed against writing (C6), and a disk's bytes are never read",
    "C9": "SCM_RIGHTS copies the descriptor: the sender's numbers mean nothing to the receiver",
    "D11": "no path that the helper walks may lie below a directory that others can write (H3), so no sticky one is met",
    "E6": "mounts come from block devices; there is no recursive bind",
    "E9": "there are no id-mapped mounts",
    "E10": "there are no id-mapped mounts",
    "E12": "there is no loop operation yet, so no image file behind a device",
    "E13": "there is no loop operation yet",
    "E15": "no operation writes a device",
    "E17": "no operation answers a mount's descriptor",
    "F3": "no operation takes a network namespace",
    "G8": "VMs have no user namespace: they run as a uid of the host, without capabilities",
    "G9": "a guest's vsock ends in a Unix socket of its own jail: there is no CID or port on the host to claim",
    "H4": "the policy is read once, when the helper starts",
}

# What isn't tried, for another reason.
NOT_TRIED = {
    "A18": "the kernel ignores the setuid bit for a uid that a user namespace doesn't map, which leaves A24 and A34's copy without the bit",
    "A25": "an unprivileged seccomp filter needs no_new_privs, which is A24; one that makes calls fail is I10",
    "A26": "such a filter only holds in a user namespace, where the setuid bit is A18's",
    "A30": "the invoker's own cgroup can starve the helper it started; nobody else depends on that helper",
    "A31": "oom_score_adj is inherited: it makes nobody but that daemon's own helper and VMs the kernel's first choice",
    "A32": "the processors of the daemon are the helper's too; races are tried by D4, D5, F2 and the grant tests",
    "A37": "containers' namespaces need root there, who isn't this host's",
    "A39": "AT_SECURE is asked for (A34 without the bit); a build with file capabilities instead isn't made",
    "A40": "each step is made to fail instead: I6, I10",
    "B23": "tests/e2e/death-restart.py and daemon-helper.py kill either side amid requests",
    "C11": "SO_PASSRIGHTS is younger than the oldest kernel that is supported",
    "D8": "a FUSE file system or overlay below a root that is root's alone takes root",
    "D9": "RESOLVE_BENEATH's EAGAIN is an error as any other; D4 meets it",
    "D10": "file systems that fold case are no place for jails and mount points, and nothing there is told apart by case alone",
    "D12": "roots are held by descriptor from start to end; below them only the helper makes directories",
    "D13": "paths are looked up in the cells' namespace alone",
    "D15": "a daemon may know which of the policy's own names exist: nothing else can be named",
    "E7": "the kernel's limit of mounts is the host's; a daemon that was taken over may reach it",
    "E11": "the helper parses no file system; the kernel's parsers are the policy's choice (mount-fstype)",
    "F8": "there is no setns in any filter (I1)",
    "F11": "strict checking is set on the socket, and creation is exclusive (F1)",
    "G7": "the spawner waits for any child and reads none of their codes",
    "G10": "a daemon's death revokes nothing: VMs go on, and tests/e2e/death-restart.py looks at them",
    "H7": "the broker's rate counts on CLOCK_MONOTONIC, and keeps no other time",
    "H8": "the helper keeps no audit; the daemon's is tests/unit/unpriv/posternd/audit_test.c's",
    "I7": "what each filter forbids is tried call by call (I1, I2); a process that was taken over can make no other",
}


def every_case():
    return [letter + str(i) for letter, n in CASES.items() for i in range(1, n + 1)]


def tried():
    """{case: files with a test that names it}."""
    found = {}
    for path in sorted(p for pattern in PLACES for p in glob.glob(pattern)):
        with open(path) as f:
            names = re.findall(r'(?:TEST\(|@test\()"((?:[^"\\]|\\.)*)"', f.read())
        for name in names:
            ids = re.match(r"((?:[A-I]\d+(?:, )?)+):", name)
            said = [ids.group(1)] if ids else []
            for case in re.findall(r"\b[A-I]\d+\b", " ".join(said + re.findall(r"\(((?:[A-I]\d+(?:, )?)+)\)", name))):
                found.setdefault(case, set()).add(path)
    return found


def main():
    found, failed = tried(), False
    for letter in CASES:
        cases = [c for c in every_case() if c[0] == letter]
        wrong = [c + " is neither tried nor said to be untried" for c in cases if c not in found and c not in NO_OPERATION and c not in NOT_TRIED]
        wrong += [c + " is tried and said to be untried" for c in cases if c in found and (c in NO_OPERATION or c in NOT_TRIED)]
        count = "%d of %d" % (sum(c in found for c in cases), len(cases))
        print("%sok - each attack of group %s is tried (%s), or its reason stands here%s" % ("not " if wrong else "", letter, count, ": " + "; ".join(wrong) if wrong else ""))
        failed = failed or bool(wrong)
    unknown = sorted(c for c in list(found) + list(NO_OPERATION) + list(NOT_TRIED) if c not in every_case())
    print("%sok - no test names a case that there isn't%s" % ("not " if unknown else "", ": " + ", ".join(unknown) if unknown else ""))
    if "-v" in sys.argv[1:]:
        for case in every_case():
            print("# %-4s %s" % (case, ", ".join(sorted(found.get(case, []))) or NO_OPERATION.get(case) or NOT_TRIED.get(case)))
    return 1 if failed or unknown else 0


sys.exit(main())
