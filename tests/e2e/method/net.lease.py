#!/usr/bin/python3
# Two of its kind run at a time: it mostly waits.
"""net.lease: leases of programs that really run (systemd-networkd, dhclient, dhcpcd, NetworkManager's file), and the kernel's own addresses.  LIMIT: 200"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
import leasekit
from e2e import call, equal, invalid, test, want
from leasekit import LINK

e2e.enter()
PLACES = ("/var/lib/dhcp", "/var/lib/dhcpcd", "/var/lib/NetworkManager", "/run/systemd/netif")


def places():
    """Empty directories of their own for all of them, which the daemon knows."""
    for place in PLACES:
        os.makedirs(place, exist_ok=True)
        ground.mount("leases", place, "tmpfs", 0, "mode=0755")
    os.mkdir("/run/systemd/netif/leases")
    leasekit.again()


def clean():
    ground.run("ip", "-4", "address", "flush", "dev", LINK)
    for place in PLACES:
        for directory, _, files in os.walk(place):
            for name in files:
                os.unlink(os.path.join(directory, name))


def quiet(*command, seconds=40):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
    equal(done.returncode, 0, "%s: %s" % (command[0], done.stdout.decode()[-1500:]))


def same(l, manager, source, **more):
    """What dnsmasq gave, told by another program's file."""
    got = {k: l.get(k) for k in ("interface", "manager", "source", "state", "address", "prefix", "gateway", "server", "lease_secs", "dns", "domain")}
    address = next(iter(leasekit.addresses()))
    equal(got, dict({"interface": LINK, "manager": manager, "source": source, "state": "bound", "address": address, "prefix": 24, "gateway": leasekit.SERVER,
                     "server": leasekit.SERVER, "lease_secs": 120, "dns": ["192.0.2.1", "192.0.2.2"], "domain": "lease.test"}, **more), "the lease")
    want(abs(l["obtained_unix"] - time.time()) < 60 and l["expires_unix"] == l["obtained_unix"] + 120, l)


@test("net.lease of a host without leases says so, and refuses a malformed interface")
def _():
    os.makedirs("/run/systemd", exist_ok=True)
    leasekit.make_link()
    ground.run("ip", "link", "set", LINK, "up")
    places()
    equal(call("net.lease"), {"slaac": [], "interfaces": [], "unreadable": []}, "the answer")
    invalid("net.lease", "interface", interface="a/b")


@test("a lease that dhclient holds is told from its file, and no longer when its address is gone")
def _():
    with leasekit.dnsmasq():
        quiet("dhclient", "-1", "-sf", "/bin/true", "-lf", "/var/lib/dhcp/dhclient.leases", "-pf", "/run/dhclient.pid", LINK)
        quiet("dhclient", "-x", "-sf", "/bin/true", "-lf", "/var/lib/dhcp/dhclient.leases", "-pf", "/run/dhclient.pid", LINK)
    text = open("/var/lib/dhcp/dhclient.leases").read()
    address = text.rpartition("fixed-address ")[2].split(";")[0]
    equal("dhcp4" in call("net.lease"), False, "a lease whose address isn't there")
    ground.run("ip", "address", "add", address + "/24", "dev", LINK)
    l = call("net.lease")
    same(l["dhcp4"], "dhclient", "/var/lib/dhcp/dhclient.leases")
    equal((l["interfaces"], call("net.lease", interface="lo").get("dhcp4"), call("net.lease", interface=LINK)["dhcp4"]["address"]), ([LINK], None, address), "by interface")
    clean()


@test("a lease that dhcpcd holds is told from its file, once the daemon may read it")
def _():
    with leasekit.dnsmasq():
        quiet("dhcpcd", "-1", "-4", "--noarp", "-c", "/bin/true", "-t", "20", LINK)
    path = "/var/lib/dhcpcd/%s.lease" % LINK
    l = call("net.lease")
    want("dhcp4" not in l, l)
    equal([(u["source"], u["manager"]) for u in l["unreadable"]], [(path, "dhcpcd")], "what can't be read")
    want("Permission denied" in l["unreadable"][0]["hint"], l["unreadable"])
    os.chmod(path, 0o644)
    l = call("net.lease")["dhcp4"]
    same(l, "dhcpcd", path)
    equal(sorted((r["destination"], r["gateway"]) for r in l["routes"]), [("0.0.0.0/0", "192.0.2.1"), ("198.18.0.0/15", "192.0.2.9")], "its routes")
    clean()


