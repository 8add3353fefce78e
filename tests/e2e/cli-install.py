#!/usr/bin/env python3
"""make install: what lies where, whose it is, and that systemd takes the units."""
import os, re, shutil, stat, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from clitest import BUILD, ROOT, Skip, check, equal, main, test  # noqa: E402

WORK = tempfile.TemporaryDirectory(prefix="postern-install-")
os.chmod(WORK.name, 0o755)  # systemd-analyze looks at how the path can be reached
DEST = os.path.join(WORK.name, "dest")
PROGRAMS = ["bin/postern", "sbin/posternd"] + ["libexec/postern/" + n for n in (
    "postern-helper postern-broker postern-net postern-vol postern-jail postern-spawn postern-keeper postern-vsock postern-init vmm-base").split()]


def install(dest=DEST, **more):
    return subprocess.run(["unpriv/dist/install", BUILD, dest, "/usr"], cwd=ROOT, capture_output=True, text=True, env=dict(os.environ, **more))


def unit(name):
    with open(os.path.join(DEST, "usr/lib/systemd/system", name)) as f:
        return f.read()


@test("make install fills DESTDIR with programs, man pages, completion and units")
def _():
    done = install()
    equal((done.returncode, done.stderr), (0, ""))
    for name in PROGRAMS:
        check(os.access(os.path.join(DEST, "usr", name), os.X_OK), name)
    for name in ("man1/postern.1", "man5/policy.conf.5", "man5/postern.toml.5", "man7/postern-rpc.7", "man8/posternd.8", "man8/postern-helper.8", "man8/postern-init.8"):
        check(os.path.getsize(os.path.join(DEST, "usr/share/man", name)) > 500, name)
    for name in ("share/bash-completion/completions/postern", "share/zsh/site-functions/_postern", "share/fish/vendor_completions.d/postern.fish",
                 "lib/systemd/system/posternd.service", "lib/systemd/system/postern-helper.socket", "lib/systemd/system/postern-helper.service",
                 "lib/sysusers.d/postern.conf", "lib/tmpfiles.d/postern.conf", "lib/NetworkManager/conf.d/postern.conf",
                 "lib/systemd/network/10-postern.network", "lib/udev/rules.d/70-postern.rules"):
        check(os.path.exists(os.path.join(DEST, "usr", name)), name)


@test("the helper is 4750, nothing else is setuid, and nothing may be written by others")
def _():
    for path, _, names in os.walk(DEST):
        for name in names:
            st = os.lstat(os.path.join(path, name))
            equal((name, stat.S_IMODE(st.st_mode) & 0o6022), (name, 0o4000 if name == "postern-helper" else 0))
    st = os.stat(os.path.join(DEST, "usr/libexec/postern/postern-helper"))
    equal(stat.S_IMODE(st.st_mode), 0o4750)
    if os.getuid() == 0:
        equal(st.st_uid, 0)
        check(st.st_gid != 0, "the helper's group is root's")


@test("a second install leaves the configuration as it is")
def _():
    policy = os.path.join(DEST, "etc/postern/policy.conf")
    with open(policy, "a") as f:
        f.write("uplink eth9\n")
    with open(os.path.join(DEST, "etc/postern/acl.toml"), "w") as f:
        f.write("# mine\n")
    equal(install().returncode, 0)
    with open(policy) as f:
        check("uplink eth9" in f.read())
    with open(os.path.join(DEST, "etc/postern/acl.toml")) as f:
        equal(f.read(), "# mine\n")


@test("the policy that comes with it holds numbers and known keywords")
def _():
    with open(os.path.join(ROOT, "helper/launcher/policy_parse.c")) as f:
        known = set(re.findall(r'^\s+\{"([a-z-]+)", \d', f.read(), re.M))
    with open(os.path.join(DEST, "etc/postern/policy.conf")) as f:
        lines = [line.split("#")[0].split() for line in f]
    used = {line[0]: line[1:] for line in lines if line}
    check(set(used) <= known, set(used) - known)
    for keyword in ("daemon-uid", "broker-uid", "net-uid", "vol-uid"):
        check(used[keyword][0].isdigit(), used[keyword])


