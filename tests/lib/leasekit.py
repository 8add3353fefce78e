"""For tests of leases: a link `wan0` of this world that leads to real DHCP servers in the outside's network namespace."""
import os
import signal
import socket
import subprocess
import time

import e2e
import ground

LINK, FAR = "wan0", "wan1"
SERVER, SERVER6 = "192.0.2.1", "fd00:1::1"
TOML = '[lease]\ninterface = ["%s"]\n'
POLICY = "/etc/postern/policy.conf"
CONFIG = "/etc/postern/postern.toml"


def outside(*command):
    return ["nsenter", "--net=/proc/%s/ns/net" % os.environ["POSTERN_TEST_OUTSIDE_PID"], *command]


def make_link():
    """The link; and a /var/lib of the world's own, for what servers and clients write there."""
    ground.mount("leases", "/var/lib", "tmpfs", 0, "mode=0755")
    ground.run("ip", "link", "add", LINK, "type", "veth", "peer", "name", FAR, "netns", os.environ["POSTERN_TEST_OUTSIDE_PID"])
    ground.run(*outside("ip", "address", "add", SERVER + "/24", "dev", FAR))
    ground.run(*outside("ip", "address", "add", SERVER6 + "/64", "dev", FAR, "nodad"))
    ground.run(*outside("ip", "link", "set", FAR, "addrgenmode", "none"))  # its link-local address needn't be waited for
    ground.run(*outside("ip", "link", "set", FAR, "up"))
    ground.run(*outside("ip", "address", "add", "fe80::1/64", "dev", FAR, "nodad"))


def again():
    """A new worker and a new helper, which read their files anew."""
    old = e2e.daemon()[1]
    os.kill(old, signal.SIGKILL)
    e2e._client = None

    def answers():
        try:
            return e2e.Client()("rpc.health") and e2e.daemon()[1] != old
        except (OSError, ValueError, e2e.Failed):
            return False
    e2e.until(answers, 20)


def configure(more="", link=LINK):
    """Gives the link to postern, in the policy and in the configuration, and starts the daemon again."""
    text = open(POLICY).read()
    if "lease-interface" not in text:
        ground.write(POLICY, text + "lease-interface %s\n" % link)
    ground.write(CONFIG, TOML % link + more)
    again()


class Server:
    """A program in the outside's namespace, until its end."""

    def __init__(self, *command):
        self.log = "/run/%s.log" % os.path.basename(command[0])
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(outside(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def said(self):
        return open(self.log, errors="replace").read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def dnsmasq(*options, four=True, leases="/run/dnsmasq.leases"):
    """Two minutes is the shortest lease that it gives."""
    ranges = ["--dhcp-range=192.0.2.50,192.0.2.60,2m", "--dhcp-option=option:dns-server,192.0.2.1,192.0.2.2", "--domain=lease.test",
              "--dhcp-option=121,198.18.0.0/15,192.0.2.9,0.0.0.0/0,192.0.2.1"] if four else []
    return Server("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--interface=" + FAR, "--bind-interfaces", "--port=0", "--user=root",
                  "--dhcp-leasefile=" + leases, "--pid-file=", "--log-dhcp", "--log-facility=-", "--dhcp-authoritative", *ranges, *options)


class Capture:
    """Addresses (from, to) of the IPv4 packets from LINK to the server's port, while it runs."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.sock.bind((LINK, 3))
        self.sock.setblocking(False)

    def stop(self):
        found = set()
        while True:
            try:
                packet, where = self.sock.recvfrom(2048)
            except BlockingIOError:
                self.sock.close()
                return found
            if where[1] == 0x0800 and packet[9] == 17 and packet[22:24] == b"\0\x43":
                found.add((socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])))


def prefix_of_dhclient(link=ground.UPLINK):
    """A file of dhclient's with a prefix in it that was delegated just now, where the daemon reads it."""
    os.makedirs("/var/lib/dhcp", exist_ok=True)
    ground.mount("leases", "/var/lib/dhcp", "tmpfs", 0, "mode=0755")
    again()
    now = int(time.time())
    ground.write("/var/lib/dhcp/dhclient6.leases", 'lease6 {\n interface "%s";\n ia-pd 0:0:0:7 {\n  starts %d;\n  renew 900;\n  rebind 1440;\n'
                 '  iaprefix 2001:db8:700::/56 {\n   starts %d;\n   preferred-life 1800;\n   max-life 3600;\n  }\n }\n'
                 ' option dhcp6.server-id 0:1:0:1:32:94:9b:53:de:79:85:6c:15:68;\n}\n' % (link, now, now))


def lease(**params):
    return e2e.Client()("net.lease", **params)


KEA = """{"Dhcp6": {"interfaces-config": {"interfaces": ["%s"]}, "lease-database": {"type": "memfile", "persist": false},
 "server-id": {"type": "EN", "enterprise-id": 32473, "identifier": "8888", "persist": false},
 "valid-lifetime": 40, "preferred-lifetime": 30, "renew-timer": 5, "rebind-timer": 20,
 "option-data": [{"name": "dns-servers", "data": "fd00:1::53"}, {"name": "domain-search", "data": "six.test"}],
 "subnet6": [{"subnet": "fd00:1::/64", "interface": "%s", "pools": [{"pool": "fd00:1::1:0/112"}],
  "pd-pools": [{"prefix": "2001:db8:100::", "prefix-len": 40, "delegated-len": 56}]}],
 "loggers": [{"name": "kea-dhcp6", "severity": "INFO", "output_options": [{"output": "stdout"}]}]}}"""


def kea():
    ground.directory("/run/kea")
    ground.directory("/var/lib/kea")
    ground.write("/run/kea6.conf", KEA % (FAR, FAR))
    return Server("env", "KEA_DHCP_DATA_DIR=/run/kea", "KEA_PIDFILE_DIR=/run/kea", "KEA_LOCKFILE_DIR=/run/kea", "kea-dhcp6", "-c", "/run/kea6.conf")


def until_leased(seconds=30, **params):
    """net.lease, once postern itself holds an address, and the kernel shows it."""
    def held():
        got = lease(**params).get("dhcp4", {})
        return got if got.get("state") == "bound" and got.get("address") in addresses() else None
    try:
        return e2e.until(held, seconds, 0.1)
    except e2e.Failed:
        raise e2e.Failed("no lease after %d s: %r\n%s" % (seconds, lease(), "".join(l for l in open(os.environ["POSTERN_TEST_LOG"]) if "event=write" not in l)[-2000:]))


def addresses(family="-4", link=LINK):
    import json
    shown = json.loads(ground.run("ip", "-j", family, "address", "show", "dev", link))
    return {a["local"]: a for one in shown for a in one.get("addr_info", []) if a.get("scope") == "global"}
