"""PyJWT with its JWKS client: what a Python API does to a token, the keys found through the metadata document.

Standard input: ``ca`` and ``tokens``; a token has ``name``, ``token``, ``metadata`` (URL) and ``audience``. Each gives a
line with ``accepted`` and either ``claims`` or ``reason``, the name of PyJWT's exception.
"""

import json
import ssl
import urllib.request

import attempts
import jwt

config = attempts.run()
trust = ssl.create_default_context(cafile=config["ca"])
for case in config["tokens"]:
    with urllib.request.urlopen(case["metadata"], context=trust) as answer:
        metadata = json.load(answer)
    try:
        keys = jwt.PyJWKClient(metadata["jwks_uri"], ssl_context=trust)
        claims = jwt.decode(
            case["token"],
            keys.get_signing_key_from_jwt(case["token"]).key,
            algorithms=["RS256"],
            audience=case["audience"],
            issuer=metadata["issuer"],
            options={"require": ["exp", "iat", "nbf", "aud", "iss", "sub"]},
        )
        attempts.report(case["name"], accepted=True, claims=claims)
    except jwt.PyJWTError as error:
        attempts.report(case["name"], accepted=False, reason=type(error).__name__)
