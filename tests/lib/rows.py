"""The rows of proto/rpc.def as the C preprocessor sees them: an independent reading, by none of the project's own tables."""
import collections
import os
import re
import subprocess

import ground

Field = collections.namedtuple("Field", "name kind list need max")
Kind = collections.namedtuple("Kind", "name cls min max pattern allowed")
Method = collections.namedtuple("Method", "name right params result page")  # page: the member of the result that is paged, or None

MACROS = r"""
#define KIND(id, ctype, class, min, max, pattern, allowed) @ ("KIND", #id, #class, str(min), str(max), #pattern, allowed),
#define ENUM(id, doc) @ ("ENUM", #id),
#define VALUE(id, name, text) @ ("VALUE", #id, text),
#define OBJECT(id, doc) @ ("OBJECT", #id),
#define MEMBER(obj, kind, name, need, doc) @ ("FIELD", #name, #kind, False, #need, 0),
#define MEMBER_LIST(obj, kind, name, need, max, doc) @ ("FIELD", #name, #kind, True, #need, max),
#define METHOD(id, name, right, doc) @ ("METHOD", name, #right),
#define PARAM(id, kind, name, need, doc) @ ("PARAM", #name, #kind, False, #need, 0),
#define PARAM_LIST(id, kind, name, need, max, doc) @ ("PARAM", #name, #kind, True, #need, max),
#define RESULT(id, kind, name, need, doc) @ ("RESULT", #name, #kind, False, #need, 0),
#define RESULT_LIST(id, kind, name, need, doc) @ ("RESULT", #name, #kind, True, #need, 0),
#define RESULT_PAGE(id, kind, name, key, doc) @ ("PAGE", #name, #kind, True, "REQ", 0),
#include "proto/rpc.def"
"""

INT64 = {"INT64_MIN": -2**63, "INT64_MAX": 2**63 - 1}


def number(text):
    return INT64[text] if text in INT64 else int(text)


