//! What a guard's refusal means and who must do what: the counterpart of the AADSTS catalogue for our own codes.

/// One code of a guard or of `verify`.
pub(crate) struct Explanation {
    /// The stable code.
    pub(crate) code: &'static str,
    /// What it means.
    pub(crate) meaning: &'static str,
    /// Who must do what.
    pub(crate) who: &'static str,
}

/// The entry of a code.
pub(crate) fn lookup(code: &str) -> Option<&'static Explanation> {
    EXPLANATIONS.iter().find(|entry| entry.code == code)
}

macro_rules! explanations {
    ($($code:literal: $meaning:literal => $who:literal;)+) => {
        const EXPLANATIONS: &[Explanation] = &[$(Explanation { code: $code, meaning: $meaning, who: $who }),+];
    };
}

explanations! {
    "too_large": "The token is longer than 16 kB, or its header than 2 kB."
        => "The application's owner asks for fewer optional claims, or for groups that are assigned to the application only.";
    "not_compact_jws": "What was sent is not three pieces of base64url parted by dots."
        => "The client's developer sends the access token as it was received, without quotes, line breaks or the word Bearer twice.";
    "base64": "A piece of the token is not canonical base64url: it was cut, padded or re-encoded on its way."
        => "The client's developer looks for what changes the token between the token endpoint and the request.";
    "header_malformed": "The token's header is not one JSON object with members of the right types."
        => "The client's operator checks where the token comes from: Entra does not write such headers.";
    "header_duplicate": "A member stands twice in the token's header, which two readers could read differently."
        => "The client's operator checks where the token comes from: Entra does not write such headers.";
    "critical_header": "The header demands extensions that this guard does not know (RFC 7515 §4.1.11)."
        => "The client's operator checks where the token comes from: Entra does not write such headers.";
    "key_in_header": "The token brings its own key, or points at one. Keys come from the configured authority only."
        => "Nobody should have to do anything: this is how forged tokens look. Look at who sends it.";
    "header_unsupported": "The header has a member that no access token has (b64, zip, enc or cty)."
        => "The client's operator checks where the token comes from: Entra does not write such headers.";
    "graph_token": "The token is for Microsoft Graph, whose tokens only Graph can verify."
        => "The client's developer asks for a token to this API: scope={this API's identifier}/.default instead of Graph's.";
    "type": "The token is of another kind than an access token (typ is not JWT)."
        => "The client's developer sends the access_token of the token endpoint's answer.";
    "algorithm_not_allowed": "The token is not signed with an algorithm that the policy allows (RS256 unless it says otherwise)."
        => "The API's operator checks that the authority is the right one; Entra signs with RS256.";
    "key_id_missing": "The header does not name a key, so there is nothing to verify with."
        => "The client's operator checks where the token comes from: Entra always names the key.";
    "key_id_malformed": "The name of the key in the header is not 1 to 128 printable characters."
        => "The client's operator checks where the token comes from: Entra does not write such headers.";
    "unknown_key": "The authority publishes no key of this name: the token is another authority's, or the key has been withdrawn."
        => "The client's operator compares the token's iss with the authority that the API trusts, then acquires a new token.";
    "key_algorithm_mismatch": "The key that the header names is published for another algorithm."
        => "Nobody should have to do anything: this is how forged tokens look. Look at who sends it.";
    "thumbprint_mismatch": "The header names two different keys in kid and x5t."
        => "Nobody should have to do anything: this is how forged tokens look. Look at who sends it.";
    "signature_invalid": "The signature does not fit: the token was changed after it was issued, or somebody else signed it."
        => "The client's developer sends the token unchanged. If it is unchanged, look at who sends it.";
    "claims_malformed": "The payload is not one JSON object."
        => "The client's operator checks where the token comes from: Entra does not write such tokens.";
    "claim_duplicate": "A claim stands twice, which two readers could read differently."
        => "The client's operator checks where the token comes from: Entra does not write such tokens.";
    "too_many_claims": "The token has more than 200 claims."
        => "The application's owner asks for fewer optional claims.";
    "claim_missing": "A claim that every access token of Entra has is absent."
        => "The client's operator checks that this is an access token of Entra, and not an id_token or another issuer's token.";
    "claim_type": "A claim has another JSON type than Entra gives it."
        => "The client's operator checks where the token comes from.";
    "claim_range": "A date in the token is not in seconds since 1970; milliseconds are a common mistake of test tokens."
        => "Whoever makes the token writes NumericDates in seconds (RFC 7519 §2).";
    "expired": "The token's time is over."
        => "The client acquires a new token, as client libraries do by themselves; if it just did, the clocks are wrong: check both machines' time.";
    "not_yet_valid": "The token's time has not begun."
        => "The API's operator checks this machine's clock: it seems to be behind.";
    "issued_in_future": "The token says it was issued later than now."
        => "The API's operator checks this machine's clock: it seems to be behind.";
    "version_unknown": "The token's ver is neither 1.0 nor 2.0."
        => "The client's operator checks where the token comes from.";
    "version_not_allowed": "The token's version is one that the policy does not take."
        => "The API's owner sets api.requestedAccessTokenVersion in the registration, or adds the version to the policy.";
    "tenant_malformed": "tid is not a GUID in lower case, as Entra writes it."
        => "The client's operator checks where the token comes from.";
    "tenant_not_allowed": "The token is genuine but was issued in a tenant that the policy does not list."
        => "The client asks the right tenant's token endpoint, or the API's operator adds the tenant to the policy if its callers are welcome.";
    "issuer_mismatch": "iss is none of the policy's issuers for this tenant and version."
        => "The API's operator compares the policy's issuers with the authority's metadata; v1.0 tokens have https://sts.windows.net/{tenantid}/.";
    "key_issuer_mismatch": "The key that signed belongs to another issuer than the one that the token names."
        => "Nobody should have to do anything: this is how forged tokens look. Look at who sends it.";
    "audience_mismatch": "The token is for another API."
        => "The client asks for this API: scope={its App ID URI}/.default. If it did, the API's operator adds the audience: the client id for v2.0 tokens, the App ID URI for v1.0.";
    "id_token": "This is an id_token: it tells a client who signed in, and is no permission to call an API."
        => "The client's developer sends the access_token instead.";
    "caller_malformed": "The calling application is not named by exactly one GUID."
        => "The client's operator checks where the token comes from.";
    "kind_contradictory": "The token is not clearly an application's or a user's."
        => "The client's operator checks where the token comes from.";
    "kind_not_allowed": "The policy does not take tokens of this kind (an application's own, or on behalf of a user)."
        => "The client uses the other flow, or the API's operator adds the kind to the policy's kinds.";
    "client_not_allowed": "The calling application is not on the policy's list of clients."
        => "The API's operator adds the client's id to the policy's clients, if it may call.";
    "no_permission": "The token carries neither a role nor a scope: Entra gives such tokens to any application of the tenant."
        => "An administrator grants the calling application one of the API's app roles; then the client acquires a new token.";
    "role_missing": "The application is known, but holds none of the app roles that are wanted here."
        => "An administrator grants the calling application the app role; then the client acquires a new token, since roles are written into it.";
    "scope_missing": "The user's token has none of the scopes that are wanted here."
        => "The client asks for the scope, and the user or an administrator consents to it.";
    "client_authentication_not_allowed": "The application proved itself in a way that the policy does not take (azpacr, appidacr): with a secret, or not at all."
        => "The client's operator gives it a certificate or a federated credential, or the API's operator adds the way to client_authentication.";
    "guest_not_allowed": "The user is a guest of the tenant, and the policy takes none."
        => "The user calls with an account of the tenant itself, or the API's operator lets guests in.";
    "group_missing": "The user is in none of the groups that are wanted here."
        => "An owner of the group adds the user; then the client acquires a new token, since groups are written into it.";
    "group_overage": "The user is in more groups than a token holds, so it cannot be told from it whether the wanted one is among them."
        => "The API's owner has only groups that are assigned to the application written into tokens, or gives the guard a resolver that asks Microsoft Graph.";
    "authentication_context_missing": "The sign-in did not satisfy an authentication context that is wanted here (acrs)."
        => "The client answers the claims challenge by signing the user in anew; its developer declares the capability cp1 if there was none.";
    "not_compact_jwe": "What was sent is not five pieces of base64url parted by dots, as an encrypted token is."
        => "The client's developer sends the access token as it was received, without quotes or line breaks.";
    "encryption_not_allowed": "The token is encrypted in a way that is not taken here: RSA-OAEP with AES in GCM, or in CBC with HMAC, is."
        => "The API's owner registers an encryption key for RSA-OAEP; Entra encrypts with nothing else.";
    "content_type": "The encrypted token says that something other than a token is inside."
        => "The client's operator checks where the token comes from.";
    "decryption_key_unknown": "The token is encrypted to a key that this API does not have."
        => "The API's operator gives the guard the private key of the registration's tokenEncryptionKeyId, and during a rollover the one before it too.";
    "encryption_length": "A piece of the encrypted token has a length that it cannot have."
        => "The client's developer looks for what changes the token between the token endpoint and the request.";
    "decryption_failed": "The token does not open: it was changed on its way, or encrypted to another key than it names."
        => "The client's developer sends the token unchanged; the API's operator checks that key and certificate belong together.";
    "binding_proof_missing": "The token is bound to a key, and the request does not prove that its sender holds it."
        => "The client presents its certificate in the TLS handshake, or sends a DPoP proof or a signed request, as the token wants it; behind a proxy the API's operator names the proxy to the guard.";
    "binding_certificate_mismatch": "The token is bound to another certificate than the one that was presented."
        => "The client uses one certificate for the token and for the call. If nobody changed it, look at who sends the token.";
    "binding_header_malformed": "The trusted proxy's header does not hold one certificate."
        => "Whoever runs the proxy compares how it writes the header with what the guard was told.";
    "binding_unsupported": "The token is bound to a key in a way that the guard does not understand."
        => "The client's developer asks for a bearer token, or for one that is bound to a certificate.";
    "binding_missing": "The scheme is one for bound tokens (DPoP, PoP, mtls_pop), and this token is bound to nothing."
        => "The client's developer sends it as Authorization: Bearer, or asks for a bound token.";
    "several_proofs": "The request carries more than one DPoP header."
        => "The client's developer, or whoever runs a proxy in between, sends exactly one.";
    "proof_replayed": "The proof was seen before."
        => "The client's developer makes a new proof for every request. If he does, look at who sends it.";
    "proof_memory_full": "So many proofs are remembered that nobody can tell whether this one was seen before."
        => "The client tries again in a few seconds; the API's operator lets the guard remember more proofs, or takes younger ones only.";
    "proof_too_large": "The proof is longer than any proof needs to be."
        => "The client's developer looks at what is put into it.";
    "proof_malformed": "The proof is not a compact JWS with a JSON header and JSON claims, no member twice."
        => "The client's developer sends the proof as its library made it.";
    "proof_type": "The proof's typ is not dpop+jwt, or not pop for a signed request."
        => "The client's developer writes the typ of RFC 9449 §4.2.";
    "proof_header_unsupported": "The proof's header has a member that no proof has."
        => "The client's developer leaves out crit, jku, x5u, x5c, b64, zip, enc and cty.";
    "proof_algorithm_not_allowed": "The proof is not signed with ES256, PS256 or RS256, or not with the one that its key is for."
        => "The client's developer takes one of these.";
    "proof_key_unusable": "The proof carries no public key that is used here: P-256, or RSA of 2048 to 8192 bits."
        => "The client's developer puts the public key into jwk.";
    "proof_private_key": "The proof carries a private key, which its sender has given away by that."
        => "The client's developer sends the public part alone, and makes a new key.";
    "proof_signature_invalid": "The proof's signature does not fit its own key."
        => "The client's developer sends the proof unchanged. If it is unchanged, look at who sends it.";
    "proof_key_mismatch": "The token is bound to another key than the proof's."
        => "The client uses one key for the token request and for the call. If nobody changed it, look at who sends the token.";
    "proof_claim_missing": "The proof lacks a claim: jti, htm, htu, iat and ath, or at, ts, m, u, p and cnf of a signed request."
        => "The client's developer adds it (RFC 9449 §4.2).";
    "proof_claim_malformed": "A claim of the proof has the wrong type, or is empty or too long."
        => "The client's developer writes texts as texts and times as whole seconds.";
    "proof_token_mismatch": "The proof is for another access token (ath)."
        => "The client makes a new proof for each token.";
    "proof_method_mismatch": "The proof is for another method."
        => "The client makes a new proof for each request.";
    "proof_address_mismatch": "The proof is for another address than the API's own."
        => "The client writes the address that it calls, without query; the API's operator tells the guard under which origins it is called.";
    "proof_stale": "The proof is older than the API takes."
        => "The client makes a new proof for each request; if it just did, its machine's clock is behind.";
    "proof_made_in_future": "The proof says that it was made later than now."
        => "The client's operator checks that machine's clock: it seems to be ahead.";
    "foreign_rule": "The service asked under a rule that it registered with another verifier, so nobody was let in."
        => "The API's developer registers each rule with the verifier that it is used with.";
    "predicate_unmet": "A condition of the service's own is not met; the decision log has its name."
        => "The API's operator looks the condition up in the decision log.";
    "revoked": "The service says that tokens which were issued before a certain moment are revoked."
        => "The client acquires a new token; the user may have to sign in anew.";
    "groups_unavailable": "The user's groups are not in the token, and whoever was asked for them did not say."
        => "The API's operator checks the way from the API to Microsoft Graph.";
    "key_unconfirmed": "The token names a key that is not at hand, and the authority could not be asked for it: it may be forged, or new."
        => "The client tries again in a few seconds; the API's operator checks the way from the API to the authority.";
    "keys_unavailable": "The authority's keys cannot be had, so nobody can tell whether the token is genuine."
        => "The API's operator checks the way from the API to the authority: name, proxy, certificate.";
    "credential_missing": "The request carries no bearer token."
        => "The client's developer sends Authorization: Bearer and the access token.";
    "several_credentials": "The request has more than one Authorization header."
        => "The client's developer, or whoever runs a proxy in between, sends exactly one.";
    "credential_malformed": "The Authorization header is not the word Bearer and one token."
        => "The client's developer sends Authorization: Bearer and the access token, unchanged.";
    "line_empty": "The line is empty."
        => "Whoever writes the input puts one token on each line.";
    "line_not_utf8": "The line is not text in UTF-8."
        => "Whoever writes the input puts one token on each line, as text.";
    "line_malformed": "The line is not a JSON object with one member token that is a string."
        => "Whoever writes the input puts a bare token or {\"token\":\"…\"} on each line.";
}

