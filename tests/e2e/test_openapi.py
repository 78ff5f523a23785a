"""docs/openapi.json is the API: every route of the controller is in it, and the other way round; answers have the fields
that it says, and no others; docs/api.md names every path."""

import json
import os
import re
import socket
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def read(*path):
    with open(os.path.join(TREE, *path)) as f:
        return f.read()


DESCRIPTION = json.loads(read("docs", "openapi.json"))
# {method::get, 3, "messages", "", get_message, {"now"}}: segments of the path, the one behind v1, the last of four.
ROUTE = re.compile(r'\{method::(\w+), (\d), "([^"]*)", "([^"]*)",\s*(?:\w+|\[\][^\n]*?\}),\s*\{([^}]*)\}(, true)?\}')


def routes():
    """{(method, path with {} for a parameter): parameters in the query; None: the handler checks them itself}"""
    found = {}
    for method, segments, first, last, parameters, own in ROUTE.findall(read("jobctl", "admin", "handlers.cpp")):
        path = {1: f"/{first}", 2: f"/v1/{first}", 3: f"/v1/{first}/{{}}", 4: f"/v1/{first}/{{}}/{last}"}[int(segments)]
        found[method, path] = None if own else set(re.findall(r'"(\w+)"', parameters))
    # Orders are verbs where ids stand.
    verbs = re.search(r"verb v : \{([^}]*)\}", read("jobctl", "admin", "order_request.cpp"))[1]
    found.update({("post", f"/v1/messages/{verb}"): set() for verb in re.findall(r"verb::(\w+)", verbs)})
    # A selection, and the page of it.
    selection = re.findall(r'^    \{"(\w+)",', read("jobctl", "admin", "selection.cpp"), re.MULTILINE)
    found["get", "/v1/messages"] = set(selection) | {"limit", "cursor"}
    return found


def documented():
    found = {}
    for path, methods in DESCRIPTION["paths"].items():
        for method, operation in methods.items():
            query = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
            found[method, re.sub(r"\{\w+\}", "{}", path)] = query
    return found


def resolve(schema):
    while "$ref" in schema:
        schema = DESCRIPTION["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
         "null": type(None)}


def problems(value, schema, where):
    """What of the value is not as the schema says. A schema without properties says nothing about fields."""
    schema = resolve(schema)
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, TYPES[t]) and not (t != "boolean" and isinstance(value, bool)) for t in types):
        return [f"{where}: {value!r} is not {types}"]
    if isinstance(value, list):
        return [p for item in value for p in problems(item, schema["items"], where + "[]")]
    if not isinstance(value, dict) or not schema.get("properties"):
        return []
    found = [f"{where}: {name} is not documented" for name in value if name not in schema["properties"]]
    for name, part in value.items():
        if name in schema["properties"]:
            found += problems(part, schema["properties"][name], f"{where}.{name}")
    return found


def ask(site, path, method="GET", body=""):
    """(status, content type, body)"""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(site.path("run", "api.sock"))
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    kind = re.search(rb"Content-Type: ([^;\r]+)", head)
    return head.split()[1].decode(), kind[1].decode(), body


class OpenApi(unittest.TestCase):
    def test_routes_are_those_of_the_controller(self):
        ours, theirs = routes(), documented()
        self.assertGreater(len(ours), 10)
        self.assertEqual(set(ours), set(theirs))
        for route, parameters in ours.items():
            if parameters is not None:
                self.assertEqual(parameters, theirs[route], route)

    def test_the_page_names_every_path(self):
        page = read("docs", "api.md")
        for path in DESCRIPTION["paths"]:
            words = [w for w in path.split("/") if w and not w.startswith("{")]
            for word in words:
                self.assertRegex(page, rf"/{re.escape(word)}\b", path)

    def test_answers_are_as_documented(self):
        with Site(CONF) as site:
            site.start()
            site.jobctl("stop", "--channel", "maildir")
            site.submit(message("x@mail.example"))
            site.submit(message("x@bits.example"))
            waiting = wait_for("the message", lambda: site.ls("--channel", "maildir"))[0]
            wait_for("the end of the other", lambda: site.figures("bitbucket").get("finished") == 1)
            wait_for("the index", lambda: json.loads(ask(site, "/v1/status")[2])["scan"]["complete"])
            names = {"{ID}": waiting["id"], "{NAME}": "maildir", "{WHAT}": "maildir"}
            for path, methods in DESCRIPTION["paths"].items():
                for method, operation in methods.items():
                    # What stops the controller comes last, elsewhere; what needs a body or a filter is tested elsewhere, too.
                    if path == "/v1/stop" or (method == "post" and path not in ("/v1/reload", "/v1/channels/{NAME}/run")):
                        continue
                    target = re.sub(r"\{\w+\}", lambda m: names[m[0]], path)
                    with self.subTest(f"{method} {target}"):
                        status, kind, body = ask(site, target, method.upper())
                        self.assertIn(status, operation["responses"])
                        content = operation["responses"][status]["content"]
                        self.assertIn(kind, content)
                        if kind == "application/json":
                            self.assertEqual(problems(json.loads(body), content[kind]["schema"], ""), [])
                        elif kind == "application/x-ndjson":
                            for line in body.splitlines():
                                self.assertEqual(problems(json.loads(line), content[kind]["schema"], ""), [])
            body = json.dumps({"ids": [waiting["id"]]})
            status, kind, body = ask(site, "/v1/messages/hold", "POST", body)
            self.assertEqual(status, "200", body)
            report = DESCRIPTION["paths"]["/v1/messages/hold"]["post"]["responses"]["200"]["content"][kind]["schema"]
            self.assertEqual(problems(json.loads(body), report, ""), [])
            status, kind, body = ask(site, "/v1/messages?limit=no")
            error = DESCRIPTION["paths"]["/v1/messages"]["get"]["responses"][status]["content"][kind]["schema"]
            self.assertEqual(problems(json.loads(body), error, ""), [])


if __name__ == "__main__":
    unittest.main()
