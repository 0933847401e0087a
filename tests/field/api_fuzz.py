"""Calls the whole API of a running demonstration as a person of each role would have a program do it: schemathesis makes
the requests from the document that the daemon serves, openapi-spec-validator judges the document.

    api_fuzz.py http://127.0.0.1:PORT WORK_FOLDER < lines "role link"

Prints one line for each thing tried and ends with 1 when anything was wrong.
Must never: be pointed at an installation that somebody uses: it changes whatever it may.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import requests
from openapi_spec_validator import OpenAPIV31SpecValidator

BASE, FOLDER = sys.argv[1], Path(sys.argv[2])
SEED = "20260401"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# Of every operation and role; the cases of the document's own edges come besides.
EXAMPLES = "2"
PROJECT = "scuola-primaria"
NAMES = {"project": PROJECT, "year": "2025", "obligation": "relazione-annuale", "account": "operatore"}
TIMEOUT_S = 60
faults = []


def wrong(says):
    faults.append(says)
    print(f"wrong: {says}", flush=True)


def signed_in(link):
    """A person's session by a one-time link."""
    session = requests.Session()
    page = session.get(link, timeout=TIMEOUT_S)
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)[1]
    done = session.post(link, data={"csrf": csrf}, timeout=TIMEOUT_S, allow_redirects=False)
    assert done.status_code == 303, (link, done.status_code, done.text[:500])
    return session


def first_token(session):
    """The administrator's own, by the form."""
    page = session.get(f"{BASE}/tokens", timeout=TIMEOUT_S)
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)[1]
    fields = {"csrf": csrf, "account": "amministratore", "label": "prova", "scope": "write", "days": "1"}
    made = session.post(f"{BASE}/tokens", data=fields, timeout=TIMEOUT_S)
    return re.search(r"<code>([^<]+)</code>", made.text)[1]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def tokens(links):
    """A token for changes of each role; all but the administrator's are made by the API itself."""
    accounts = {
        "legal_representative": "rappresentante",
        "data_entry": "operatore",
        "facility_manager": "gestore",
        "regional_officer": "regione",
    }
    made = {"administrator": first_token(signed_in(links["administrator"]))}
    for role, account in accounts.items():
        body = {"account": account, "label": role, "scopes": ["write"], "days": 1}
        answer = requests.post(
            f"{BASE}/api/v1/tokens/add", json=body, headers=bearer(made["administrator"]), timeout=TIMEOUT_S
        )
        assert answer.status_code == 200, answer.text
        made[role] = answer.json()["token"]
    return made


def judge(document):
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        wrong(f"the document: {error.message} at {list(error.absolute_path)}")


def filled(path, names):
    return re.sub(r"\{(\w+)\}", lambda m: names.get(m[1], "1"), path)


def garbage(document, names, made):
    """Bodies that are none, of another type, or too long: refused with a code and a message."""
    tried = 0
    for path, item in document["paths"].items():
        operation = item.get("post")
        if operation is None:
            continue
        kinds = operation["requestBody"]["content"]
        limit = operation["x-body-bytes-max"]
        kind = next(iter(kinds))
        cases = [("of another type", "text/x-nothing", b"{}"), ("too long", kind, b" " * (limit + 1))]
        if "application/json" in kinds:
            for body in (b"", b"{", b"\xff\xfe", b"null", b"[[[[", b'{"a":1e999}', b'"' + b"x" * 1000 + b'"'):
                cases.append((f"{body[:12]!r}", "application/json", body))
        url = f"{BASE}{filled(path, names)}"
        query = "?name=a" if any(p["in"] == "query" for p in operation.get("parameters", [])) else ""
        for what, kind, body in cases:
            for role, token in made.items():
                answer = requests.post(
                    url + query, data=body, headers=bearer(token) | {"Content-Type": kind}, timeout=TIMEOUT_S
                )
                tried += 1
                says = f"{path} with a body {what}, as {role}: {answer.status_code} {answer.text[:200]}"
                if not 400 <= answer.status_code < 500:
                    wrong(says)
                    continue
                try:
                    fault = answer.json()
                except ValueError:
                    fault = {}
                if not (fault.get("code") and fault.get("message")):
                    wrong(f"no code or message: {says}")
                if what == "too long" and answer.status_code not in (401, 403, 413):
                    wrong(f"not refused for its length: {says}")
    print(f"garbage: {tried} bodies", flush=True)


def fuzz(role, token, names, label):
    """One run of schemathesis with real names in the paths, or with its own."""
    config = FOLDER / f"schemathesis-{label}.toml"
    pinned = "".join(f'"path.{name}" = {json.dumps(value)}\n' for name, value in names.items())
    config.write_text(f"[parameters]\n{pinned}" if names else "")
    begun = time.monotonic()
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color", "run",
            f"{BASE}/api/v1/openapi.json", "--header", f"Authorization: Bearer {token}", "--checks", CHECKS,
            "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", SEED,
            "--generation-deterministic", "--no-shrink", "--continue-on-failure",
            # Two at a time fall over each other in Python 3.11: "AST constructor recursion depth mismatch".
            "--workers", "1",
            "--suppress-health-check", "all", "--warnings", "off", "--request-timeout", str(TIMEOUT_S),
            # It would take the token away that the others run with.
            "--exclude-operation-id", "revoke_token",
        ],
        capture_output=True, text=True, cwd=FOLDER, check=False,
    )
    took = time.monotonic() - begun
    (FOLDER / f"schemathesis-{label}.log").write_text(done.stdout + done.stderr)
    tested = re.search(r"Test cases:\s*\n?\s*(.+)", done.stdout)
    print(f"{label}: {took:.0f} s, {tested[1] if tested else 'no count'}", flush=True)
    if done.returncode != 0 or tested is None:
        wrong(f"{label}:\n{done.stdout[-12000:]}\n{done.stderr[-2000:]}")


def main():
    links = dict(line.split() for line in sys.stdin if line.strip())
    made = tokens(links)
    document = requests.get(f"{BASE}/api/v1/openapi.json", timeout=TIMEOUT_S).json()
    judge(document)
    portfolio = requests.get(
        f"{BASE}/api/v1/buildings", headers=bearer(made["facility_manager"]), timeout=TIMEOUT_S
    ).json()
    own = next(b for b in portfolio if b["project"] == PROJECT)
    names = NAMES | {"building": own["building"], "meter": own["live"]["meters"][0]["meter"]}
    garbage(document, names, made)
    for role, token in made.items():
        fuzz(role, token, names, role)
    fuzz("administrator", made["administrator"], {}, "administrator-any-name")
    health = requests.get(f"{BASE}/health", timeout=TIMEOUT_S)
    if health.status_code != 200:
        wrong(f"afterwards the daemon says {health.status_code}")
    sys.exit(1 if faults else 0)


main()
