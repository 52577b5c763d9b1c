"""ADAL for Python on the v1.0 endpoint, with people: password, code, device; each then renewed by its refresh token."""

import adal
import attempts


def context(config, attempt):
    return adal.AuthenticationContext(
        f"{config['authority']}/{attempt['tenant']}", validate_authority=False, verify_ssl=config["ca"]
    )


def renewed(config, attempt, answer):
    attempts.let_time_pass(config, 7200)
    secret = (attempt.get("credential") or {}).get("secret")
    renewal = context(config, attempt).acquire_token_with_refresh_token(
        answer["refreshToken"], attempt["client_id"], attempt["resource"], secret
    )
    return {
        "token": answer["accessToken"],
        "account": answer.get("userId"),
        "resource": answer["resource"],
        "renewed": renewal["accessToken"],
    }


def password(config, attempt):
    answer = context(config, attempt).acquire_token_with_username_password(
        attempt["resource"], attempt["login"], attempt["password"], attempt["client_id"]
    )
    return renewed(config, attempt, answer)


def authorization_code(config, attempt):
    location = attempts.ask(config, "/authorize", url=attempt["url"])["location"]
    answer = context(config, attempt).acquire_token_with_authorization_code(
        attempts.parameters_of(location)["code"],
        attempt["redirect_uri"],
        attempt["resource"],
        attempt["client_id"],
        attempt["credential"]["secret"],
    )
    return renewed(config, attempt, answer)


def device_code(config, attempt):
    code = context(config, attempt).acquire_user_code(attempt["resource"], attempt["client_id"])
    attempts.ask(config, "/device", user_code=code["user_code"])
    answer = context(config, attempt).acquire_token_with_device_code(attempt["resource"], code, attempt["client_id"])
    return renewed(config, attempt, answer)


attempts.each({"password": password, "authorization_code": authorization_code, "device_code": device_code})
