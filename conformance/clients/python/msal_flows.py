"""MSAL for Python: everything in which a person takes part, and assertions from elsewhere.

After each sign-in the token is asked for again, silently: from the cache, and by the refresh token once two hours have
passed, on the authority's clock and on this process's.
"""

import base64
import re

import attempts
import msal
import requests


def application(config, attempt):
    options = {"authority": f"{config['authority']}/{attempt['tenant']}"}
    if not config["default_configuration"]:
        options.update(instance_discovery=False, verify=config["ca"])
    credential = attempt.get("credential")
    if credential is None:
        return msal.PublicClientApplication(attempt["client_id"], **options)
    if "secret" in credential:
        credential = credential["secret"]
    elif "assertion" in credential:
        credential = {"client_assertion": credential["assertion"]}
    else:
        credential = {"private_key": credential["private_key"], "public_certificate": credential["certificate"]}
    return msal.ConfidentialClientApplication(attempt["client_id"], client_credential=credential, **options)


def successful(answer):
    if "access_token" not in answer:
        raise attempts.Refused(answer)
    return answer


def signed_in(config, attempt, app, answer):
    answer = successful(answer)
    (account,) = app.get_accounts()
    again = app.acquire_token_silent_with_error([attempt["scope"]], account)
    forced = successful(app.acquire_token_silent_with_error([attempt["scope"]], account, force_refresh=True))
    attempts.let_time_pass(config, attempt.get("seconds", 7200))
    renewed = successful(app.acquire_token_silent_with_error([attempt["scope"]], account))
    return {
        "token": answer["access_token"],
        "claims": answer.get("id_token_claims"),
        "account": account["username"],
        "home": account["home_account_id"],
        "again_from": again["token_source"],
        "forced": forced["access_token"],
        "renewed": renewed["access_token"],
        "refresh_token": answer.get("refresh_token"),
    }


def authorization_code(config, attempt):
    app = application(config, attempt)
    flow = app.initiate_auth_code_flow(
        [attempt["scope"]], redirect_uri=attempt["redirect_uri"], response_mode=attempt.get("response_mode")
    )
    location = attempts.ask(config, "/authorize", url=flow["auth_uri"])["location"]
    answer = app.acquire_token_by_auth_code_flow(flow, attempts.parameters_of(location))
    return signed_in(config, attempt, app, answer)


def device_code(config, attempt):
    app = application(config, attempt)
    flow = app.initiate_device_flow([attempt["scope"]])
    if "user_code" not in flow:
        raise attempts.Refused(flow)
    attempts.ask(config, "/device", user_code=flow["user_code"])
    return signed_in(config, attempt, app, app.acquire_token_by_device_flow(flow))


def password(config, attempt):
    app = application(config, attempt)
    answer = app.acquire_token_by_username_password(attempt["login"], attempt["password"], [attempt["scope"]])
    return signed_in(config, attempt, app, answer)


def on_behalf_of(config, attempt):
    app = application(config, attempt)
    answer = successful(app.acquire_token_on_behalf_of(attempt["assertion"], [attempt["scope"]]))
    return {"token": answer["access_token"]}


def claims_challenge(config, attempt):
    """Calls Graph with a token that is evaluated continuously, has the sessions revoked, and does what Graph asks for."""
    app = msal.PublicClientApplication(
        attempt["client_id"],
        authority=f"{config['authority']}/{attempt['tenant']}",
        instance_discovery=False,
        verify=config["ca"],
        client_capabilities=["CP1"],
    )

    def sign_in(**options):
        flow = app.initiate_auth_code_flow(
            [attempt["scope"]], redirect_uri=attempt["redirect_uri"], prompt="login", **options
        )
        location = attempts.ask(config, "/authorize", url=flow["auth_uri"])["location"]
        return successful(app.acquire_token_by_auth_code_flow(flow, attempts.parameters_of(location)))["access_token"]

    def graph(method, path, token):
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, config["authority"] + path, headers=headers, verify=config["ca"], timeout=30)

    token = sign_in()
    statuses = [graph("GET", "/v1.0/me", token).status_code]
    # The revocation is of a later second than the sign-in.
    attempts.let_time_pass(config, 2)
    statuses.append(graph("POST", "/v1.0/me/revokeSignInSessions", token).status_code)
    refused = graph("GET", "/v1.0/me", token)
    statuses.append(refused.status_code)
    challenge = re.search('claims="([^"]+)"', refused.headers["WWW-Authenticate"]).group(1)
    challenge = base64.b64decode(challenge).decode()
    (account,) = app.get_accounts()
    silent = app.acquire_token_silent_with_error([attempt["scope"]], account, claims_challenge=challenge)
    attempts.let_time_pass(config, 2)
    renewed = sign_in(claims_challenge=challenge)
    answer = graph("GET", "/v1.0/me", renewed)
    statuses.append(answer.status_code)
    return {
        "token": token,
        "statuses": statuses,
        "challenge": challenge,
        "silently": silent.get("suberror"),
        "silent_codes": silent.get("error_codes"),
        "me": answer.json().get("userPrincipalName"),
    }


def refresh_token(config, attempt):
    app = application(config, attempt)
    return {"token": successful(app.acquire_token_by_refresh_token(attempt["refresh_token"], [attempt["scope"]]))[
        "access_token"
    ]}


def client_credentials(config, attempt):
    answer = successful(application(config, attempt).acquire_token_for_client([attempt["scope"]]))
    return {"token": answer["access_token"]}


attempts.each(
    {
        "authorization_code": authorization_code,
        "device_code": device_code,
        "password": password,
        "on_behalf_of": on_behalf_of,
        "claims_challenge": claims_challenge,
        "refresh_token": refresh_token,
        "client_credentials": client_credentials,
    }
)