@test("an install as an ordinary user fills DESTDIR all the same, and says what is left to do")
def _():
    if os.getuid() != 0:
        raise Skip("the first install was one")
    own = os.path.join(WORK.name, "own")
    os.mkdir(own)
    os.chown(own, 65534, 65534)
    build, tree = os.path.join(WORK.name, "build"), os.path.join(WORK.name, "tree")
    for d in ("bin", "man", "completion"):
        shutil.copytree(os.path.join(BUILD, d), os.path.join(build, d))
    for name in ("unpriv/dist", "helper/dist"):
        shutil.copytree(os.path.join(ROOT, name), os.path.join(tree, name))
    for name in ("helper/vmm-base", "README.md", "LICENSE"):
        shutil.copy(os.path.join(ROOT, name), os.path.join(tree, name))
    done = subprocess.run([os.path.join(tree, "unpriv/dist/install"), build, own, "/usr"], cwd=tree, user=65534, group=65534, extra_groups=[],
                          capture_output=True, text=True)
    equal((done.returncode, done.stderr), (0, ""))
    check("root:postern" in done.stdout, done.stdout)


@test("systemd finds nothing wrong with the units")
def _():
    if not shutil.which("systemd-analyze"):
        raise Skip("no systemd-analyze")
    units = os.path.join(DEST, "usr/lib/systemd/system")
    for name in os.listdir(units):  # its programs aren't on this host
        text = unit(name).replace("ExecStart=/usr/", "ExecStart=%s/usr/" % DEST)
        with open(os.path.join(units, name), "w") as f:
            f.write(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *[os.path.join(units, n) for n in sorted(os.listdir(units))]],
                          capture_output=True, text=True, env=dict(os.environ, SYSTEMD_UNIT_PATH=units + ":/lib/systemd/system:"))
    told = [line for line in done.stderr.splitlines() if "postern" in line]
    check(not told, "; ".join(told))


@test("the daemon's unit keeps it without privilege, and the helper's keeps the VMs")
def _():
    daemon, helper = unit("posternd.service"), unit("postern-helper.service")
    for line in ("User=postern", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "RestrictNamespaces=yes", "MemoryDenyWriteExecute=yes"):
        check(re.search("^%s$" % line, daemon, re.M), line)
    for line in ("KillMode=process", "Delegate=yes", "NoNewPrivileges=yes"):
        check(re.search("^%s$" % line, helper, re.M), line)
    # Each of these gives the helper a mount namespace, and its mounts would not be the host's.
    for word in ("ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateMounts", "ReadWritePaths", "ProtectKernelTunables", "ProtectControlGroups"):
        check(not re.search("^%s" % word, helper, re.M), word)
    check(not re.search("^MemoryDenyWriteExecute", helper, re.M), "QEMU couldn't translate code")


@test("the helper's unit allows the capabilities that its operations name, and the launcher's own")
def _():
    with open(os.path.join(ROOT, "proto/helper.def")) as f:
        named = {c for caps in re.findall(r'^OP\s*\(\w+, \w+, "([A-Z_, ]+)"', f.read(), re.M) for c in caps.split(", ")}
    with open(os.path.join(ROOT, "helper/launcher/world.c")) as f:
        tree = re.search(r"#define TREE_CAPS(.*?)\n\n", f.read(), re.S).group(1)
    with open(os.path.join(ROOT, "helper/launcher/lease_sockets.h")) as f:
        opening = set(re.findall(r"CAP_\w+", f.read()))
    wanted = {"CAP_" + c for c in named} | set(re.findall(r"CAP\((CAP_\w+)\)", tree)) | opening
    allowed = set(re.search("^CapabilityBoundingSet=(.*)$", unit("postern-helper.service"), re.M).group(1).split())
    equal(allowed, wanted)


main()
