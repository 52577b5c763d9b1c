"""ADAL for Python, Microsoft's retired client of the v1.0 endpoint: a secret, and a certificate by SHA-1 thumbprint."""

import adal
import attempts

config = attempts.run()
for attempt in config["attempts"]:
    try:
        context = adal.AuthenticationContext(
            f"{config['authority']}/{attempt['tenant']}", validate_authority=False, verify_ssl=config["ca"]
        )
        credential = attempt["credential"]
        if "secret" in credential:
            answer = context.acquire_token_with_client_credentials(
                attempt["resource"], attempt["client_id"], credential["secret"]
            )
        else:
            answer = context.acquire_token_with_client_certificate(
                attempt["resource"],
                attempt["client_id"],
                credential["private_key"],
                credential["sha1"],
                public_certificate=credential["certificate"] if credential["style"] == "pem" else None,
            )
        attempts.report(
            attempt["name"],
            token=answer["accessToken"],
            resource=answer["resource"],
            expires_in=answer["expiresIn"],
        )
    except adal.AdalError as error:
        attempts.report_failure(attempt["name"], error, error.error_response or None)
    except Exception as error:
        attempts.report_failure(attempt["name"], error)
