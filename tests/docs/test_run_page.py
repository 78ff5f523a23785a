"""run_page.py notices when a page is wrong: its own test."""

import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ["JOBCTL_BUILD"]


class Pages(unittest.TestCase):
    def run_page(self, *blocks):
        """(exit status, what it says) of a page that is made of the blocks."""
        with tempfile.NamedTemporaryFile("w", suffix=".md") as page:
            page.write("".join(f"text\n\n```{block}```\n" for block in blocks))
            page.flush()
            done = subprocess.run([sys.executable, os.path.join(HERE, "run_page.py"), page.name, BUILD], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    def test_a_page_that_is_right(self):
        status, said = self.run_page(
            "c hello.c\n#include <mtasdk.h>\n#include <stdio.h>\nint main(void) { puts(mtaStrError(0, 0)); return 0; }\n",
            "console\n$ cc -o hello hello.c $(pkg-config --cflags --libs mta) \\\n"
            "> -Wl,-rpath,$(pkg-config --variable=libdir mta)\n$ here=$PWD\n",
            "console\n$ ./hello\n…ucc…\n$ printf 'a\\nb\\nc\\n'; echo $here\n…\nc\n/…\n")
        self.assertEqual((0, "4 commands, 1 sources\n"), (status, said))

    def wrong(self, text, *blocks):
        status, said = self.run_page(*blocks)
        self.assertEqual(1, status)
        self.assertIn(text, said)

    def test_another_output(self):
        self.wrong("ended with 0 and printed\nb\n", "console\n$ echo b\na\n")

    def test_an_output_that_is_not_shown(self):
        self.wrong("printed\nb\n", "console\n$ echo b\n")

    def test_a_command_that_fails(self):
        self.wrong("ended with 3", "console\n$ (exit 3)\n")

    def test_a_source_that_nobody_compiles(self):
        self.wrong("a.cpp is compiled nowhere", "cpp a.cpp\nint main() {}\n", "console\n$ cc --version\n…\n")

    def test_a_source_with_a_warning(self):
        self.wrong("unused", "c a.c\nint main(void) { int i; return 0; }\n", "console\n$ cc a.c\n")

    def test_a_block_that_is_no_test(self):
        self.wrong("neither a file nor a session", "cpp\nint i;\n", "console\n$ cc --version\n…\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
