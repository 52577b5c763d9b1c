"""Authlib: an OpenID Connect relying party that nobody at Microsoft wrote. It discovers, signs in with PKCE, verifies the
id_token with the published keys, refreshes, and asks for a token of its own."""

import attempts
import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet


def metadata(config, attempt):
    url = f"{config['authority']}/{attempt['tenant']}/v2.0/.well-known/openid-configuration"
    return requests.get(url, verify=config["ca"], timeout=30).json()


def session(config, attempt, **options):
    session = OAuth2Session(attempt["client_id"], attempt["credential"]["secret"], **options)
    session.verify = config["ca"]
    return session


def authorization_code(config, attempt):
    published = metadata(config, attempt)
    client = session(
        config,
        attempt,
        scope=f"openid profile offline_access {attempt['scope']}",
        redirect_uri=attempt["redirect_uri"],
        code_challenge_method="S256",
        token_endpoint_auth_method=attempt["method"],
    )
    verifier = "v" * 64
    url, state = client.create_authorization_url(
        published["authorization_endpoint"], code_verifier=verifier, nonce="n-1"
    )
    location = attempts.ask(config, "/authorize", url=url)["location"]
    answer = client.fetch_token(
        published["token_endpoint"], authorization_response=location, state=state, code_verifier=verifier
    )
    keys = KeySet.import_key_set(requests.get(published["jwks_uri"], verify=config["ca"], timeout=30).json())
    id_token = jwt.decode(answer["id_token"], keys, algorithms=["RS256"])
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": published["issuer"]},
        aud={"essential": True, "value": attempt["client_id"]},
        nonce={"essential": True, "value": "n-1"},
        exp={"essential": True},
    )
    registry.validate(id_token.claims)
    attempts.let_time_pass(config, 7200)
    renewed = client.refresh_token(published["token_endpoint"])
    return {
        "token": answer["access_token"],
        "claims": id_token.claims,
        "renewed": renewed["access_token"],
        "again_from": "new refresh token" if renewed["refresh_token"] != answer["refresh_token"] else "same",
    }


def client_credentials(config, attempt):
    client = session(config, attempt, token_endpoint_auth_method=attempt["method"])
    published = metadata(config, attempt)
    answer = client.fetch_token(published["token_endpoint"], grant_type="client_credentials", scope=attempt["scope"])
    return {"token": answer["access_token"]}


attempts.each({"authorization_code": authorization_code, "client_credentials": client_credentials})
