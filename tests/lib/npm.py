"""Node programs of tests/npm, with the packages that they need.  A world has no way to the registry, so a test calls install() at its
top, before it enters one; what can't be installed is known inside as the reason to skip."""
import os
import subprocess

import ground
from report import Failed, Skipped

WHY = "POSTERN_TEST_NPM_MISSING"


def install():
    if "POSTERN_TEST_WORLD" in os.environ:
        return
    done = subprocess.run([os.path.join(ground.TOP, "tests/npm/install")], env=dict(os.environ, BUILD=ground.BUILD), capture_output=True, text=True)
    if done.returncode != 0:
        os.environ[WHY] = done.stderr.strip() or "exit %d" % done.returncode


def node(script, *arguments, stdin="", timeout=120):
    """Runs a program of tests/npm: (exit code, standard output, standard error)."""
    if WHY in os.environ:
        raise Skipped(os.environ[WHY])
    try:
        done = subprocess.run(["node", os.path.join(ground.BUILD, "npm", script), *arguments], input=stdin, capture_output=True, text=True, timeout=timeout)
    except FileNotFoundError:
        raise Skipped("no node")
    except subprocess.TimeoutExpired:
        raise Failed("%s took over %d s" % (script, timeout))
    return done.returncode, done.stdout, done.stderr
