"""The example programs of docs/mta-sdk.md, and how a user would build them: with the warnings of a strict user, against
the header and the shared library."""

import os
import re
import subprocess

from site_under_test import BUILD

SOURCE = os.environ.get("JOBCTL_SOURCE") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
LANGUAGES = {
    "c89": ["-x", "c", "-std=c89"],
    "c99": ["-x", "c", "-std=c99"],
    "cxx98": ["-x", "c++", "-std=c++98"],
    "cxx20": ["-x", "c++", "-std=c++20"],
}
# A site without other channels; retries only when a test asks for them.
SITE = """\
[jobctl]
host = compat.example
builtin = no
stop_timeout = 60s

[queue]
reserve = 1M

[dequeue]
retry_interval = 1s
max_attempts = {attempts}
"""
MANUAL = os.path.join(SOURCE, "docs", "mta-sdk.md")


def example(name):
    """The program of that name: a file of programs/, or as it is printed in the manual."""
    path = os.path.join(os.path.dirname(__file__), "programs", name)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            return f.read()
    with open(MANUAL, encoding="utf-8") as f:
        found = re.findall(rf"^```c {re.escape(name)}\n(.*?)^```$", f.read(), re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{len(found)} programs {name} in {MANUAL}"
    return found[0]


def build(name, language, directory):
    """Compiles the example, once; returns the path of the program. AssertionError with the compiler's words."""
    program = os.path.join(directory, f"{name.removesuffix('.c')}_{language}")
    if os.path.exists(program):
        return program
    compiler = os.environ.get("CXX", "c++") if language.startswith("cxx") else os.environ.get("CC", "cc")
    library = os.path.join(BUILD, "libmta")
    done = subprocess.run(
        [compiler, *LANGUAGES[language], *WARNINGS, "-g", "-I", os.path.join(SOURCE, "include"), "-o", program, "-",
         "-x", "none", "-L", library, "-lmta", f"-Wl,-rpath,{library}"],
        input=example(name), text=True, capture_output=True)
    assert done.returncode == 0, f"{name} as {language}:\n{done.stderr}"
    return program