@test("a lease that systemd-networkd holds is told from its file")
def _():
    ground.directory("/run/systemd/network")
    ground.write("/run/systemd/network/10-test.network", "[Match]\nName=%s\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n" % LINK)
    ground.run("chown", "-R", "systemd-network:", "/run/systemd/netif")
    with leasekit.dnsmasq():
        # With /sys read-only it doesn't wait for udev.
        networkd = subprocess.Popen(["unshare", "-m", "sh", "-c", "mount -o remount,ro /sys && exec /lib/systemd/systemd-networkd"],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            l = e2e.until(lambda: call("net.lease").get("dhcp4"), 30, 0.1)
            index = e2e.links()[LINK]["ifindex"]
            same(l, "systemd-networkd", "/run/systemd/netif/leases/%d" % index)
            equal((l["t1"], l["t2"], len(l["routes"])), (60, 105, 2), "times and routes")
        finally:
            networkd.terminate()
            networkd.wait(20)
    clean()


@test("a lease that NetworkManager holds is told from its file, and one that the daemon may not enter is named")
def _():
    name = "/var/lib/NetworkManager/internal-6ca9cb4e-6e37-4a4a-9a63-2b4f1c0a8d11-%s.lease" % LINK
    ground.write(name, "# This is private data. Do not parse.\nADDRESS=192.0.2.77\n")
    ground.run("ip", "address", "add", "192.0.2.77/24", "dev", LINK)
    l = call("net.lease")["dhcp4"]
    equal((l["manager"], l["source"], l["address"], l["interface"]), ("NetworkManager", name, "192.0.2.77", LINK), "the lease")
    want("lease_secs" not in l and "expires_unix" not in l and "prefix" not in l, l)
    os.chmod("/var/lib/NetworkManager", 0o700)
    equal([u["manager"] for u in call("net.lease")["unreadable"]], ["NetworkManager"], "what can't be read")
    os.chmod("/var/lib/NetworkManager", 0o755)
    clean()


@test("garbage and oversized files of others are passed over")
def _():
    for name in ("/var/lib/dhcp/a.leases", "/var/lib/dhcpcd/%s.lease" % LINK, "/var/lib/dhcpcd/%s.lease6" % LINK, "/run/systemd/netif/leases/1",
                 "/var/lib/NetworkManager/x.lease"):
        for text in (b"", b"\0" * 100, os.urandom(4000), b"lease {" * 3000, b"A" * 70000, b"ADDRESS=" + b"9" * 500):
            with open(name, "wb") as f:
                f.write(text)
            os.chmod(name, 0o644)
            equal(call("net.lease"), {"slaac": [], "interfaces": [], "unreadable": []}, "the answer with garbage in " + name)
    clean()
    os.symlink("/etc/shadow", "/var/lib/dhcp/b.leases")
    equal([u["source"] for u in call("net.lease")["unreadable"]], ["/var/lib/dhcp/b.leases"], "a link is named, not followed")
    os.unlink("/var/lib/dhcp/b.leases")


@test("addresses that the kernel makes of a router's advertisement are told as ip shows them, and postern turns that on")
def _():
    with leasekit.dnsmasq("--enable-ra", "--dhcp-range=fd00:1::,ra-stateless,64,10m", "--ra-param=%s,4,600" % leasekit.FAR, four=False):
        ground.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")  # with which accept_ra=1 counts no more
        leasekit.configure("dhcp4 = false\ndhcp6 = false\n")
        e2e.until(lambda: open("/proc/sys/net/ipv6/conf/%s/accept_ra" % LINK).read() == "2\n", 10)
        slaac = e2e.until(lambda: leasekit.lease()["slaac"], 60, 0.2)[0]
        shown = leasekit.addresses("-6")[slaac["address"]]
        equal((slaac["interface"], slaac["prefix"], slaac["temporary"]), (LINK, shown["prefixlen"], False), "the address")
        want(abs(slaac["valid_secs"] - shown["valid_life_time"]) <= 10 and abs(slaac["preferred_secs"] - shown["preferred_life_time"]) <= 10, (slaac, shown))
        equal(leasekit.lease(interface="up0")["slaac"], [], "another interface's")


@test("a stateful address of dnsmasq is leased beside SLAAC")
def _():
    with leasekit.dnsmasq("--enable-ra", "--dhcp-range=fd00:1::2:100,fd00:1::2:1ff,64,2m", four=False):
        leasekit.configure("dhcp4 = false\nslaac = false\n")
        six = e2e.until(lambda: leasekit.lease().get("dhcp6", {}).get("state") == "bound" and leasekit.lease()["dhcp6"], 60, 0.2)
        want(six["addresses"][0]["address"].startswith("fd00:1::2:1"), six)
        e2e.until(lambda: six["addresses"][0]["address"] in leasekit.addresses("-6"), 10)
        equal([(a["valid_secs"], a["preferred_secs"]) for a in six["addresses"]], [(120, 120)], "times")


e2e.main()
