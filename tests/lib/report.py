"""How test programs in python report: a test is a function, its name a sentence, its line of output `ok - sentence`, or `not ok - sentence: reason`."""
import sys


class Failed(Exception):
    """A test's reason to fail."""


class Skipped(Exception):
    """What this machine lacks for the test."""


tests = []


def test(sentence):
    def keep(function):
        tests.append((sentence, function))
        return function
    return keep


def want(condition, reason):
    if not condition:
        raise Failed(reason)


def equal(got, wanted, what="value"):
    if got != wanted:
        raise Failed("%s is %r, not %r" % (what, got, wanted))


def main(clear=None):
    """Runs the tests; arguments pick those whose sentence contains one of them.  clear() is called after one that failed."""
    failed = 0
    for sentence, function in tests:
        if len(sys.argv) > 1 and not any(a in sentence for a in sys.argv[1:]):
            continue
        try:
            function()
            print("ok - " + sentence)
        except Skipped as e:
            print("ok - %s # SKIP %s" % (sentence, e))
        except Exception as e:
            failed += 1
            reason = str(e) if isinstance(e, Failed) else "%s: %s" % (type(e).__name__, e)
            print("not ok - %s: %s" % (sentence, reason.replace("\n", " / ")))
            if not isinstance(e, Failed):
                import traceback
                traceback.print_exc(file=sys.stdout)
            if clear is not None:
                clear()
        sys.stdout.flush()
    sys.exit(1 if failed else 0)
