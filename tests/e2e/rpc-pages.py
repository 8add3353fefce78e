#!/usr/bin/python3
"""Every list that the rows page: page by page it is the whole list, in the order of its key, whatever the size of a page."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
import ground
import ovs
import rows
from e2e import call, equal, invalid, test, want

e2e.enter()


def keys():
    """{method: member that sorts its list}, from the rows."""
    found = {}
    for name in sorted(os.listdir(os.path.join(ground.TOP, "proto/rpc"))):
        with open(os.path.join(ground.TOP, "proto/rpc", name)) as f:
            text = f.read()
        methods = dict(re.findall(r'^METHOD\s*\((\w+),\s*"([\w.]+)"', text, re.M))
        found.update((methods[m], key) for m, key in re.findall(r"^RESULT_PAGE\s*\((\w+), \w+, \w+, (\w+),", text, re.M))
    return found


KEYS = keys()
PAGED = [m for m in rows.TABLES[0].values() if m.page]


def elements(method, **params):
    """(keys of the elements, next_cursor)."""
    answer = call(method.name, **params)
    return [e[KEYS[method.name]] for e in answer[method.page[0]]], answer.get("next_cursor")


def walked(method, limit):
    """All keys, page by page."""
    found, cursor, pages = [], None, 0
    while True:
        page, cursor = elements(method, limit=limit, **({"cursor": cursor} if cursor is not None else {}))
        want(len(page) <= limit, "%s: a page of %d, limit %d" % (method.name, len(page), limit))
        want(page or cursor is None, "%s: an empty page that isn't the last" % method.name)
        found += page
        pages += 1
        want(pages < 1000, "%s never ends" % method.name)
        if cursor is None:
            return found


def still(method, look):
    """(all keys of a list, what look() gives while it is the same): the kernel changes some lists by itself."""
    for _ in range(50):
        before, cursor = elements(method)
        equal(cursor, None, "next_cursor of the whole %s" % method.name)
        seen = look()
        if elements(method)[0] == before:
            return before, seen
    raise e2e.Failed("%s never stays the same" % method.name)


@test("there are lists to page, and things to list")
def _():
    equal(sorted(KEYS), sorted(m.name for m in PAGED), "the paged methods")
    want(len(PAGED) >= 5, "only %d" % len(PAGED))
    for i in range(12):  # 10 and 11 come before 2, where names are sorted as names
        call("net.bridge.add", name="pt-br%d" % i, address="10.40.%d.1/24" % i)
        call("net.vm.create_tap", name="pt-tap%d" % i, bridge="pt-br%d" % i)
    ovs.start()
    for i in range(3):
        ovs.bridge("page%d" % i)
    if os.path.exists(ground.HOME + "/images/default/kernel"):
        for i in range(12):
            call("compute.vm.create", name="page-%d" % i)


@test("each list is the same list page by page, for pages of 1, 2, 3, 7 and 10000")
def _():
    for method in PAGED:
        for limit in (1, 2, 3, 7, 10000):
            whole, pages = still(method, lambda method=method, limit=limit: walked(method, limit))
            equal(len(whole), len(set(whole)), "the number of different keys of %s" % method.name)
            equal(pages, whole, "%s by pages of %d" % (method.name, limit))


@test("each list is sorted by its key")
def _():
    for method in PAGED:
        whole = elements(method)[0]
        equal(whole, sorted(whole), "the order of " + method.name)


@test("a page goes on behind its cursor though the element that it names is gone")
def _():
    method = rows.TABLES[0]["net.vm.list"]
    whole = elements(method)[0]
    page, cursor = elements(method, limit=3)
    call("net.vm.delete_tap", name=page[-1])
    equal(elements(method, limit=3, cursor=cursor)[0], whole[3:6], "the second page")


@test("a cursor that no answer gave does no harm: a list that ends, or an error that names it")
def _():
    for method in PAGED:
        for cursor in ("", "x", "~", "\u00e9", "-1", "99999999999999999999", "9" * 60000, " 1", "1 ", "0x1", "'; DROP TABLE tap; --"):
            try:
                whole, got = still(method, lambda method=method, cursor=cursor: elements(method, cursor=cursor, limit=2)[0])
            except e2e.Error as e:
                want(e.code == -32602 or e.data.get("kind") == "not_found", "the code of %s" % e)
                want("cursor" in e.message, "%s doesn't name the cursor" % e)
                continue
            want(set(got) <= set(whole), "%s by cursor %.20r gave %s" % (method.name, cursor, got))


@test("a limit outside of 1 to 10000 is refused in each")
def _():
    for method in PAGED:
        for limit in (0, -1, 10001):
            invalid(method.name, "limit", limit=limit)


e2e.main()
