"""azure-identity for Python: the credentials of people, of services between, and of assertions from elsewhere."""

import attempts
from azure.identity import (
    AuthorizationCodeCredential,
    ClientAssertionCredential,
    DeviceCodeCredential,
    ManagedIdentityCredential,
    OnBehalfOfCredential,
    UsernamePasswordCredential,
)


def options(config):
    if config["default_configuration"]:
        return {}
    return {
        "authority": config["authority"],
        "disable_instance_discovery": True,
        "connection_verify": config["ca"],
        "retry_total": 0,
    }


def pem(credential):
    return (credential["private_key"] + credential["certificate"]).encode()


def token(credential, attempt):
    """Twice, since the second one comes from the cache."""
    first = credential.get_token(attempt["scope"]).token
    second = credential.get_token(attempt["scope"]).token
    return {"token": first, "again_from": "cache" if first == second else "network"}


def renewed(credential, config, attempt):
    outcome = token(credential, attempt)
    attempts.let_time_pass(config, 7200)
    return {**outcome, "renewed": credential.get_token(attempt["scope"]).token}


def on_behalf_of(config, attempt):
    given = attempt["credential"]
    if "secret" in given:
        proof = {"client_secret": given["secret"]}
    elif "assertion" in given:
        proof = {"client_assertion_func": lambda: given["assertion"]}
    else:
        proof = {"client_certificate": pem(given)}
    credential = OnBehalfOfCredential(
        attempt["tenant"], attempt["client_id"], user_assertion=attempt["assertion"], **proof, **options(config)
    )
    return token(credential, attempt)


def client_credentials(config, attempt):
    assertion = attempt["credential"]["assertion"]
    return token(
        ClientAssertionCredential(attempt["tenant"], attempt["client_id"], lambda: assertion, **options(config)),
        attempt,
    )


def authorization_code(config, attempt):
    location = attempts.ask(config, "/authorize", url=attempt["url"])["location"]
    credential = AuthorizationCodeCredential(
        attempt["tenant"],
        attempt["client_id"],
        attempts.parameters_of(location)["code"],
        attempt["redirect_uri"],
        client_secret=attempt["credential"]["secret"],
        **options(config),
    )
    return renewed(credential, config, attempt)


def device_code(config, attempt):
    credential = DeviceCodeCredential(
        attempt["client_id"],
        tenant_id=attempt["tenant"],
        prompt_callback=lambda _page, user_code, _expires: attempts.ask(config, "/device", user_code=user_code),
        **options(config),
    )
    return renewed(credential, config, attempt)


def password(config, attempt):
    credential = UsernamePasswordCredential(
        attempt["client_id"], attempt["login"], attempt["password"], tenant_id=attempt["tenant"], **options(config)
    )
    return renewed(credential, config, attempt)


def managed_identity(_config, attempt):
    options = {"client_id": attempt["client_id"]} if attempt["client_id"] else {}
    return token(ManagedIdentityCredential(**options), attempt)


attempts.each(
    {
        "managed_identity": managed_identity,
        "on_behalf_of": on_behalf_of,
        "client_credentials": client_credentials,
        "authorization_code": authorization_code,
        "device_code": device_code,
        "password": password,
    }
)
