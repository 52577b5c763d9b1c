"""azure-identity for Python, synchronous: it goes through MSAL, but gives it a certificate's SHA-1 thumbprint (RS256)."""

import attempts
from azure.identity import CertificateCredential, ClientSecretCredential

config = attempts.run()
for attempt in config["attempts"]:
    options = {
        "authority": config["authority"],
        "disable_instance_discovery": True,
        "connection_verify": config["ca"],
        "retry_total": 0,
    }
    try:
        given = attempt["credential"]
        if "secret" in given:
            credential = ClientSecretCredential(attempt["tenant"], attempt["client_id"], given["secret"], **options)
        else:
            credential = CertificateCredential(
                attempt["tenant"],
                attempt["client_id"],
                certificate_data=(given["private_key"] + given["certificate"]).encode(),
                send_certificate_chain=given["style"] == "chain",
                **options,
            )
        with credential:
            attempts.report(attempt["name"], token=credential.get_token(attempt["scope"]).token)
    except Exception as error:
        attempts.report_failure(attempt["name"], error)
