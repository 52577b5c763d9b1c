//! The story, step by step. Order matters: later steps go on with the first token.

mod acquiring;
mod calling;
mod person;
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
                role. But here each tenant signs with keys of its own, and an API that serves Contoso only fetches no others. \
                Entra's tenants share keys: there the tenant's id in the token would tell.",
        expected: "401 unknown_key",
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
    Step {
        name: "person",
        title: "A person, a web app and a middle tier",
        story: "So far no person was there. Alice works at Contoso. She uses DemoWebApp, which shows her orders; it asks \
                DemoMiddleApp for them, an API that anybody calls in a person's name or not at all; and that one asks \
                DemoResourceApp.",
        expected: "2 applications, 2 for Contoso alone",
        play: |world| Box::pin(person::introduced(world)),
    },
    Step {
        name: "sign_in",
        title: "Alice signs in and consents",
        story: "The web app sends her browser to the authority, which asks for name and password; the web app never sees \
                them. Then it shows her what the web app wants to do for her, and what the middle tier wants to do in turn, \
                and she agrees. The browser comes back with a code, the web app exchanges it for a token.",
        expected: "consented, scp access_as_user",
        play: |world| Box::pin(person::signs_in(world)),
    },
    Step {
        name: "token_handed_on",
        title: "Her token at the wrong API",
        story: "The token is for the middle tier. Handed on as it is, it opens nothing: each API has its own audience, or \
                each could use its callers' tokens at the others.",
        expected: "401 audience_mismatch",
        play: |world| Box::pin(person::handed_on(world)),
    },
    Step {
        name: "on_behalf_of",
        title: "On behalf of Alice",
        story: "The middle tier checks her token and its scope. Then it shows the authority that token and its own secret, \
                and gets one for the next API: for Alice still, and through the middle tier. The next API sees both names.",
        expected: "200, Alice through the middle tier",
        play: |world| Box::pin(person::on_behalf_of(world)),
    },
    Step {
        name: "no_person",
        title: "Nobody's token at the middle tier",
        story: "The daemon has a genuine token for the middle tier too, as any application of the tenant gets one. But no \
                person stands behind it, and the middle tier takes persons' tokens only.",
        expected: "403 kind_not_allowed",
        play: |world| Box::pin(person::without_a_user(world)),
    },
    Step {
        name: "silent_renewal",
        title: "A renewal that nobody notices",
        story: "Two hours later (the demo moves its clocks, and moves them back) her token is over. The web app shows the refresh token that came \
                with it and has a new one. Alice is not asked anything.",
        expected: "401, then 200, Alice through the middle tier",
        play: |world| Box::pin(person::silently_renewed(world)),
    },
    Step {
        name: "sessions_revoked",
        title: "Alice ends all her sessions",
        story: "A laptop was stolen: Alice has all her sessions ended, at Microsoft Graph. Her token for Graph would live \
                for a day; Graph refuses it at once, and says with a claims challenge what a token must be to be taken.",
        expected: "200, 200, 401 with a claims challenge",
        play: |world| Box::pin(person::revoked(world)),
    },
    Step {
        name: "claims_challenge",
        title: "The challenge is answered",
        story: "The web app asks for a token with those claims. The refresh token is revoked as well, so the authority wants \
                to see Alice herself. She signs in anew, and the new token is taken. The thief cannot.",
        expected: "AADSTS50173, signed in anew, 200 Alice",
        play: |world| Box::pin(person::challenge_answered(world)),
    },
    Step {
        name: "other_company",
        title: "Somebody of another company",
        story: "Dora works at Fabrikam, with the same authority. The web app is registered for Contoso's people alone, and \
                the authority turns her away before the web app hears of her.",
        expected: "AADSTS50020",
        play: |world| Box::pin(person::of_another_company(world)),
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
