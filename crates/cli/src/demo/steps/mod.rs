//! The story, step by step. Order matters: later steps go on with the first token.

mod acquiring;
mod calling;
mod rollover;
mod setting;

use super::step::Step;

/// All steps, in their order.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "authority",
        title: "An authority starts",
        story: "The authority is the office that knows who is who and hands out passes, called tokens. Its metadata says \
                where to ask for one, and where the keys are that prove a token genuine.",
        expected: "200, right issuer",
        play: |world| Box::pin(setting::authority(world)),
    },
    Step {
        name: "registrations",
        title: "Two applications are registered",
        story: "DemoResourceApp is an API; it declares what can be done with it, its app roles. DemoClientApp is a daemon, \
                a program without a user. An administrator granted it one of the two roles.",
        expected: "2 roles, 1 granted",
        play: |world| Box::pin(setting::registrations(world)),
    },
    Step {
        name: "token_by_secret",
        title: "A token by secret",
        story: "The daemon shows its secret, the password of an application, to the authority's v2.0 endpoint and says \
                which API it wants to call. What it gets is a signed statement that anybody can read and nobody can alter.",
        expected: "200, Resource.Read",
        play: |world| Box::pin(acquiring::by_secret(world)),
    },
    Step {
        name: "call",
        title: "The call that succeeds",
        story: "The daemon sends the token along. The API checks signature, issuer, audience, times, tenant and role, by \
                itself, with keys that it fetched once: the authority is not asked.",
        expected: "200",
        play: |world| Box::pin(calling::with_token(world)),
    },
    Step {
        name: "no_token",
        title: "The same call without a token",
        story: "Whoever shows nothing is told where to get a token, and no more.",
        expected: "401",
        play: |world| Box::pin(calling::without_token(world)),
    },
    Step {
        name: "expired_token",
        title: "With an expired token",
        story: "Two hours later (the demo moves its clocks, and moves them back) the token's hour is over.",
        expected: "401 expired",
        play: |world| Box::pin(calling::expired(world)),
    },
    Step {
        name: "other_audience",
        title: "With a token for another API",
        story: "The daemon takes a token that is for Microsoft Graph. It is genuine, but it is not for this API, and must \
                not open it: else every API could use its callers' tokens elsewhere.",
        expected: "401 audience_mismatch",
        play: |world| Box::pin(calling::other_audience(world)),
    },
    Step {
        name: "other_tenant",
        title: "With a token from another tenant",
        story: "Fabrikam is another company with the same authority. There, too, the daemon is known and was granted the \
                role. Everything about this token is right, but this API serves Contoso only.",
        expected: "401 tenant_not_allowed",
        play: |world| Box::pin(calling::other_tenant(world)),
    },
    Step {
        name: "role_not_granted",
        title: "With a role that was not granted",
        story: "To create an order takes Resource.Write, which the administrator did not grant. The API knows the caller \
                and says no: 403, where strangers get 401.",
        expected: "403 role_missing",
        play: |world| Box::pin(calling::role_not_granted(world)),
    },
    Step {
        name: "altered_token",
        title: "With an altered token",
        story: "The daemon writes the missing role into its token. It can: the claims are plain text. But it cannot make \
                the signature fit.",
        expected: "401 signature_invalid",
        play: |world| Box::pin(calling::altered(world)),
    },
    Step {
        name: "token_by_certificate",
        title: "A token by certificate",
        story: "Better than a secret that travels: the daemon signs a short statement (an assertion) with its private key, \
                which never leaves it. The token says so: azpacr is 2 instead of 1.",
        expected: "200, azpacr 2, API 200",
        play: |world| Box::pin(acquiring::by_certificate(world)),
    },
    Step {
        name: "token_on_v1",
        title: "A token on the v1.0 endpoint",
        story: "Older programs ask the v1.0 endpoint and name a resource instead of a scope. The token is the same: its \
                version is for the API's registration to say, not for the endpoint.",
        expected: "200, ver 2.0, API 200",
        play: |world| Box::pin(acquiring::on_v1(world)),
    },
    Step {
        name: "wrong_secret",
        title: "A wrong secret",
        story: "The authority answers as Entra does, with a number that can be looked up: 'countersign explain' knows it.",
        expected: "401 AADSTS7000215",
        play: |world| Box::pin(acquiring::wrong_secret(world)),
    },
    Step {
        name: "key_rollover",
        title: "The signing key is rolled over",
        story: "The authority signs with a key that the API has never seen. The API meets its name in the first token, \
                fetches the keys anew, once, and lets the token in. Nobody restarts anything.",
        expected: "unknown key, API 200",
        play: |world| Box::pin(rollover::play(world)),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_for_programs() {
        for (index, step) in STEPS.iter().enumerate() {
            assert!(step.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit()));
            assert!(STEPS[..index].iter().all(|other| other.name != step.name), "{}", step.name);
            assert!(!step.expected.is_empty() && step.story.ends_with('.'), "{}", step.name);
        }
    }
}
