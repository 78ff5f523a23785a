"""The API over TCP: only when configured, only with the token; taken away and changed by a reload."""

import http.client
import os
import socket
import unittest

from site_under_test import CONF, Site, wait_for

TOKEN = "correct-horse-battery-staple"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, path="/v1/summary", token=TOKEN, method="GET"):
    """(status, headers), or None when nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token is not None else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status, dict(answer.getheaders())
    except ConnectionError:
        return None
    finally:
        connection.close()


class OverTcp(unittest.TestCase):
    def test_only_with_the_token(self):
        with Site(CONF) as site:
            port = free_port()
            site.write("token", TOKEN + "\n", 0o600)
            site.configure(CONF + f"[http]\nlisten = 127.0.0.1:{port}\ntoken_file = {{root}}/token\n")
            site.start()
            self.assertEqual(ask(port)[0], 200)
            self.assertEqual(ask(port, "/metrics")[0], 200)
            for wrong in (None, "", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper()):
                status, headers = ask(port, token=wrong)
                self.assertEqual((status, headers.get("WWW-Authenticate")), (401, "Bearer"), wrong)
                self.assertEqual(ask(port, "/v1/stop", wrong, "POST")[0], 401)
            # Another token, and another port, without a restart.
            site.write("token", "another-token-for-everybody", 0o600)
            other = free_port()
            site.configure(CONF + f"[http]\nlisten = 127.0.0.1:{other}\ntoken_file = {{root}}/token\n")
            site.jobctl("reload")
            self.assertEqual(ask(other)[0], 401)
            self.assertEqual(ask(other, token="another-token-for-everybody")[0], 200)
            self.assertIsNone(ask(port))
            site.configure(CONF)
            site.jobctl("reload")
            self.assertIsNone(ask(other))
            self.assertEqual(site.jobctl("summary").returncode, 0)

    def test_without_a_good_token_mail_goes_on_without_it(self):
        with Site(CONF) as site:
            port = free_port()
            site.configure(CONF + f"[http]\nlisten = 127.0.0.1:{port}\ntoken_file = {{root}}/token\n")
            for text, mode in [(None, 0), ("short", 0o600), (TOKEN, 0o644)]:
                if text is not None:
                    os.path.exists(site.path("token")) and os.unlink(site.path("token"))
                    site.write("token", text, mode)
                checked = site.jobctl("check", check=False)
                self.assertEqual(checked.returncode, 78)
                self.assertIn(b"token", checked.stderr)
            site.start()
            wait_for("the log", lambda: "over TCP" in site.log())
            self.assertIsNone(ask(port))


if __name__ == "__main__":
    unittest.main()