#[cfg(test)]
mod tests {
    use countersign_token::Rejection;

    use super::*;

    #[test]
    fn every_rejection_is_explained() {
        use Rejection as R;
        let all = [
            R::TooLarge,
            R::NotCompactJws,
            R::Base64("header"),
            R::HeaderMalformed,
            R::HeaderDuplicate,
            R::CriticalHeader,
            R::KeyInHeader("jwk"),
            R::HeaderUnsupported("zip"),
            R::GraphToken,
            R::Type,
            R::AlgorithmNotAllowed,
            R::KeyIdMissing,
            R::KeyIdMalformed,
            R::UnknownKey,
            R::KeyAlgorithmMismatch,
            R::ThumbprintMismatch,
            R::SignatureInvalid,
            R::ClaimsMalformed,
            R::ClaimDuplicate,
            R::TooManyClaims,
            R::ClaimMissing("exp"),
            R::ClaimType("exp"),
            R::ClaimRange("exp"),
            R::Expired,
            R::NotYetValid,
            R::IssuedInFuture,
            R::VersionUnknown,
            R::VersionNotAllowed,
            R::TenantMalformed,
            R::TenantNotAllowed,
            R::IssuerMismatch,
            R::KeyIssuerMismatch,
            R::AudienceMismatch,
            R::IdToken,
            R::CallerMalformed,
            R::KindContradictory,
            R::KindNotAllowed,
            R::ClientNotAllowed,
            R::NoPermission,
            R::RoleMissing,
            R::ScopeMissing,
            R::ClientAuthenticationNotAllowed,
            R::GuestNotAllowed,
            R::GroupMissing,
            R::GroupOverage,
            R::AuthenticationContextMissing,
            R::NotCompactJwe,
            R::EncryptionNotAllowed("alg"),
            R::ContentType,
            R::DecryptionKeyUnknown,
            R::EncryptionLength("tag"),
            R::DecryptionFailed,
        ];
        for rejection in all {
            assert!(lookup(rejection.code()).is_some(), "{}", rejection.code());
        }
        // The guard's and the line reader's own.
        let others = 36;
        assert_eq!(EXPLANATIONS.len(), all.len() + others, "an explanation without a rejection, or twice");
    }

    #[test]
    fn explanations_are_sentences() {
        for entry in EXPLANATIONS {
            assert!(entry.meaning.ends_with('.') && entry.who.ends_with('.'), "{}", entry.code);
        }
    }
}
