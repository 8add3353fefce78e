// LINK: guest-init/config.o guest-init/json.o guest-init/cmdline.o guest-init/text.o
#include "guest-init/config.h"

#include "guest-init/cmdline.h"
#include "tests/lib/test.h"

static struct config c;
static char doc[4096];

static const char *parse(const char *text)
{
	size_t at;

	memset(&c, 0, sizeof(c));
	memcpy(doc, text, strlen(text) + 1);
	return config_parse(&c, doc, strlen(doc), &at);
}

TEST("a whole postern.json is understood")
{
	CHECK(parse("{\"hostname\": \"web1\", \"network\": [{\"name\": \"eth1\", \"mtu\": 1400, \"addresses\": [\"10.0.0.2/24\", \"fd00::2/64\"]},"
	            " {\"mac\": \"52:54:00:00:00:01\"}], \"routes\": [{\"to\": \"10.9.0.0/16\", \"via\": \"10.0.0.9\"}, {\"via\": \"10.0.0.1\"}],"
	            " \"nameservers\": [\"1.1.1.1\", \"9.9.9.9\"], \"search\": \"lan\", \"env\": {\"A\": \"1\", \"B\": \"x=y\", \"N\": 5, \"E\": "
	            "\"\"}}") == NULL);
	CHECK_STR(c.hostname, "web1");
	CHECK_INT(c.nifaces, 2);
	CHECK_STR(c.ifaces[0].name, "eth1");
	CHECK_INT(c.ifaces[0].mtu, 1400);
	CHECK_INT(c.ifaces[0].naddrs, 2);
	CHECK_STR(c.ifaces[0].addrs[1], "fd00::2/64");
	CHECK_STR(c.ifaces[1].mac, "52:54:00:00:00:01");
	CHECK_INT(c.nroutes, 2);
	CHECK_STR(c.routes[0].to, "10.9.0.0/16");
	CHECK_STR(c.routes[1].to, "default");
	CHECK_STR(c.routes[1].via, "10.0.0.1");
	CHECK_INT(c.ndns, 2);
	CHECK_STR(c.dns[1], "9.9.9.9");
	CHECK_STR(c.search, "lan");
	CHECK_INT(c.nenv, 4);
	CHECK_STR(c.env[0], "A=1");
	CHECK_STR(c.env[1], "B=x=y");
	CHECK_STR(c.env[2], "N=5");
	CHECK_STR(c.env[3], "E=");
	CHECK(c.env[4] == NULL);
}

TEST("a name that isn't known, and a value of the wrong shape, are refused")
{
	static const char *const bad[] = {
	    "{\"hostnam\": \"x\"}",           "{\"network\": {\"name\": \"eth0\"}}",
	    "{\"network\": [\"eth0\"]}",      "{\"network\": [{\"mtu\": 70000}]}",
	    "{\"network\": [{\"mtu\": -1}]}", "{\"network\": [{\"mtu\": \"big\"}]}",
	    "{\"hostname\": [\"x\"]}",        "{\"nameservers\": \"x\"}",
	    "{\"env\": {\"A=B\": \"x\"}}",    "{\"env\": {\"\": \"x\"}}",
	    "{\"env\": [\"A=B\"]}",           "{\"nameservers\": [{}]}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i]) == NULL)
			FAIL("%s was taken", bad[i]);
}

TEST("a document can't name an element that hasn't begun")
{
	CHECK(parse("{\"network[].mtu\": 1500}") != NULL);
	CHECK(parse("{\"network[].addresses[]\": \"10.0.0.1/8\"}") != NULL);
	CHECK(parse("{\"routes[].to\": \"x\"}") != NULL);
	CHECK(parse("{\"network[]\": {\"name\": \"x\"}}") != NULL);
}

TEST("more of anything than there is room for is refused")
{
	CHECK(parse("{\"network\": [{}, {}, {}, {}]}") == NULL);
	CHECK(parse("{\"network\": [{}, {}, {}, {}, {}]}") != NULL);
	CHECK(parse("{\"nameservers\": [\"1\", \"2\", \"3\", \"4\", \"5\"]}") != NULL);
	CHECK(parse("{\"network\": [{\"addresses\": [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\"]}]}") != NULL);
}

TEST("the command line replaces what the file says, kind by kind")
{
	CHECK(parse("{\"hostname\": \"file\", \"network\": [{\"mac\": \"52:54:00:00:00:01\", \"addresses\": [\"10.0.0.2/24\"]}],"
	            " \"routes\": [{\"via\": \"10.0.0.1\"}], \"nameservers\": [\"1.1.1.1\"]}") == NULL);
	cmdline_set("console=ttyS0 postern.ip=10.5.0.2/24 postern.ip=fd05::2/64 postern.hostname=first postern.hostname=last postern.dns=9.9.9.9");
	config_cmdline(&c);
	CHECK_STR(c.hostname, "last");
	CHECK_INT(c.ifaces[0].naddrs, 2);
	CHECK_STR(c.ifaces[0].addrs[0], "10.5.0.2/24");
	CHECK_STR(c.ifaces[0].mac, "52:54:00:00:00:01");
	CHECK_STR(c.routes[0].via, "10.0.0.1"); // no postern.gw
	CHECK_INT(c.ndns, 1);
	CHECK_STR(c.dns[0], "9.9.9.9");
}

TEST("the command line alone configures the first Ethernet")
{
	memset(&c, 0, sizeof(c));
	cmdline_set("postern.ip=10.0.0.2/24 postern.gw=10.0.0.1 postern.gw=fd00::1");
	config_cmdline(&c);
	CHECK_INT(c.nifaces, 1);
	CHECK(c.ifaces[0].name == NULL && c.ifaces[0].mac == NULL);
	CHECK_INT(c.nroutes, 2);
	CHECK_STR(c.routes[1].via, "fd00::1");
}

TEST("words of the command line are whole words, quotes keep blanks, and the last of several counts")
{
	cmdline_set("root=/dev/vda xroot=no rootfstype=ext4 ro \"quoted=two words\" init=\"/a b\" root=/dev/vdb\n");
	CHECK_STR(cmdline_get("root", 0), "/dev/vda");
	CHECK_STR(cmdline_get("root", 1), "/dev/vdb");
	CHECK(cmdline_get("root", 2) == NULL);
	CHECK_STR(cmdline_last("root"), "/dev/vdb");
	CHECK_STR(cmdline_get("ro", 0), "");
	CHECK_STR(cmdline_get("quoted", 0), "two words");
	CHECK_STR(cmdline_get("init", 0), "/a b");
	CHECK(cmdline_get("rw", 0) == NULL);
}

int main(void)
{
	return test_main();
}
