"""What every client script here shares: attempts come in as JSON, outcomes go out as JSON lines.

Standard input is one object: ``authority`` (https://name:port), ``ca`` (path of the PEM that signs the authority's
certificate) and ``attempts``. An attempt has ``name``, ``tenant``, ``client_id``, ``scope`` or ``resource``, and a
``credential``: ``{"secret": …}`` or ``{"private_key", "certificate", "sha1", "style"}`` (PEM, PEM, hex, see the client).

Each attempt gives one line, in order: ``{"name", "token"}``, or ``{"name", "exception", "message", "codes"}`` where
``codes`` are the AADSTS numbers that the library itself surfaces, from a field if it has one, else from its message.
"""

import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True


class Refused(Exception):
    """A refusal that the library returns as a value instead of raising it."""

    def __init__(self, answer):
        super().__init__(answer.get("error_description") or answer.get("error"))
        self.answer = answer


def run():
    """Reads the whole input."""
    return json.load(sys.stdin)


def report(name, **outcome):
    """Writes one outcome."""
    print(json.dumps({"name": name, **outcome}), flush=True)


def codes_in(text):
    """The AADSTS numbers in a message, in order, each once."""
    return list(dict.fromkeys(int(code) for code in re.findall(r"AADSTS(\d+)", text)))


def report_failure(name, error, answer=None):
    """Writes what a library made of a refusal."""
    chain, cause = [], error
    while cause is not None:
        chain.append(f"{type(cause).__name__}: {cause}")
        cause = cause.__cause__ or cause.__context__
    surfaced = (answer or {}).get("error_codes") or codes_in(str(error))
    report(
        name,
        exception=type(error).__name__,
        message=str(error),
        codes=surfaced,
        inner_codes=codes_in("\n".join(chain[1:])),
        error=(answer or {}).get("error"),
    )


# What follows is for the scripts in which a person takes part; ``person`` in the input is the address of the server that
# plays one (``src/concierge.rs``).


def ask(config, route, **wish):
    """Asks the person to do something."""
    request = urllib.request.Request(
        config["person"] + route, json.dumps(wish).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{route}: {error.read().decode()}") from error


def parameters_of(location):
    """The parameters of an address, from its query or its fragment."""
    parts = urllib.parse.urlsplit(location)
    return dict(urllib.parse.parse_qsl(parts.query or parts.fragment))


_machine = time.time


def let_time_pass(config, seconds):
    """Moves the authority's clock and this process's own; a library cannot tell it from waiting."""
    ask(config, "/advance", seconds=seconds)
    before = time.time() - _machine()
    time.time = lambda: _machine() + before + seconds


def each(flows):
    """Runs every attempt by the function that ``flows`` has for its ``flow``; that answers the outcome's members."""
    config = run()
    for attempt in config["attempts"]:
        try:
            report(attempt["name"], **flows[attempt["flow"]](config, attempt))
        except Refused as refused:
            report_failure(attempt["name"], refused, refused.answer)
        except Exception as error:
            report_failure(attempt["name"], error)
