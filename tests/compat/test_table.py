"""The tables of docs/mta-sdk.md against the header, the library and the tests: nothing is missing in any of them.

By hand: JOBCTL_BUILD=build/release python3 tests/compat/test_table.py"""

import glob
import os
import re
import subprocess
import unittest

SOURCE = os.environ.get("JOBCTL_SOURCE") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("JOBCTL_BUILD") or os.path.join(SOURCE, "build", "release")


def read(*names):
    with open(os.path.join(SOURCE, *names), encoding="utf-8") as f:
        return f.read()


def rows(heading, columns):
    """The rows of the table below a heading of the page: for each the contents of its cells."""
    page = read("docs", "mta-sdk.md")
    found = re.search(rf"^### {heading}$(.*?)^##", page, re.MULTILINE | re.DOTALL)
    assert found, f"docs/mta-sdk.md has no section {heading}"
    table = [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
             for line in found[1].splitlines() if line.startswith("| `")]
    assert all(len(row) == columns for row in table), [row for row in table if len(row) != columns]
    return table


def header_text():
    return re.sub(r"/\*.*?\*/", "", read("include", "mtasdk.h"), flags=re.DOTALL)


def test_cases():
    names = set()
    for path in glob.glob(os.path.join(SOURCE, "tests", "**", "*"), recursive=True):
        if path.endswith((".cpp", ".hpp", ".py")):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            names.update(re.findall(r"BOOST_(?:AUTO|FIXTURE|DATA)_TEST_CASE\(\s*(\w+)", text))
            names.update(re.findall(r"^\s+def (test_\w+)\(", text, re.MULTILINE))
    return names


def text_of_test(name):
    """The body of a Boost.Test case, or of a test script."""
    for path in glob.glob(os.path.join(SOURCE, "tests", "**", "*"), recursive=True):
        if path.endswith((".cpp", ".py")):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            if found := re.search(rf"TEST_CASE\(\s*{name}\b.*?(?=^BOOST_AUTO_TEST|\Z)", text, re.MULTILINE | re.DOTALL):
                yield found[0]
            elif re.search(rf"def {name}\(", text):
                yield text


class Table(unittest.TestCase):
    def same(self, expected, found, what):
        lines = [f"{what}: not there: {name}" for name in sorted(set(expected) - set(found))]
        lines += [f"{what}: unknown: {name}" for name in sorted(set(found) - set(expected))]
        self.assertFalse(lines, "\n" + "\n".join(lines))

    def routines(self):
        return re.findall(r"MTASDK_EXPORT[^;]*?\b(mta\w+)\(", header_text())

    def constants(self):
        return re.findall(r"^#define (MTA_[A-Z0-9_]+)\b", header_text(), re.MULTILINE)

    def test_every_routine_of_the_header_is_in_the_table_and_in_the_library(self):
        table = [row[0] for row in rows("Routines", 3)]
        self.same(self.routines(), table, "table of routines")
        self.assertEqual(len(table), len(set(table)), "a routine is there twice")
        symbols = subprocess.run(["nm", "-D", "--defined-only", os.path.join(BUILD, "libmta", "libmta.so")],
                                 check=True, capture_output=True, text=True).stdout
        exported = {line.split()[-1].split("@")[0] for line in symbols.splitlines()}
        self.same(self.routines(), [name for name in exported if re.fullmatch(r"mta[A-Z]\w*", name)], "libmta.so")

    def test_every_constant_of_the_header_is_in_the_table(self):
        table = [row[0] for row in rows("Constants", 3)]
        self.same(self.constants(), table, "table of constants")
        self.assertEqual(len(table), len(set(table)), "a constant is there twice")

    def test_every_error_that_the_header_documents_is_in_the_table(self):
        listed = {(routine, code) for routine, code, _ in rows("Errors", 3)}
        self.assertFalse({r for r, _ in listed} - set(self.routines()), "errors of unknown routines")
        statuses = [name for name in self.constants()[:self.constants().index("MTA_TIMEDOUT") + 1]]
        self.assertFalse({c for _, c in listed} - set(statuses), "codes that are no statuses")
        documented = set()
        for comment, routine in re.findall(r"/\*((?:(?!\*/).)*?)\*/\s*MTASDK_EXPORT[^;]*?\b(mta\w+)\(",
                                           read("include", "mtasdk.h"), re.DOTALL):
            words = re.split(r"Errors:|NULL:", re.sub(r"\([^()]*\)", "", comment))[1:]
            for code in re.findall(r"\bMTA_[A-Z]+\b", " ".join(words)):
                if code in statuses and code != "MTA_OK":
                    documented.add((routine, code))
        # "Nobody else may use it" is one mechanism; the table has it where the manual has it.
        lines = [f"{routine}: {code}" for routine, code in sorted(documented - listed)
                 if code != "MTA_THREAD" and (routine, code) not in NOT_PROVOKED]
        self.assertFalse(lines, "\nerrors of the header that no test provokes:\n" + "\n".join(lines))

    def test_every_test_that_is_named_exists_and_has_to_do_with_what_it_shows(self):
        known = test_cases()
        named = [(row[0], row[-1]) for heading in ("Routines", "Errors", "Constants") for row in rows(heading, 3)]
        lines = [f"{name}: no test {test}" for name, test in named if test not in known]
        self.assertFalse(lines, "\n" + "\n".join(lines))
        lines = []
        for routine, code, test in rows("Errors", 3):
            bodies = list(text_of_test(test))
            if not any(code in body for body in bodies):
                lines.append(f"{routine}: {test} does not say {code}")
        self.assertFalse(lines, "\n" + "\n".join(lines))


# Errors that the header names and nothing outside can bring about; the manual says so.
# (mtaOptionInt's comment is for mtaOptionString, too.)
NOT_PROVOKED = {("mtaEnqueueFinish", "MTA_NO"), ("mtaOptionInt", "MTA_STRTRU")}


if __name__ == "__main__":
    unittest.main()
