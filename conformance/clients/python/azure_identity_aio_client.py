"""azure-identity for Python, asynchronous: its own token client, which pads all three segments of an assertion."""

import asyncio

import attempts
from azure.identity.aio import CertificateCredential, ClientSecretCredential


async def main():
    config = attempts.run()
    for attempt in config["attempts"]:
        options = {"authority": config["authority"], "connection_verify": config["ca"], "retry_total": 0}
        try:
            given = attempt["credential"]
            if "secret" in given:
                credential = ClientSecretCredential(attempt["tenant"], attempt["client_id"], given["secret"], **options)
            else:
                credential = CertificateCredential(
                    attempt["tenant"],
                    attempt["client_id"],
                    certificate_data=(given["private_key"] + given["certificate"]).encode(),
                    **options,
                )
            async with credential:
                attempts.report(attempt["name"], token=(await credential.get_token(attempt["scope"])).token)
        except Exception as error:
            attempts.report_failure(attempt["name"], error)


asyncio.run(main())
