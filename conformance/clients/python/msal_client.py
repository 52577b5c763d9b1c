"""MSAL for Python: client credentials with a secret, and with a certificate in both forms that MSAL knows.

``style`` of a certificate: ``pem`` gives MSAL the certificate's text (it signs with PS256 and names x5t#S256),
``thumbprint`` only the SHA-1 thumbprint (it signs with RS256 and names x5t).
"""

import attempts
import msal


def credential(given):
    if "secret" in given:
        return given["secret"]
    if given["style"] == "pem":
        return {"private_key": given["private_key"], "public_certificate": given["certificate"]}
    return {"private_key": given["private_key"], "thumbprint": given["sha1"]}


config = attempts.run()
for attempt in config["attempts"]:
    try:
        # A new application object for each attempt: MSAL remembers an HTTP 400 for a minute.
        application = msal.ConfidentialClientApplication(
            attempt["client_id"],
            authority=f"{config['authority']}/{attempt['tenant']}",
            client_credential=credential(attempt["credential"]),
            # An attempt may ask for instance discovery; it is then made at the authority, not at Microsoft's.
            instance_discovery=(
                f"{config['authority']}/common/discovery/instance" if attempt.get("instance_discovery") else False
            ),
            verify=config["ca"],
        )
        answer = application.acquire_token_for_client([attempt["scope"]])
        if "access_token" not in answer:
            raise attempts.Refused(answer)
        again = application.acquire_token_for_client([attempt["scope"]])
        attempts.report(attempt["name"], token=answer["access_token"], again_from=again.get("token_source"))
    except attempts.Refused as refused:
        attempts.report_failure(attempt["name"], refused, refused.answer)
    except Exception as error:
        attempts.report_failure(attempt["name"], error)