def preprocessed():
    done = subprocess.run([os.environ.get("CC", "gcc"), "-E", "-P", "-x", "c", "-I", ground.TOP, "-"], input=MACROS, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError("the rows don't pass the preprocessor: " + done.stderr)
    text = re.sub(r"\bstr\(([^()]*)\)", r'"\1"', done.stdout.replace("\n", " "))
    return [eval(item.strip().rstrip(",")) for item in re.split(r"\s@ |^@ ", text) if item.strip()]


def read():
    """(methods by name, kinds by name, words of enumerations by name, fields of objects by name), all in the rows' order."""
    methods, kinds, enums, objects = {}, {}, {}, {}
    for row in preprocessed():
        what, rest = row[0], row[1:]
        if what == "KIND":
            pattern = None if rest[4] == "NULL" else eval(rest[4])
            kinds[rest[0]] = Kind(rest[0], rest[1], number(rest[2]), number(rest[3]), pattern, rest[5])
        elif what == "ENUM":
            enums[rest[0]] = []
        elif what == "VALUE":
            enums[rest[0]].append(rest[1])
        elif what == "OBJECT":
            last = objects[rest[0]] = []
        elif what == "FIELD":
            last.append(Field(*rest))
        elif what == "METHOD":
            method = Method(rest[0], rest[1], [], [], [])
            methods[rest[0]] = method
        elif what == "PARAM":
            method.params.append(Field(*rest))
        else:
            method.result.append(Field(*rest))
            if what == "PAGE":
                method.page.append(rest[0])
    return methods, kinds, enums, objects


def all_params(method):
    """The parameters of a method, with those that the machinery adds."""
    more = [Field("dry_run", "flag", False, "OPT", 0)] if method.right != "READ" else []
    if method.page:
        more += [Field("limit", "limit", False, "OPT", 0), Field("cursor", "str", False, "OPT", 0)]
    return method.params + more


# ---- values --------------------------------------------------------------------------------------------------------------------------------

# One right value of each scalar kind; the names are of things that aren't there.
GOOD = {
    "str": "x", "blob": "x", "id": "no-such-id", "name": "no-such-vm", "ifname": "pt-br-none", "cidr": "10.77.0.1/24", "destination": "10.77.0.0/16", "ip": "10.77.0.2",
    "mac": "02:00:00:00:00:77", "relpath": "no/such", "abspath": "/no/such", "comment": "a comment", "word": "a=b", "port_range": "8000-8100", "mtu": 1400, "uid": 900001,
    "mib": 64, "pids": 32, "ms": 1000,
}

# What a pattern can't say of a kind, and posternd says all the same.
SUBTLE = {
    "ip": ["10.0.0.256", "1.2.3", ":::", "1.2.3.4.5"],
    "cidr": ["10.0.0.0/33", "10.0.0.0/024", "fd00::/129", "1.2.3/24", "10.0.0.0/1000", "::/99999999999999999999"],
    "port_range": ["2-1", "1-65536", "70000-70001"],
    "destination": ["Default", "10.0.0.0/33", "fd00::/129", "default/0"],
    "mac": ["01:00:00:00:00:01", "00:00:00:00:00:00"],
    "ifname": [".", ".."],
    "relpath": ["..", ".", "../x", "a/../b", "a/..", "./a", "a//b", "a/"],
    "abspath": ["/..", "/a/../b", "/a/./b", "/a//b", "/a/"],
}

TEXTS = ["", "\n", "a\nb", "a\x7f", "a b", "é", "a;b", "/", "/a", "-", "-a", "A", "a_b", "..", "a/b", "$(id)", "a'", "zz:zz", "\u202e"]
LIST_MAX = 65536
REQUEST_MAX = 1 << 20


def good(field):
    if field.list:
        return [good(field._replace(list=False))]
    kinds, enums, objects = TABLES[1:]
    if field.kind in enums:
        return enums[field.kind][0]
    if field.kind in objects:
        return {f.name: good(f) for f in objects[field.kind] if f.need == "REQ"}
    return good_scalar(kinds[field.kind])


def good_scalar(kind):
    """A kind that GOOD doesn't name gets what its class allows; one with a pattern needs its line there."""
    if kind.name in GOOD:
        return GOOD[kind.name]
    if kind.cls == "TEXT":
        if not matches(kind, "x"):
            raise KeyError("GOOD of tests/lib/rows.py has no right value of the kind " + kind.name)
        return "x"
    return {"INT": min(max(1, kind.min), kind.max), "NUM": 1.5, "FLAG": False, "MAP": {"a": "b"}, "RAW": [1]}[kind.cls]


def example(method):
    """Parameters of a call that the rows allow."""
    return {f.name: good(f) for f in method.params if f.need == "REQ"}


def matches(kind, text):
    if kind.pattern is None:
        return True
    return re.search(kind.pattern.replace("[:cntrl:]", "\\x00-\\x1f\\x7f").replace("$", "\\Z"), text) is not None


# Something wrong for a field: the value, whether a JSON schema can say that it is wrong, the place in the parameters that is to blame, and
# the words in which an error says what would be right.
Wrong = collections.namedtuple("Wrong", "value plain blame allowed")


def wrong_texts(kind):
    for text in TEXTS:
        if not matches(kind, text) or len(text.encode()) < kind.min:
            yield text, "[:" not in (kind.pattern or "") or len(text) < kind.min
    if kind.max < REQUEST_MAX:
        yield good_scalar(kind)[:1] * (kind.max + 1), True
    for text in SUBTLE.get(kind.name, ()):
        yield text, False


def wrong_numbers(kind):
    if kind.min > -2**63:
        yield kind.min - 1, True
    if kind.max < 2**63 - 1:
        yield kind.max + 1, True


def wrong_scalars(kind, name):
    right = {"TEXT": (str,), "INT": (int,), "NUM": (int, float), "FLAG": (bool,), "MAP": (), "RAW": None}[kind.cls]
    if right is None:
        return
    for value in ("x", 1, 1.5, True, [], {}, ["x"], {"x": "y"}):
        if type(value) not in right and not (kind.cls == "MAP" and isinstance(value, dict)):
            yield Wrong(value, True, name, kind.allowed)
    for value, plain in wrong_texts(kind) if kind.cls == "TEXT" else wrong_numbers(kind) if kind.cls == "INT" else ():
        yield Wrong(value, plain, name, kind.allowed)
    if kind.cls == "MAP":
        for inner in (None, 1, [], {}):
            yield Wrong({"a": "b", "c": inner}, True, name + ".c", "a string")
        yield Wrong({"k%d" % i: "v" for i in range(kind.max + 1)}, False, name, "at most %d" % kind.max)


def wrong_list(field, name):
    most = field.max or LIST_MAX
    for value in ("x", 1, True, {}):
        yield Wrong(value, True, name, "a list of at most %d" % most)
    one = field._replace(list=False, need="REQ")
    if most * (len(str(good(one))) + 4) < REQUEST_MAX:
        yield Wrong([good(one)] * (most + 1), bool(field.max), name, "a list of at most %d" % most)
    for w in wrong(one, name + "[0]"):
        yield w._replace(value=[w.value])
    if most > 1:
        for w in wrong(one, name + "[1]"):
            yield w._replace(value=[good(one), w.value])


def wrong_object(field, name):
    members = TABLES[3][field.kind]
    for value in ("x", 1, True, []):
        yield Wrong(value, True, name, "an object")
    yield Wrong(dict(good(field), nonsense=1), False, name + ".nonsense", "allowed: " + ", ".join(m.name for m in members))
    for member in members:
        for w in wrong(member, name + "." + member.name):
            yield w._replace(value=dict(good(field), **{member.name: w.value}))


def wrong(field, name=None):
    """Everything that is wrong for a field by its row: wrong types, sizes, characters, words, members."""
    kinds, enums, objects = TABLES[1:]
    name = name or field.name
    if field.need == "REQ" and not (field.kind in kinds and kinds[field.kind].cls == "RAW"):
        yield Wrong(None, True, name, "a list of" if field.list else kinds[field.kind].allowed if field.kind in kinds else "")
    if field.list:
        yield from wrong_list(field, name)
    elif field.kind in enums:
        words = enums[field.kind]
        for value in ("", "nonsense", words[0] + "x", words[0].swapcase(), 0, True, [], {}):
            yield Wrong(value, True, name, "one of " + ", ".join('"%s"' % w for w in words))
    elif field.kind in objects:
        yield from wrong_object(field, name)
    else:
        yield from wrong_scalars(kinds[field.kind], name)


TABLES = read()
