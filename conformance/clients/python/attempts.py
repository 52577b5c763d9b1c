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
