#!/usr/bin/env python3
"""run_page.py PAGE BUILD_DIR: does what a page of the documentation says, from top to bottom, as a reader would.

Installs BUILD_DIR below a temporary prefix and works in an empty directory beside it, with that prefix in PATH,
PKG_CONFIG_PATH and CMAKE_PREFIX_PATH. Every fenced block of the page must be one of

    ```LANGUAGE FILE     the text is written into FILE; sources in C and C++ must be compiled later on the page
    ```console           lines beginning with "$ " are commands, with "> " go on with the one before; all others
                         are what it prints. All of a page's commands run in one shell

In what is printed, "…" stands for anything within a line, and a line of just "…" for any lines; blanks in a row count
as one, since the width of a table's columns depends on what is in them. A command must end with
status 0. One that only looks (cat, grep, jobctl ls, …) is repeated for a while if it shows something else: mail takes its
time. Compilers add -Wall -Wextra -Werror to what the page says.

Prints what did not agree and exits 1, or a count of what did.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PATIENCE = 20  # seconds until a command that looks must have seen what the page shows
LOOKING = re.compile(r"(cat|ls|grep|tail|head|jobctl (ls|show|summary))\b[^>]*$")
WARNINGS = "-Wall -Wextra -Werror"


def blocks(page):
    """(line number, info string, text) of each fenced block."""
    found, info, start, lines = [], None, 0, []
    with open(page, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.startswith("```"):
                lines.append(line)
            elif info is None:
                info, start, lines = line[3:].strip(), number, []
            else:
                found.append((start, info, "".join(lines)))
                info = None
    assert info is None, f"{page}:{start}: this block has no end"
    return found


def session(start, text):
    """(line number, command, lines that it should print) of a console block."""
    steps = []
    for number, line in enumerate(text.splitlines(), start + 1):
        if line.startswith("$ "):
            steps.append([number, line[2:], []])
        elif re.match(r">( |$)", line) and steps and not steps[-1][2]:
            steps[-1][1] += "\n" + line[2:]
        else:
            assert steps, f"line {number}: what is printed comes before any command"
            steps[-1][2].append(line)
    return steps


def one_blank(text):
    return re.sub(" +", " ", text)


def pattern(expected):
    """A regular expression for the lines that a page shows."""
    made = ""
    for line in map(one_blank, expected):
        made += "(.*\n)*?" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + "\n"
    return re.compile(made)


class Shell:
    """A bash that is given commands one by one, and says after each with which status it ended."""
    END = "\x01status"

    def __init__(self, directory, env):
        commands, self.commands = os.pipe()
        script = f"while IFS= read -r -d '' c <&{commands}; do eval \"$c\"; printf '{self.END} %d\\n' $?; done"
        self.process = subprocess.Popen(["bash", "--norc", "-c", script], cwd=directory, env=env, pass_fds=[commands],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, start_new_session=True)
        os.close(commands)

    def run(self, command):
        """(status, what it printed)"""
        os.write(self.commands, command.encode() + b"\0")
        printed = ""
        for line in self.process.stdout:
            text, end, status = line.partition(self.END)
            printed += text
            if end:
                return int(status), printed if not text else printed + "\n"
        raise AssertionError(f"the shell ended in: {command}\n{printed}")

    def close(self):
        os.close(self.commands)
        self.process.kill()
        self.process.wait()


def run_step(shell, command, expected):
    """None, or what was wrong."""
    deadline = time.monotonic() + (PATIENCE if LOOKING.match(command) else 0)
    while True:
        status, printed = shell.run(command)
        if status == 0 and pattern(expected).fullmatch(one_blank(printed)):
            return None
        if time.monotonic() > deadline:
            return f"ended with {status} and printed\n{printed}--- but the page shows\n" + "\n".join(expected)
        time.sleep(0.05)


def compilers(directory, log):
    """Programs named as compilers are, which add warnings and write down what they are given."""
    for name, variable in (("c++", "CXX"), ("g++", "CXX"), ("cc", "CC"), ("gcc", "CC")):
        path = os.path.join(directory, name)
        compiler = shutil.which(os.environ.get(variable, name))
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'#!/bin/sh\necho "$*" >>{log}\nexec {compiler} {WARNINGS} "$@"\n')
        os.chmod(path, 0o755)


def kill_all_of(directory):
    """Ends what still runs for this page: it has the directory in its environment."""
    mark = directory.encode() + b"/"
    left = True
    while left:
        left = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if mark in f.read() and int(pid) != os.getpid():
                        left.append(int(pid))
                        os.kill(int(pid), signal.SIGKILL)
            except OSError:
                continue
        time.sleep(0.01)


def main(page, build):
    work = tempfile.mkdtemp(prefix="jobctl-page-")
    failures, commands, sources = [], 0, []
    try:
        prefix, tools, home, log = (os.path.join(work, n) for n in ("prefix", "tools", "home", "compiled"))
        os.mkdir(tools), os.mkdir(home)
        subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        compilers(tools, log)
        pkgconfig = next(d for d, _, files in os.walk(prefix) if "mta.pc" in files)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("JOBCTL_", "PMDF_", "MAKE", "CXX", "CC"))}
        env.update(PATH=f"{tools}:{prefix}/bin:{env['PATH']}", PKG_CONFIG_PATH=pkgconfig, CMAKE_PREFIX_PATH=prefix,
                   HOME=home, LC_ALL="C.UTF-8", TMPDIR=work)
        shell = Shell(home, env)
        for start, info, text in blocks(page):
            language, _, name = info.partition(" ")
            if name:
                os.makedirs(os.path.dirname(os.path.join(home, name)), exist_ok=True)
                with open(os.path.join(home, name), "w", encoding="utf-8") as f:
                    f.write(text)
                sources += [(start, name)] if language in ("c", "cpp") else []
            elif language != "console":
                failures.append(f"{page}:{start}: a block that is neither a file nor a session cannot be tested")
                continue
            for number, command, expected in session(start, text) if not name else []:
                commands += 1
                wrong = run_step(shell, command, expected)
                if wrong:
                    failures.append(f"{page}:{number}: {command}\n{wrong}")
            if len(failures) > 2:
                break
        shell.close()
        with open(log, "a+", encoding="utf-8") as f:
            f.seek(0)
            compiled = f.read()
        failures += [f"{page}:{n}: {name} is compiled nowhere" for n, name in sources
                     if not re.search(rf"(^|[ /]){re.escape(os.path.basename(name))}( |$)", compiled, re.MULTILINE)]
        if failures and os.path.exists(os.path.join(home, "serve.log")):
            with open(os.path.join(home, "serve.log"), encoding="utf-8") as f:
                failures.append("the controller's log:\n" + f.read()[-3000:])
    finally:
        kill_all_of(work)
        if not os.environ.get("JOBCTL_KEEP"):
            shutil.rmtree(work, ignore_errors=True)
    print("\n\n".join(failures) or f"{commands} commands, {len(sources)} sources")
    return 1 if failures or commands == 0 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
